"""The one shape behind which every payment provider's wire lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Standing:
    """How an order stands at the provider. `state`: pending, paid, failed or closed."""

    state: str
    transaction_id: str = ""
    amount: int = 0


class Provider(Protocol):
    """A payment provider. Every call may be repeated: the provider knows our numbers, or our side asks before it repeats."""

    kind: str

    def order(self, trade_no: str, amount: int, currency: str, description: str, card_token: str = "") -> dict[str, Any]:
        """Opens the order; gives `code_url` where the patient scans one, `state` and `transaction_id` where a card answers at once."""

    def query(self, trade_no: str) -> Standing:
        """How the order stands."""

    def close(self, trade_no: str) -> Standing:
        """Closes an unpaid order; an order that was paid meanwhile stays paid."""

    def refund(self, trade_no: str, refund_no: str, amount: int, total: int, currency: str, reason: str) -> str:
        """Sends money back: refunded, processing or failed."""

    def refund_state(self, trade_no: str, refund_no: str) -> str:
        """How a refund stands: refunded, processing, failed, or unknown when the provider never heard of it."""

    def bill(self, day: str) -> bytes:
        """The provider's own file of a day (ISO date). Raises ConnectorFailed: transient while it is not ready."""
