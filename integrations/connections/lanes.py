"""Which connection a call goes to, and how many calls a connection bears at once (`most_calls` of its address)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from integrations import runtime
from integrations.connections import book
from integrations.connections.tables import Connection
from integrations.payments.tables import Payment


class Known:
    """Satisfies `engine.execution.lanes.Lanes`."""

    def __init__(self) -> None:
        self._until, self._most = 0.0, dict[str, int]()

    def most(self) -> Mapping[str, int]:
        """The limits, read again every few seconds."""
        if runtime.known_settings() is None:
            return {}
        if self._until < time.monotonic():
            with runtime.reading() as session:
                rows = session.execute(select(Connection.name, Connection.address)).all()
            self._most = {name: int(address["most_calls"]) for name, address in rows if str(address.get("most_calls") or "").isdigit()}
            self._until = time.monotonic() + book.CACHE_SECONDS
        return self._most

    def of(self, type: str, input: Mapping[str, Any], headers: Mapping[str, str]) -> str:
        """As `Work.link` finds it: the header's, the input's channel or hospital, the payment's own, the connector's own."""
        from integrations.connector import declared

        if named := headers.get("connection") or input.get("channel") or input.get("hospital"):
            return str(named)
        if payment := input.get("paymentId"):
            with runtime.reading() as session:
                return session.scalar(select(Payment.connection).where(Payment.id == str(payment))) or ""
        known = declared().get(type)
        return known.connection if known else ""
