"""Card payments as payment intents: Stripe's interface, which other card gateways copy.

The gateway may ignore `Idempotency-Key` (some do): our side looks for what it made before, by our own number in the metadata,
and only then makes it. https://docs.stripe.com/api/payment_intents
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from engine.errors import BpmnError, ConnectorFailed
from integrations import http
from integrations.connections.book import Link
from integrations.payments.wire import Standing

_STATES = {"succeeded": "paid", "canceled": "closed"}
PAGE = 100
MOST_PAGES = 20


@dataclass(frozen=True)
class Intents:
    """A card gateway. An intent is made once and confirmed once; confirming what is confirmed changes nothing."""

    link: Link
    kind = "intents"

    def order(self, trade_no: str, amount: int, currency: str, description: str, card_token: str = "") -> dict[str, Any]:
        """Finds or makes the intent; with a card's token it is confirmed at once. A declined card is `failed`."""
        found = self._find(trade_no) or self._make(trade_no, amount, currency, card_token)
        if found["amount"] != amount:
            raise BpmnError("FAR_END_REFUSED", f"{self.link.name}: {trade_no} is over {found['amount']} already", {"refusal": "amount"})
        if found["status"] == "requires_confirmation":
            found = self._confirm(found)
        known = standing(found)
        # the secret lets the terminal or the page at the counter confirm this one intent
        return {"code_url": f"{self.link.address.get('pay_url', 'card:')}{found['client_secret']}", "state": known.state,
                "transaction_id": known.transaction_id}  # fmt: skip

    def query(self, trade_no: str) -> Standing:
        """How the intent with our number stands."""
        found = self._find(trade_no)
        if found is None:
            raise ConnectorFailed(f"{self.link.name} answered 404: it knows no {trade_no}", kind="permanent")
        return standing(found)

    def close(self, trade_no: str) -> Standing:
        """POST …/cancel. One that cannot be cancelled was paid meanwhile."""
        found = self._find(trade_no)
        if found is None or standing(found).state in ("paid", "closed"):
            return Standing("closed") if found is None else standing(found)
        try:
            return standing(self._ask("POST", f"/v1/payment_intents/{found['id']}/cancel", {}))
        except BpmnError:
            return self.query(trade_no)

    def refund(self, trade_no: str, refund_no: str, amount: int, total: int, currency: str, reason: str) -> str:
        """POST /v1/refunds, after asking whether that very refund is made already, and how much is left."""
        intent = self._found(trade_no)
        made = list(self._refunds(intent))
        known = next((item for item in made if (item.get("metadata") or {}).get("refund_no") == refund_no), None)
        if known is None:
            left = int(intent["amount"]) - sum(int(item["amount"]) for item in made if item["status"] != "failed")
            if amount > left:  # some gateways do not look
                raise BpmnError("FAR_END_REFUSED", f"{self.link.name}: only {left} can still be refunded", {"refusal": "amount"})
            body = {"payment_intent": intent["id"], "amount": amount, "metadata[refund_no]": refund_no}
            known = self._ask("POST", "/v1/refunds", body, key=refund_no)
        return _refund(known)

    def refund_state(self, trade_no: str, refund_no: str) -> str:
        """How a refund stands."""
        for item in self._refunds(self._found(trade_no)):
            if (item.get("metadata") or {}).get("refund_no") == refund_no:
                return _refund(item)
        return "unknown"

    def bill(self, day: str) -> bytes:
        """The gateway's own report is asked for at its console."""
        raise ConnectorFailed(f"{self.link.name} gives no bill; upload its file.", kind="permanent")

    def _make(self, trade_no: str, amount: int, currency: str, card_token: str) -> dict[str, Any]:
        body = {"amount": amount, "currency": currency.lower(), "metadata[trade_no]": trade_no}
        if card_token:
            body["payment_method"] = card_token
        return self._ask("POST", "/v1/payment_intents", body, key=trade_no)

    def _confirm(self, intent: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._ask("POST", f"/v1/payment_intents/{intent['id']}/confirm", {}, key=f"confirm-{intent['id']}")
        except BpmnError:  # declined, or confirmed by somebody else just now: the intent itself says which
            found = self._ask("GET", f"/v1/payment_intents/{intent['id']}")
            if found["status"] == "requires_confirmation":
                raise
            return found

    def _found(self, trade_no: str) -> dict[str, Any]:
        found = self._find(trade_no)
        if found is None:
            raise ConnectorFailed(f"{self.link.name} knows no {trade_no}", kind="permanent")
        return found

    def _find(self, trade_no: str) -> dict[str, Any] | None:
        """The intent with our number. Listing is at once right everywhere; searching is eventually so, and some have none."""
        found = [item for item in self._listed("/v1/payment_intents") if (item.get("metadata") or {}).get("trade_no") == trade_no]
        return next((item for item in found if item["status"] == "succeeded"), found[0] if found else None)

    def _refunds(self, intent: dict[str, Any]) -> Iterator[dict[str, Any]]:
        return self._listed("/v1/refunds", payment_intent=intent["id"]) if intent.get("latest_charge") else iter(())

    def _listed(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        after: dict[str, str] = {}
        for _page in range(MOST_PAGES):
            page = self._ask("GET", f"{path}?{urlencode({'limit': PAGE, **query, **after})}")
            yield from page["data"]
            if not page.get("has_more") or not page["data"]:
                return
            after = {"starting_after": str(page["data"][-1]["id"])}
        raise ConnectorFailed(f"{self.link.name}: too many {path} to look through", kind="permanent")

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None, *, key: str = "") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.link.secrets['secret_key']}", "Content-Type": "application/x-www-form-urlencoded"}
        if key:
            headers["Idempotency-Key"] = key
        content = urlencode(body).encode() if body else None
        answer = http.request(self.link, method, path, headers=headers, content=content, repeatable=True)
        found: dict[str, Any] = answer.json() if answer.content else {}
        error = found.get("error") or {}
        if answer.status_code in (400, 402, 409):
            raise BpmnError("FAR_END_REFUSED", f"{self.link.name} refused: {error.get('message', answer.status_code)}", {"refusal": error})
        if answer.status_code >= 400:
            raise ConnectorFailed(f"{self.link.name} answered {answer.status_code}: {error.get('message', '')}", kind="permanent")
        return found


def standing(intent: dict[str, Any]) -> Standing:
    """An intent as ours. One whose last charge failed waits for another card at the gateway; for us that attempt is over."""
    declined = intent["status"] == "requires_payment_method" and intent.get("latest_charge")
    state = "failed" if declined else _STATES.get(str(intent["status"]), "pending")
    charge = intent.get("latest_charge")
    number = charge.get("id") if isinstance(charge, dict) else charge
    return Standing(state, str(number or intent["id"]), int(intent["amount"]))


def _refund(found: dict[str, Any]) -> str:
    return {"succeeded": "refunded", "failed": "failed", "canceled": "failed"}.get(str(found.get("status")), "processing")
