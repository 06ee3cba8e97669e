"""GET /v3/certificates: the platform certificate, sealed under the merchant's APIv3 key.

Source: 获取平台证书列表 and 证书和回调报文解密.
"""

from __future__ import annotations

from simulators.wechat_pay import signing
from simulators.wechat_pay.desk import Call, Desk
from simulators.wechat_pay.replies import Said, wire_time

_ASSOCIATED_DATA = "certificate"


def listed(desk: Desk, call: Call) -> Said:
    """The one certificate in force."""
    certificate = desk.gatekeeper.certificate
    nonce = desk.gatekeeper.token(12)
    return {
        "data": [
            {
                "serial_no": desk.gatekeeper.certificate_identity.serial,
                "effective_time": wire_time(certificate.not_valid_before_utc),
                "expire_time": wire_time(certificate.not_valid_after_utc),
                "encrypt_certificate": {
                    "algorithm": "AEAD_AES_256_GCM",
                    "nonce": nonce,
                    "associated_data": _ASSOCIATED_DATA,
                    "ciphertext": signing.seal_resource(
                        call.account.apiv3_key.get_secret_value(),
                        nonce,
                        _ASSOCIATED_DATA,
                        signing.pem_of(certificate).encode(),
                    ),
                },
            }
        ]
    }
