"""The shell over real sockets: replies whole and cut, delays, refusals, deliveries."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from simulators.faults import FaultRule, read_rule
from simulators.kernel import Request
from simulators.listener import origin_form
from simulators.world import World
from tests.simulators.alipay.customer import TRANSFER, account, to_card, transfer
from tests.simulators.sockets import exchange, receiving, wire
from tests.simulators.worlds import merchant, second, world


def submission(of: World, biz: dict[str, object] | None = None) -> Request:
    """A signed transfer."""
    asker = merchant(of)
    return asker.request(asker.parameters(TRANSFER, biz or transfer()))


def moved(of: World) -> list[str]:
    """The kinds of what really moved."""
    return [m.kind for m in of.shells["alipay"].simulator.truth()]


async def test_a_reply_arrives_whole() -> None:
    """Status, the core's own headers, length and body."""
    async with world() as running:
        raw, was_reset = await exchange(running.shells["alipay"].url, wire(submission(running)))
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"content-type: text/html;charset=utf-8" in head.lower()
    assert f"content-length: {len(body)}".encode() in head.lower()
    assert body.startswith(b'{"alipay_fund_trans_uni_transfer_response":{"code":"10000"')
    assert not was_reset


async def test_an_absolute_target_is_understood() -> None:
    """The official SDK sends scheme and host in the request line."""
    async with world() as running:
        request = submission(running)
        target = f"http://openapi.alipay.com{request.target}"
        raw, _ = await exchange(running.shells["alipay"].url, wire(request, target=target))
    assert b'"code":"10000"' in raw


@pytest.mark.parametrize(
    ("target", "path"),
    [("/a?b=http://c", "/a?b=http://c"), ("http://h:1/a?b", "/a?b"), ("http://h", "/"), ("*", "/")],
)
def test_targets_are_normalised(target: str, path: str) -> None:
    """RFC 9112, 3.2: origin form stays, absolute form loses scheme and host."""
    assert origin_form(target) == path


@pytest.mark.parametrize(("action", "moves"), [("reset_before", []), ("reset_after", ["payout"])])
async def test_a_reset_leaves_no_byte(action: str, moves: list[str]) -> None:
    """ECONNRESET without any reply; only the books know whether it was executed."""
    async with world() as running:
        running.add_rule(FaultRule(action=action))
        raw, was_reset = await exchange(running.shells["alipay"].url, wire(submission(running)))
        assert (raw, was_reset) == (b"", True)
        assert moved(running) == moves


async def test_a_reset_in_the_middle_leaves_half() -> None:
    """Headers promise more than comes."""
    async with world() as running:
        running.add_rule(FaultRule(action="reset_mid"))
        raw, was_reset = await exchange(running.shells["alipay"].url, wire(submission(running)))
        head, _, body = raw.partition(b"\r\n\r\n")
        (promised,) = [
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        ]
        assert was_reset
        assert len(body) == promised // 2
        assert moved(running) == ["payout"]


async def test_a_slow_reply_waits_in_real_time() -> None:
    """The order is executed at once, the reply comes later; others are not held up."""
    async with world() as running:
        running.add_rule(FaultRule(action="slow", reference="po-1", params={"fixed": "300ms"}))
        url = running.shells["alipay"].url
        began = time.monotonic()
        slow = asyncio.create_task(exchange(url, wire(submission(running))))
        await exchange(url, wire(submission(running, transfer("po-2"))))
        assert time.monotonic() - began < 0.3
        assert moved(running) == ["payout", "payout"]
        raw, _ = await slow
        assert time.monotonic() - began >= 0.3
        assert b'"code":"10000"' in raw


async def test_a_refusing_port_refuses_and_recovers() -> None:
    """A real ECONNREFUSED from the rule's begin to its end, on the same port."""
    async with world() as running:
        url = running.shells["alipay"].url
        running.add_rule(
            read_rule({"action": "refuse", "at": "+10s", "until_at": "+20s"}, running.clock.now())
        )
        seen = []
        for _ in range(3):
            try:
                raw, _ = await exchange(url, wire(submission(running)))
                seen.append(raw[9:12])
            except ConnectionRefusedError:
                seen.append(b"refused")
            await running.advance(timedelta(seconds=10))
        assert seen == [b"200", b"refused", b"200"]


async def test_refusing_resets_open_connections() -> None:
    """A kept-alive connection does not outlive the outage."""
    async with world() as running:
        shell = running.shells["alipay"]
        host, port = shell.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await reader.readuntil(b"Not Found")).startswith(b"HTTP/1.1 404")
        running.add_rule(FaultRule(action="refuse"))
        await running.refresh()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_one_account_can_refuse_alone() -> None:
    """With ports of their own, the others go on."""
    async with world(account(port=0), second(port=0)) as running:
        shell = running.shells["alipay"]
        running.add_rule(FaultRule(action="refuse", account="alipay-2"))
        await running.refresh()
        raw, _ = await exchange(shell.url_of("alipay-1"), wire(submission(running)))
        assert raw.startswith(b"HTTP/1.1 200")
        with pytest.raises(ConnectionRefusedError):
            await exchange(shell.url_of("alipay-2"), b"")


async def test_an_account_on_a_shared_port_cannot_refuse_alone() -> None:
    """The rule is refused with the reason, instead of taking the others down."""
    async with world(account(), second()) as running:
        with pytest.raises(ValueError, match="alipay-1 shares its port with alipay-2"):
            running.add_rule(FaultRule(action="refuse", account="alipay-1"))


async def test_notices_of_one_order_arrive_in_turn() -> None:
    """Every push due on the way has been tried when advancing returns."""
    async with (
        receiving() as receiver,
        world(account(notify_url=receiver.url)) as running,
    ):
        biz = to_card(card="6222000000000002")
        await exchange(running.shells["alipay"].url, wire(submission(running, biz)))
        await running.advance(timedelta(days=2))
        told = [
            word
            for body in receiver.bodies
            for word in ("DEALING", "SUCCESS", "REFUND")
            if f"%22status%22%3A%22{word}".encode() in body
        ]
        assert told == ["DEALING", "SUCCESS", "REFUND"]
        assert moved(running) == ["payout", "return"]


async def test_a_refused_notice_comes_again_by_the_ladder() -> None:
    """Until `success`, then no more."""
    async with (
        receiving((500, "no"), (200, "fail"), (200, "success")) as receiver,
        world(account(notify_url=receiver.url), notice_ladder_s=[60, 60, 60]) as running,
    ):
        await exchange(running.shells["alipay"].url, wire(submission(running)))
        await running.settle()
        assert len(receiver.bodies) == 1
        await running.advance(timedelta(hours=1))
        assert len(receiver.bodies) == 3
        assert len(set(receiver.bodies)) == 1
        pushes = [row for row in running.journal.rows() if row["direction"] == "out"]
        assert [(p["attempt"], p["status"]) for p in pushes] == [(1, 500), (2, 200), (3, 200)]


async def test_a_receiver_that_is_not_there_uses_up_the_ladder() -> None:
    """No connection is no reply; the institution gives up in the end."""
    async with world(
        account(notify_url="http://127.0.0.1:1/"), notice_ladder_s=[60, 60]
    ) as running:
        await exchange(running.shells["alipay"].url, wire(submission(running)))
        await running.advance(timedelta(days=1))
        pushes = [row for row in running.journal.rows() if row["direction"] == "out"]
        assert [(p["attempt"], p["status"]) for p in pushes] == [(1, None), (2, None), (3, None)]


async def test_on_a_running_clock_things_happen_by_themselves() -> None:
    """A card settles and is told about without anybody asking."""
    async with (
        receiving() as receiver,
        world(account(notify_url=receiver.url), real=True, card_settle_after_s=0.1) as running,
    ):
        await exchange(running.shells["alipay"].url, wire(submission(running, to_card())))
        for _ in range(100):
            if len(receiver.bodies) == 2:
                break
            await asyncio.sleep(0.02)
        assert moved(running) == ["payout"]
        assert len(receiver.bodies) == 2


async def test_a_port_in_use_is_an_error_and_nothing_stays_bound() -> None:
    """Starting fails as a whole."""
    async with world(account(port=0)) as running:
        taken = int(running.shells["alipay"].url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            world(account(port=0), second(port=taken))
