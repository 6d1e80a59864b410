"""A few lines of WSGI for the simulated HTTP ends: routing, JSON, faults, quiet logs."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from integrations.simulators.desk import Desk, Faults
from integrations.simulators.ports import HOST

Handler = Callable[..., tuple[int, Any]]
Sign = Callable[[str], Mapping[str, str]]
_SHARED = {"gateway.do": "alipay", "alipay": "alipay", "insurance": "insurance"}  # ends that share the payment port, by their path


class Quiet(WSGIRequestHandler):
    """A request handler that writes no access log."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing."""


class HttpEnd:
    """One HTTP server with its routes: (method, pattern) → function of the request and the pattern's groups."""

    def __init__(self, desk: Desk, name: str, port: int, routes: Mapping[tuple[str, str], Handler], sign: Sign | None = None) -> None:
        self._desk, self._name, self._sign = desk, name, sign
        self._routes = [(method, re.compile(pattern), handler) for (method, pattern), handler in routes.items()]
        self._server: BaseWSGIServer = make_server(HOST, port, self._serve, threaded=True, request_handler=Quiet)
        self.port: int = self._server.server_port

    def run(self, stop: threading.Event) -> None:
        """Serves until `stop` is set."""
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True).start()
        stop.wait()
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        request = Request(environ)
        status, body = self._with_faults(request)
        if isinstance(body, bytes):
            return Response(body, status, content_type="application/octet-stream")(environ, start)
        if isinstance(body, str):
            text, media = body, "text/plain"
        else:
            text, media = "" if body is None else json.dumps(body, ensure_ascii=False), "application/json"
        response = Response(text, status, content_type=media)
        if self._sign is not None:
            response.headers.update(self._sign(text))
        return response(environ, start)

    def _with_faults(self, request: Request) -> tuple[int, Any]:
        end = request.path.split("/")[2] if request.path.startswith("/gateway/") else _SHARED.get(request.path.split("/")[1], self._name)
        if self._desk.is_down(end):
            return 503, {"code": "DOWN", "message": "out of order"}
        faults = self._desk.faults.get(end, Faults())
        luck = self._desk.random.random()
        if luck < faults.error:
            return 500, {"code": "SYSTEM_ERROR", "message": "try again"}
        answer = self._dispatch(request)
        if luck < faults.error + faults.hang + faults.lost:
            time.sleep(faults.hang_seconds)  # the work is done, the caller hears too late or never
        elif luck < faults.error + faults.hang + faults.lost + faults.duplicate:
            answer = self._dispatch(request)  # delivered twice on the way
        return answer

    def _dispatch(self, request: Request) -> tuple[int, Any]:
        for method, pattern, handler in self._routes:
            if method == request.method and (match := pattern.fullmatch(request.path)):
                return handler(request, *match.groups())
        return 404, {"code": "NOT_FOUND", "message": request.path}


def body_of(request: Request) -> dict[str, Any]:
    """The request's JSON object; empty when it has none."""
    text = request.get_data(cache=True, as_text=True)
    loaded = json.loads(text) if text else {}
    return loaded if isinstance(loaded, dict) else {}
