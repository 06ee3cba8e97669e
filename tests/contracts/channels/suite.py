"""All cases, in the order of the matrix: importing the modules registers them."""

from collections.abc import Mapping

from tests.contracts.channels import asking, booking, having, repeating, sending, showing, telling
from tests.contracts.channels.cases import CASES, Case

MODULES = (sending, repeating, asking, telling, booking, having, showing)
"""Named, so that no import looks unused."""

SUITE: Mapping[str, Case] = CASES
