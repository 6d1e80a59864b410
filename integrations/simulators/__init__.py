"""Simulated far ends that speak the real wires: HIS, LIS, RIS, pharmacy (MLLP), a partner hospital (FHIR), payment and
text message providers (HTTP).

`run` serves them all in one process, with a control interface through which a person can play them.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from engine.settings import Settings
from integrations.simulators import mllp_ends, pharmacy_end
from integrations.simulators.control_end import ControlEnd
from integrations.simulators.desk import Desk, Item
from integrations.simulators.mllp_ends import MllpEnd
from integrations.simulators.partner_end import PartnerEnd
from integrations.simulators.payment_end import PaymentEnd
from integrations.simulators.ports import HOST, Keys, Ports, keys, ports
from integrations.simulators.sms_end import SmsEnd
from integrations.simulators.web import HttpEnd

PAYERS = ("wechat", "alipay", "card", "insurance")


class Simulators:
    """All far ends around one desk."""

    def __init__(self, desk: Desk, where: Ports, secret: Keys, *, listener: Mapping[str, Any], fhir_url: str) -> None:
        self.desk, self._listener = desk, listener
        self.payment, self.partner = PaymentEnd(desk, secret), PartnerEnd(desk, secret, fhir_url)
        self._mllp = [
            MllpEnd(desk, "his", where.his, mllp_ends.his(desk)),
            MllpEnd(desk, "lis", where.lis, mllp_ends.orders(desk, "lis")),
            MllpEnd(desk, "ris", where.ris, mllp_ends.orders(desk, "ris")),
            MllpEnd(desk, "pharmacy", where.pharmacy, lambda message: pharmacy_end.accept(desk, message)),
        ]
        self._http = [
            HttpEnd(desk, "partner", where.partner, self.partner.routes()),
            HttpEnd(desk, "wechat", where.payment, self.payment.routes(), self.payment.sign),
            HttpEnd(desk, "control", where.control, ControlEnd(desk, self.answer).routes()),
            HttpEnd(desk, "sms", where.sms, SmsEnd(desk, secret).routes()),
        ]
        mllp, web = [end.port for end in self._mllp], [end.port for end in self._http]
        self.ports = Ports(control=web[2], his=mllp[0], lis=mllp[1], ris=mllp[2], partner=web[0], payment=web[1], pharmacy=mllp[3], sms=web[3])

    def run(self, stop: threading.Event) -> None:
        """Serves until `stop` is set, and answers by itself while auto mode is on."""
        ends: list[MllpEnd | HttpEnd] = [*self._mllp, *self._http]
        threads = [threading.Thread(target=end.run, args=(stop,), daemon=True) for end in ends]
        for thread in threads:
            thread.start()
        while not stop.wait(0.2):
            for item in self.desk.due():
                self.answer(item, self._by_itself(item))
            self.payment.deliver()
        for thread in threads:
            thread.join(5)

    def answer(self, item: Item, action: str, text: str = "") -> None:
        """Lets an end answer: pay or fail; normal or abnormal; accept, reject, ask or complete."""
        if item.end in PAYERS:
            self.payment.answer(item, action)
        elif item.end == "partner":
            self.partner.answer(item, action, text)
        elif item.end in ("lis", "ris", "pharmacy"):
            mllp_ends.send_result(self.desk, item, action, self._listener)

    def _by_itself(self, item: Item) -> str:
        if item.end in PAYERS:
            return "pay"
        if item.end == "partner":
            return "complete" if item.state == "accepted" else "accept"
        if item.end == "pharmacy":
            return "normal"
        return str(item.data.get("pending") or ("abnormal" if self.desk.random.random() < 0.4 else "normal"))


def run(settings: Settings, stop: threading.Event, where: Ports | None = None) -> None:
    """Serves all simulated far ends of this installation until `stop` is set."""
    folder = settings.var_dir / "simulators"
    secret = keys(settings)
    desk = Desk(folder / "desk.json")
    listener = {"host": HOST, "port": settings.mllp_port, "timeout": 10}
    Simulators(desk, where or ports(settings), secret, listener=listener, fhir_url=f"{settings.public_url}/fhir").run(stop)
