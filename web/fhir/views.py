"""Routes of the FHIR endpoint: HTTP in, HTTP out. What they mean is in `integrations.fhir.server`."""

from __future__ import annotations

from email.utils import format_datetime
from typing import Any

import orjson
from flask import Blueprint, Response, current_app, g, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import IntegrityError
from werkzeug.exceptions import HTTPException

from engine import clock
from engine.errors import CarelaneError, Stale
from integrations.fhir.refusal import FhirRefused, Issue, refuse
from integrations.fhir.server import bundle, capability, check, params, search, write
from integrations.fhir.server.write import Desk, Written
from web.access import public
from web.db import db
from web.edge import commit_anyway, outside
from web.errors import status_of
from web.fhir.callers import READ, WRITE, may, needs
from web.patients import note_read
from web.records.keep import keep_reads

bp = Blueprint("fhir", __name__, url_prefix="/fhir")

MEDIA = "application/fhir+json"


@bp.get("/metadata")
@public
def metadata() -> ResponseReturnValue:
    """What this endpoint can do."""
    return _answer(200, capability.statement(_base()))


@bp.post("")
@bp.post("/", endpoint="transaction_slash")
@needs(WRITE)
def transaction() -> ResponseReturnValue:
    """A transaction or batch Bundle."""

    def act(given: dict[str, Any]) -> Response:
        if not may(READ) and any(_is_get(entry) for entry in given.get("entry") or () if isinstance(entry, dict)):
            raise refuse(403, "forbidden", "This token lacks the scope fhir:read.")
        done = bundle.run(_desk(), given)
        keep_reads(db.session(), {("fhir.read", patient) for patient in search.patients_of(done)})
        return _answer(200, done)

    return _writing("Bundle", act)


@bp.get("/<kind>")
@needs(READ)
def find(kind: str) -> ResponseReturnValue:
    """A search."""
    return _search(kind, list(request.args.items(multi=True)))


@bp.post("/<kind>/_search")
@needs(READ)
@outside  # a POST that changes nothing: patients' names stay out of addresses and their logs
def find_by_post(kind: str) -> ResponseReturnValue:
    """A search whose parameters are in the body."""
    return _search(kind, [*request.args.items(multi=True), *request.form.items(multi=True)])


@bp.get("/<kind>/<id_>")
@needs(READ)
def read(kind: str, id_: str) -> ResponseReturnValue:
    """One resource, or 304 when the caller has this version."""
    found = search.read(db.session(), g.caller, _known(kind), id_)
    for patient in search.patients_of(found):
        note_read("fhir.read", patient)
    answer = _resource(200, Written(200, found))
    if request.if_none_match.contains_weak(found["meta"]["versionId"]):
        answer.status_code, answer.data = 304, b""
    return answer


@bp.post("/<kind>")
@needs(WRITE)
def create(kind: str) -> ResponseReturnValue:
    """A new resource; with If-None-Exist only where there is none."""
    condition = request.headers.get("If-None-Exist", "")

    def act(given: dict[str, Any]) -> Response:
        written = write.create(_desk(), _known(kind), given, none_exist=condition)
        written.after()
        return _resource(written.status, written)

    return _writing(kind, act)


@bp.put("/<kind>")
@bp.put("/<kind>/<id_>", endpoint="update_one")
@needs(WRITE)
def update(kind: str, id_: str = "") -> ResponseReturnValue:
    """The next version of a resource: of this id, or of the one that fits the query."""
    query = "" if id_ else request.query_string.decode("utf-8", "replace")
    if not id_ and not query:
        raise refuse(400, "required", "Say which one: by its id, or by a search.", kind)

    def act(given: dict[str, Any]) -> Response:
        written = write.update(_desk(), _known(kind), id_, given, if_match=request.headers.get("If-Match", ""), query=query)
        written.after()
        return _resource(written.status, written)

    return _writing(kind, act)


@bp.route("/<path:rest>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
@needs(READ)
@outside
def nothing(rest: str) -> ResponseReturnValue:
    """What is not here is refused in FHIR's words too."""
    kind = rest.partition("/")[0]
    if kind in check.KINDS:
        raise refuse(405, "not-supported", f"{request.method} is not supported here; see /fhir/metadata.", kind)
    raise refuse(404, "not-supported", f"There is no {kind[:40]} here; see /fhir/metadata.")


@bp.errorhandler(FhirRefused)
def refused(error: FhirRefused) -> ResponseReturnValue:
    """The refusal as an OperationOutcome."""
    answer = _answer(error.status, error.outcome)
    if error.status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


@bp.errorhandler(HTTPException)
def http_error(error: HTTPException) -> ResponseReturnValue:
    """What Flask refuses: too large, for instance."""
    code = {413: "too-long", 405: "not-supported", 404: "not-found"}.get(error.code or 400, "processing")
    return refused(FhirRefused(error.code or 400, Issue(code, error.description or "")))


@bp.errorhandler(CarelaneError)
def our_error(error: CarelaneError) -> ResponseReturnValue:
    """What our own rules refuse."""
    return refused(FhirRefused(status_of(error), Issue("business-rule", error.message)))


def _writing(kind: str, act: Any) -> Response:
    """Runs a write in a savepoint: what is refused leaves nothing behind but its row in the message log."""
    raw = request.get_data()
    try:
        given = check.read_json(raw)
        with db.session.begin_nested():
            answer: Response = act(given)
    except Stale:
        raise
    except IntegrityError as error:
        raise refuse(409, "conflict", "Somebody else wrote the same at the same moment; try again.") from error
    except FhirRefused as error:
        write.refused(db.session(), g.caller, kind, raw, error.message)
        commit_anyway()
        return refused(error)  # type: ignore[return-value]
    else:
        return answer


def _search(kind: str, pairs: list[tuple[str, str]]) -> Response:
    lenient = "handling=lenient" in request.headers.get("Prefer", "")
    asked = params.read(_known(kind), pairs, lenient=lenient)
    found = search.find(db.session(), current_app.config["CARELANE"], g.caller, asked, _base())
    for patient in search.patients_of(found):
        note_read("fhir.read", patient)
    return _answer(200, found)


def _resource(status: int, written: Written) -> Response:
    body = written.resource
    minimal = "return=minimal" in request.headers.get("Prefer", "") and request.method != "GET"
    answer = Response(status=status) if minimal else _answer(status, body)
    answer.headers["ETag"] = written.etag
    changed = params.span(body["meta"]["lastUpdated"], "UTC")[0]
    answer.headers["Last-Modified"] = format_datetime(changed, usegmt=True)
    if request.method != "GET":
        answer.headers["Location"] = f"{_base()}/{written.place}"
    return answer


def _answer(status: int, body: dict[str, Any]) -> Response:
    answer = Response(orjson.dumps(body), status, content_type=f"{MEDIA}; charset=utf-8")
    answer.headers["Date"] = format_datetime(clock.now(), usegmt=True)
    return answer


def _known(kind: str) -> str:
    if kind not in check.KINDS:
        raise refuse(404, "not-supported", f"There is no {kind[:40]} here; see /fhir/metadata.")
    return kind


def _desk() -> Desk:
    return Desk(db.session(), current_app.config["CARELANE"], g.caller, _base())


def _base() -> str:
    return f"{current_app.config['CARELANE'].public_url}/fhir"


def _is_get(entry: dict[str, Any]) -> bool:
    wanted = entry.get("request")
    return isinstance(wanted, dict) and wanted.get("method") == "GET"
