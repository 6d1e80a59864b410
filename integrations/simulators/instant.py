"""Far ends without a wire, for seeding: calls answer at once with the very outputs of the real connectors, and the news that
would come later is queued with its time on the (shifted) clock.

    with instant.answering(seed=1) as far:
        ...                                   # run jobs under engine.clock.at(...)
        for news in far.due(now): far.deliver(session, news)
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from engine import clock
from engine.execution import messages
from integrations import connector, runtime, units
from integrations.connector import Stub, Work
from integrations.connectors import (
    fhir_referral,
    fhir_referral_answer,
    hl7_adt_a04,
    hl7_dft_p03,
    hl7_omi_o23,
    hl7_oml_o21,
    payment_close,
    payment_order,
    payment_refund,
)
from integrations.hl7.write import control_id
from integrations.payments import ledger
from integrations.simulators.reports import ANALYTES, PANELS, imaging_words


@dataclass(frozen=True, order=True, slots=True)
class News:
    """A message that a far end will send at `at`."""

    at: datetime
    number: int
    name: str = field(compare=False)
    key: str = field(compare=False)
    payload: dict[str, Any] = field(compare=False)


class FarEnds:
    """All far ends at once. The same seed and the same calls give the same answers."""

    def __init__(self, seed: int) -> None:
        self._luck = random.Random(seed)  # noqa: S311  a simulation wants the same luck each time
        self._news: list[News] = []
        self._count = 0

    def next(self) -> datetime | None:
        """When the next news comes; None when nothing is on its way."""
        return self._news[0].at if self._news else None

    def due(self, now: datetime) -> list[News]:
        """The news whose time has come, in order; they are taken off the queue."""
        found = []
        while self._news and self._news[0].at <= now:
            found.append(heapq.heappop(self._news))
        return found

    def deliver(self, session: Session, news: News) -> messages.Published | None:
        """Hands a piece of news over as the listeners would: payments through the ledger, the rest as a message."""
        if news.name != "payment_notified":
            return messages.publish(
                session, news.name, news.key, news.payload, message_id=f"{news.name}|{news.key}|{news.number}", actor="far end"
            )
        payment = ledger.get(session, news.payload["paymentId"])
        ledger.settle(
            session, payment, news.payload["state"], transaction_id=news.payload["transactionId"], amount=payment.amount, source="notification"
        )
        return None

    def stubs(self) -> Mapping[str, Stub]:
        """What runs instead of each connector that would use a wire."""
        return {
            "hl7.adt_a04": lambda given, work: hl7_adt_a04.Output(f"H{control_id(given.visit_number)[:10]}", "AA"),
            "hl7.dft_p03": lambda given, work: hl7_dft_p03.Output("AA"),
            "hl7.oml_o21": self._laboratory,
            "hl7.omi_o23": self._imaging,
            "payment.order": self._payment,
            "payment.close": self._close,
            "payment.refund": self._refund,
            "fhir.referral": self._referral,
            "fhir.referral_answer": lambda given, work: fhir_referral_answer.Output(),
        }

    def _later(self, minutes: tuple[float, float], name: str, key: str, payload: dict[str, Any]) -> None:
        self._count += 1
        at = clock.now() + timedelta(minutes=self._luck.uniform(*minutes))
        heapq.heappush(self._news, News(at, self._count, name, key, payload))

    def _laboratory(self, given: hl7_oml_o21.Input, work: Work) -> hl7_oml_o21.Output:
        codes = [(code, test.name) for test in given.tests for code in PANELS.get(test.code, (test.code,))]
        observations = [self._observation(code, name) for code, name in codes]
        abnormal = any(item["abnormal"] != "N" for item in observations)
        payload = {"orderId": given.order_id, "observations": observations, "status": "final", "report": None, "abnormal": abnormal}
        self._later((25, 50), "lab_result", given.order_id, payload)
        return hl7_oml_o21.Output("AA", f"L{control_id(given.order_id)[:9]}")

    def _observation(self, code: str, name: str) -> dict[str, Any]:
        label, unit, low, high, decimals = ANALYTES.get(code, (name, "", 0.0, 1.0, 2))
        value = round(low + (high - low) * self._luck.uniform(0.1, 1.15), decimals)
        reference = f"{low:g}-{high:g}"
        shown = units.to_clinic(units.Measured(value, unit, reference), code)
        flag = units.flag(shown.value, shown.reference)
        return {
            "code": code, "name": label, "value": shown.value, "unit": shown.unit, "referenceRange": shown.reference, "abnormal": flag,
            "status": "final",
        }  # fmt: skip

    def _imaging(self, given: hl7_omi_o23.Input, work: Work) -> hl7_omi_o23.Output:
        accession = hl7_omi_o23.accession_of(given.order_id)
        findings, impression = imaging_words("abnormal" if self._luck.random() < 0.3 else "normal")
        payload = {
            "orderId": given.order_id, "accession": accession, "findings": findings, "impression": impression,
            "studyUid": hl7_omi_o23.study_uid(given.order_id), "status": "final",
        }  # fmt: skip
        self._later((20, 45), "imaging_result", given.order_id, payload)
        return hl7_omi_o23.Output("AA", accession)

    def _payment(self, given: payment_order.Input, work: Work) -> payment_order.Output:
        with runtime.transaction() as session:
            payment = ledger.opened(
                session, given.order_id, amount=given.amount, currency=given.currency, channel=given.channel,
                connection="" if given.channel == "cash" else given.channel, patient_id=given.patient_id, instance_id=work.call.instance_id,
            )  # fmt: skip
            done = payment_order.Output(
                payment.id, payment.state, None if given.channel == "cash" else f"pay://{given.channel}/{payment.trade_no}"
            )
        if given.channel != "cash" and done.state == ledger.PENDING:
            number = f"42{control_id(given.order_id)}"
            self._later(
                (0.3, 2.5), "payment_notified", given.order_id, {"paymentId": done.payment_id, "state": "paid", "transactionId": number}
            )
        return done

    def _close(self, given: payment_close.Input, work: Work) -> payment_close.Output:
        with runtime.transaction() as session:
            payment = ledger.get(session, given.payment_id)
            ledger.settle(session, payment, ledger.CLOSED, transaction_id="", amount=0, source="call", tell=False)
            return payment_close.Output(ledger.PAID if payment.state in (ledger.PAID, ledger.REFUNDED) else ledger.CLOSED)

    def _refund(self, given: payment_refund.Input, work: Work) -> payment_refund.Output:
        with runtime.transaction() as session:
            payment = ledger.get(session, given.payment_id)
            ledger.refund(session, payment, ledger.trade_no(given.refund_id), given.amount, source="call")
        return payment_refund.Output("refunded")

    def _referral(self, given: fhir_referral.Input, work: Work) -> fhir_referral.Output:
        number = control_id(given.referral_id)[:10]
        told = {"referralId": given.referral_id, "reason": None, "report": None}
        self._later((60, 300), "referral_update", given.referral_id, {**told, "status": "accepted"})
        report = "已完成诊治，建议两周后复查。 Treated; follow-up in two weeks is advised."
        self._later((1500, 4000), "referral_update", given.referral_id, {**told, "status": "completed", "report": report})
        return fhir_referral.Output(f"t{number}", f"s{number}")


@contextmanager
def answering(seed: int = 1) -> Iterator[FarEnds]:
    """In this thread, connectors that use a wire are answered by the returned far ends until the block ends."""
    far = FarEnds(seed)
    with connector.instead(far.stubs()):
        yield far
