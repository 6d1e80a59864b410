"""A SOAP service in this process: an old HIS, built with spyne, which describes itself by WSDL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from spyne import Application, ComplexModel, Decimal, Fault, Integer, ServiceBase, Unicode, rpc
from spyne.protocol.soap import Soap11
from spyne.server.wsgi import WsgiApplication
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from integrations.simulators.web import Quiet

SPACE = "urn:old-his"


class Line(ComplexModel):
    """A charge."""

    __namespace__ = SPACE
    code = Unicode(min_occurs=1)
    amount = Decimal(min_occurs=1)


class Receipt(ComplexModel):
    """What a booking gives."""

    __namespace__ = SPACE
    number = Unicode
    total = Decimal
    patient = Unicode


class UnknownPatient(Fault):
    """A typed fault: its detail is an element of that name."""

    __namespace__ = SPACE

    def __init__(self, number: str) -> None:
        super().__init__("Client.UnknownPatient", f"no patient {number}", detail={"UnknownPatient": {"number": number}})


@dataclass
class Seen:
    """What arrived."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    booked: list[str] = field(default_factory=list)
    answer: bytes | None = None  # sent instead of the service's own
    wsdl: bytes | None = None
    user: tuple[str, str] | None = None


class Charges(ServiceBase):  # type: ignore[misc]
    """Books charges."""

    @rpc(Unicode(min_occurs=1, nillable=False), Line.customize(max_occurs="unbounded"), _returns=Receipt)
    def book(ctx: Any, patient: str, lines: list[Any]) -> Receipt:  # noqa: N805
        """Books lines for a patient."""
        if patient == "nobody":
            raise UnknownPatient(patient)
        if patient == "broken":
            raise Fault("Server", "disk full")
        seen: Seen = ctx.app.seen
        seen.booked.append(patient)
        return Receipt(number=f"R{len(seen.booked)}", total=sum(line.amount for line in lines or ()), patient=patient)

    @rpc(Integer, _returns=Integer)
    def slow(ctx: Any, seconds: int) -> int:  # noqa: N805
        """Answers late."""
        import time

        time.sleep(seconds)
        return int(seconds)


@contextmanager
def running() -> Iterator[Seen]:
    """Serves the service; `?wsdl` describes it."""
    seen = Seen()
    application = Application([Charges], SPACE, in_protocol=Soap11(validator="lxml"), out_protocol=Soap11())
    application.seen = seen
    inner = WsgiApplication(application)

    def app(environ: dict[str, Any], start: Any) -> Any:
        request = Request(environ)
        if seen.user and (request.authorization is None or (request.authorization.username, request.authorization.password) != seen.user):
            return Response("who are you?", 401)(environ, start)
        if request.method == "GET" and seen.wsdl is not None:
            return Response(seen.wsdl, content_type="text/xml")(environ, start)
        if request.method == "POST":
            seen.bodies.append(request.get_data(cache=True))
            seen.headers.append(dict(request.headers))
            if seen.answer is not None:
                return Response(seen.answer, content_type="text/xml")(environ, start)
            import io

            environ["wsgi.input"] = io.BytesIO(seen.bodies[-1])
        return inner(environ, start)

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    seen.url = f"http://127.0.0.1:{server.server_port}/his"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()
