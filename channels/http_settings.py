"""What an operator may set for every channel over HTTP, checked when it is loaded.

A kind has its own values where these do not fit its institution, and adds what is its own.
"""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Seconds = Annotated[float, Field(gt=0, le=120)]
Connections = Annotated[int, Field(ge=1, le=1000)]
WholeSeconds = Annotated[int, Field(ge=1)]


class HttpSettings(BaseModel):
    """How an institution is reached, and how often it is asked. Shows no input in its errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    tls_ca_file: Path | None = None
    """Trust this authority and no other, for an institution reached through one's own proxy."""
    connect_timeout_s: Seconds = 5
    total_timeout_s: Seconds = 20
    pool_wait_s: Seconds = 5
    connections: Connections = 64
    inquire_first_s: WholeSeconds = 30
    inquire_max_s: WholeSeconds = 6 * 3600
    """First look after half a minute, then ever later, up to six hours (reliability.md §4.4)."""

    @model_validator(mode="after")
    def _ever_later(self) -> Self:
        if self.inquire_max_s < self.inquire_first_s:
            raise ValueError("inquire_max_s must not be below inquire_first_s")
        return self
