"""Names of classes, actions and states on the money pages."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask_babel import lazy_gettext

from integrations.payments.reconcile import ACTIONS as SUGGESTIONS
from web.i18n import language

KINDS: dict[str, Any] = {
    "MATCH": lazy_gettext("All three agree"),
    "AMOUNT_MISMATCH": lazy_gettext("Amounts differ"),
    "STATUS_MISMATCH": lazy_gettext("States differ"),
    "DUPLICATE": lazy_gettext("Paid twice"),
    "REFUND_MISSING": lazy_gettext("Refund missing on one side"),
    "CROSS_DAY": lazy_gettext("Around midnight"),
    "PROVIDER_LONG": lazy_gettext("Provider has it, HIS does not"),
    "PROVIDER_SHORT": lazy_gettext("HIS has it, provider does not"),
    "PLATFORM_ONLY": lazy_gettext("Our ledger alone"),
    "HIS_ONLY": lazy_gettext("HIS alone"),
    "FEE_MISMATCH": lazy_gettext("Fee differs"),
}
ACTIONS: dict[str, Any] = {
    "repost": lazy_gettext("Post to HIS"),
    "refund": lazy_gettext("Refund"),
    "close": lazy_gettext("Close the order"),
    "accept": lazy_gettext("Accept as it is"),
}
ENTRIES: dict[str, Any] = {
    "order": lazy_gettext("opened"),
    "ask_order": lazy_gettext("order sent"),
    "no_order": lazy_gettext("order refused"),
    "paid": lazy_gettext("paid"),
    "failed": lazy_gettext("failed"),
    "closed": lazy_gettext("closed"),
    "ask_refund": lazy_gettext("refund sent"),
    "no_refund": lazy_gettext("refund refused"),
    "refund": lazy_gettext("refunded"),
    "unsure": lazy_gettext("outcome unknown"),
    "refused": lazy_gettext("news not believed"),
}


def init(app: Flask) -> None:
    """The filters of these pages."""
    app.add_template_filter(yuan, "yuan")
    app.add_template_filter(lambda kind: KINDS.get(kind, kind), "money_kind")
    app.add_template_filter(lambda action: ACTIONS.get(action, action or ""), "money_action")
    app.add_template_filter(lambda kind: ENTRIES.get(kind, kind), "money_entry")
    app.add_template_filter(suggestion, "money_suggestion")


def yuan(fen: int | None) -> str:
    """Minor units as yuan with two decimals; a dash for nothing."""
    if fen is None:
        return "–"
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100:,}.{abs(fen) % 100:02d}"


def suggestion(kind: str) -> str:
    """What the class suggests, in the page's language."""
    english, chinese = SUGGESTIONS.get(kind, ("", ""))
    return chinese if language() == "zh" else english
