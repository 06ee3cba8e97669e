"""The doors that are tried: every dialect that is registered, by strangers and by its own aims.

A dialect's own aims sign as its callers do and judge what was taken in; they stand here by its
name. `test_hostile.py` refuses a registered dialect that is in neither list.
"""

from collections.abc import Mapping

from gateway.api.dialects.registry import DIALECTS
from tests.proof.hostile import alipay_door, epay_door, jeepay_door, xxpay_door
from tests.proof.hostile.aims import Aim
from tests.proof.hostile.desk import Strangers

DOORS: Mapping[str, tuple[Aim, ...]] = {
    "alipay": alipay_door.AIMS,
    "epay": epay_door.AIMS,
    "jeepay": jeepay_door.AIMS,
    "xxpay": xxpay_door.AIMS,
}
"""Dialect → aims that know how its callers sign."""

AWAITED: frozenset[str] = frozenset()
"""Dialects whose own aims are not written: strangers alone try their doors. Only ever shrinks."""

AIMS: tuple[Aim, ...] = (
    *(aim for name in DIALECTS for aim in DOORS.get(name, ())),
    *(Strangers(name) for name in DIALECTS),
)
