"""Which dialects there are."""

from collections.abc import Mapping

from gateway.api.dialects.dialect import Dialect, Notifying
from gateway.api.dialects.epay import Epay

DIALECTS: Mapping[str, Dialect] = {one.name: one for one in (Epay(),)}

NOTIFYING: Mapping[str, Notifying] = {}
"""Those of them that tell their callers how orders ended."""
