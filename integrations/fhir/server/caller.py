"""Who asks the FHIR endpoint."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """A program with a token of the API, or a partner hospital (`partner` is its connection's name).

    A partner sees and changes what it sent itself, and says how our referrals and orders to it go on; nothing else.
    """

    name: str
    partner: str = ""

    @property
    def connection(self) -> str:
        """What the message log says it came from."""
        return self.partner or self.name[:60]
