"""Floor (b): the I/O of a payout and nothing else.

Parse, commit a row, sign RSA2, POST to the institution, verify its reply, commit, answer, POST one
signed webhook. No ledger, no routing, no states, no recovery: killed, it forgets what it did.
"""

import asyncio
import base64
import hmac
import json
import re
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

import aiohttp
import orjson
import uvloop
from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from yarl import URL

from tests.bench.floor.door import UNAUTHENTICATED, Door, Options, answer, listen, say_ready
from tests.bench.floor.rows import Rows, open_rows

METHOD: Final = "alipay.fund.trans.uni.transfer"
_REPLY: Final = re.compile(
    rb'\{"alipay_fund_trans_uni_transfer_response":(\{.*\}),"sign":"([^"]+)"\}', re.DOTALL
)
CONNECTIONS: Final = 64
"""At once to the institution, as the gateway's default."""
BEIJING_S: Final = 8 * 3600


class Institution:
    """Signs, asks, verifies."""

    def __init__(self, options: Options, session: aiohttp.ClientSession) -> None:
        """Reads the keys."""
        own = load_pem_private_key(Path(options.private_key_file).read_bytes(), None)
        theirs = load_pem_public_key(Path(options.platform_public_key_file).read_bytes())
        if not isinstance(own, RSAPrivateKey) or not isinstance(theirs, RSAPublicKey):
            raise TypeError("RSA keys were expected")
        self._own, self._theirs = own, theirs
        self._url, self._app_id, self._session = options.gateway_url, options.app_id, session

    def signed(self, reference: str, body: dict[str, Any]) -> tuple[str, bytes]:
        """Address and form of one transfer."""
        payee = body["beneficiary"]["instruments"][0]
        fen = body["amount_minor"]
        content = {
            "biz_scene": "DIRECT_TRANSFER",
            "order_title": body["purpose"],
            "out_biz_no": reference,
            "payee_info": {
                "identity": payee["identity"],
                "identity_type": "ALIPAY_USER_ID",
                "name": payee["name"],
            },
            "product_code": "TRANS_ACCOUNT_NO_PWD",
            "trans_amount": f"{fen // 100}.{fen % 100:02d}",
        }
        told = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        named = {
            "app_id": self._app_id,
            "biz_content": told,
            "charset": "utf-8",
            "format": "json",
            "method": METHOD,
            "sign_type": "RSA2",
            "timestamp": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + BEIJING_S)),
            "version": "1.0",
        }
        to_sign = "&".join(f"{name}={value}" for name, value in named.items()).encode()
        signature = self._own.sign(to_sign, PKCS1v15(), hashes.SHA256())
        del named["biz_content"]
        named["sign"] = base64.b64encode(signature).decode()
        return f"{self._url}?{urlencode(named)}", f"biz_content={quote_plus(told)}".encode()

    async def pay(self, reference: str, body: dict[str, Any]) -> bool:
        """Whether the institution's verified word is that it has paid."""
        url, form = self.signed(reference, body)
        headers = {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"}
        async with self._session.post(
            URL(url, encoded=True), data=form, headers=headers
        ) as response:
            found = _REPLY.fullmatch(await response.read())
        if found is None:
            return False
        self._theirs.verify(base64.b64decode(found[2]), found[1], PKCS1v15(), hashes.SHA256())
        said = orjson.loads(found[1])
        return bool(said["out_biz_no"] == reference and said["status"] == "SUCCESS")


class Webhook:
    """Tells the merchant, signed."""

    def __init__(self, options: Options, session: aiohttp.ClientSession) -> None:
        """One endpoint, one secret."""
        self._secret = base64.b64decode(options.webhook_secret.removeprefix("whsec_"))
        self._url, self._session = URL(options.webhook_url), session

    async def tell(self, reference: str) -> None:
        """Say that it is paid."""
        message = {"type": "payout.paid", "merchant_ref": reference, "state": "paid"}
        payload, stamp = orjson.dumps(message), str(int(time.time()))
        signed = f"msg_{reference}.{stamp}.".encode() + payload
        signature = base64.b64encode(hmac.digest(self._secret, signed, "sha256")).decode()
        headers = {
            "content-type": "application/json",
            "webhook-id": f"msg_{reference}",
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{signature}",
        }
        async with self._session.post(self._url, data=payload, headers=headers) as response:
            await response.read()


async def main() -> None:
    """Serve until ended."""
    options = Options.read()
    door, rows = Door(options.key), await open_rows(options.database)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, limit_per_host=CONNECTIONS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    ) as session:
        institution, webhook = Institution(options, session), Webhook(options, session)
        take = _handler(door, rows, institution, webhook)
        say_ready(await listen(take))
        await asyncio.Event().wait()


def _handler(door: Door, rows: Rows, institution: Institution, webhook: Webhook) -> Any:
    telling: set[asyncio.Task[None]] = set()

    async def take(request: web.BaseRequest) -> web.StreamResponse:
        body = await door.read(request)
        if body is None:
            return answer(UNAUTHENTICATED, {})
        reference = body["merchant_ref"]
        await rows.put((reference, orjson.dumps(body), "sent"))
        if not await institution.pay(reference, body):
            return answer(502, {"merchant_ref": reference})
        await rows.put((reference, None, "paid"))
        # Beside the answer, so that neither waits for the other.
        task = asyncio.create_task(webhook.tell(reference))
        telling.add(task)
        task.add_done_callback(telling.discard)
        return answer(201, {"merchant_ref": reference, "state": "paid"})

    return take


if __name__ == "__main__":
    uvloop.run(main())
