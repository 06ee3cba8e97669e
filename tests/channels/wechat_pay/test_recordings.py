"""The adapter against its recordings, to the byte; and the recordings against the test keys."""

import json

import pytest
from wechatpayv3 import utils as sdk

from tests.channels.wechat_pay import platform
from tests.channels.wechat_pay.far import far
from tests.channels.wechat_pay.platform import NOW, RECORDINGS
from tests.channels.wechat_pay.recordings import (
    CASES,
    PUSHED,
    Recording,
    answer_to,
    perform,
    reply_of,
    unsealed,
)


def recorded(name: str) -> Recording:
    """The recording of that name."""
    return Recording.read(RECORDINGS / f"{name}.txt")


def test_every_case_is_recorded_and_nothing_else() -> None:
    """No recording lies about unread, and none is missing."""
    assert {file.stem for file in RECORDINGS.glob("*.txt")} == {*CASES, *PUSHED}


@pytest.mark.parametrize("name", CASES)
async def test_replay(name: str) -> None:
    """Given the recorded replies, the adapter asks and concludes exactly what is recorded."""
    recording = recorded(name)
    requests, outcome = await perform(CASES[name], tuple(map(reply_of, recording.replies)))
    assert list(map(unsealed, requests)) == list(map(unsealed, recording.requests))
    assert outcome == recording.outcome


@pytest.mark.parametrize("name", PUSHED)
async def test_replay_of_a_notice(name: str) -> None:
    """A recorded push is read and answered as recorded."""
    recording = recorded(name)
    (push,) = recording.requests
    async with far() as side:
        answer = side.channel.read_notice(push.headers, push.body, NOW)
    assert repr(answer) == recording.outcome
    assert recording.replies == (answer_to(answer),)


@pytest.mark.parametrize("name", [*CASES, *PUSHED])
def test_a_recording_reads_as_it_was_written(name: str) -> None:
    """Reading and writing lose no byte."""
    assert recorded(name).written() == (RECORDINGS / f"{name}.txt").read_bytes()


def test_the_recorded_name_is_sealed_to_the_certificate() -> None:
    """Whoever holds the certificate's key reads the recorded name; nobody reads it in the file."""
    (request,) = recorded("submit-named-certificate-mode").requests
    sealed = json.loads(request.body)["user_name"]
    assert sdk.rsa_decrypt(sealed, platform.CERTIFIED) == platform.NAME
    assert platform.NAME.encode() not in request.body


def test_a_recorded_signature_verifies_with_the_sdk() -> None:
    """The official SDK believes the recorded platform replies, and not an altered one."""
    (said,) = recorded("inquire-success").replies
    head = {name: said.headers[f"wechatpay-{name}"] for name in ("timestamp", "nonce", "signature")}
    body = said.body.decode()
    public = platform.PLATFORM.public_key()
    assert sdk.rsa_verify(head["timestamp"], head["nonce"], body, head["signature"], public)
    altered = body.replace("1234", "1235")
    assert not sdk.rsa_verify(head["timestamp"], head["nonce"], altered, head["signature"], public)
