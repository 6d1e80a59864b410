"""Studio: deployed models, the editors, checking and deploying."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from markupsafe import Markup

import forms
from engine.errors import Conflict, InvalidModel, NotFound, Refused
from engine.execution import check as checking
from engine.execution import dmn, feel
from engine.models import deploy as deployed
from engine.models.tables import Definition
from integrations import templates as connector_templates
from web.access import allowed, signed_in
from web.db import db
from web.i18n import language
from web.problems import told
from web.shell import person_name
from web.studio import blank, shelf
from web.studio.changes import changes
from web.studio.table import fields, tables, typed
from web.studio.words import THINGS

bp = Blueprint("studio", __name__, template_folder="templates")
EDITORS = {"process": "studio/process.html", "decision": "studio/decision.html", "form": "studio/form.html"}
MIME = {"process": "application/xml", "decision": "application/xml", "form": "application/json"}


@bp.get("/studio")
@allowed("studio.view")
def show() -> ResponseReturnValue:
    """Everything that is deployed."""
    found = shelf.shelf(db.session())
    acts = shelf.deployments(db.session(), [i.newest for items in found.values() for i in items])
    titles = shelf.form_titles(db.session(), found, language())
    return render_template("studio/list.html", shelf=found, acts=acts, titles=titles, THINGS=THINGS)


@bp.get("/studio/<any(process, decision, form):kind>/<key>")
@allowed("studio.view")
def history(kind: str, key: str) -> ResponseReturnValue:
    """The versions of one thing, and what each changed."""
    item = shelf.item(db.session(), kind, key)
    acts = shelf.deployments(db.session(), item.versions)
    return render_template("studio/history.html", item=item, acts=acts, running=shelf.running(db.session()))


@bp.get("/studio/<any(process, decision, form):kind>/<key>/<int:version>")
@allowed("studio.view")
def edit(kind: str, key: str, version: int) -> ResponseReturnValue:
    """The editor, opened on one version."""
    row = deployed.definition(db.session(), kind, key, version)
    item = shelf.item(db.session(), kind, key)
    more: dict[str, Any] = {}
    content = deployed.content(db.session(), row)
    if kind == "form":
        titles = shelf.form_titles(db.session(), shelf.shelf(db.session()), language())
        more = {"source": _pretty(content), "preview": _drawn(content), "title": titles.get(key)}
    if kind == "decision":
        more = {"tables": tables(content), "fields": fields(dmn.read(content, row.file), key)}
    return render_template(EDITORS[kind], definition=row, item=item, running=shelf.running(db.session()).get(row.id, 0), **more)


@bp.get("/studio/new")
@allowed("studio.deploy")
def new() -> ResponseReturnValue:
    """The process editor on an empty diagram."""
    return render_template("studio/process.html", definition=None, item=None, running=0)


@bp.get("/studio/new.bpmn")
@allowed("studio.deploy")
def blank_file() -> ResponseReturnValue:
    """An empty diagram, a start and an end, in the reader's words."""
    diagram = blank.DIAGRAM
    for words in (gettext("New process"), gettext("Begin"), gettext("End")):
        diagram = diagram.replace('name=""', f'name="{words}"', 1)
    return Response(diagram, mimetype="application/xml")


@bp.get("/studio/<any(process, decision, form):kind>/<key>/<int:version>/file")
@allowed("studio.view")
def file(kind: str, key: str, version: int) -> ResponseReturnValue:
    """The file of one version, as it was deployed."""
    row = deployed.definition(db.session(), kind, key, version)
    answer = Response(deployed.content(db.session(), row), mimetype=MIME[kind])
    if request.args.get("download"):
        answer.headers.set("Content-Disposition", "attachment", filename=f"{key}-v{version}{shelf.SUFFIX[kind]}")
    return answer


@bp.get("/studio/<any(process, form, decision):kind>/<key>/compare")
@allowed("studio.view")
def compare(kind: str, key: str) -> ResponseReturnValue:
    """Two versions, one above the other, and the list of changes."""
    item = shelf.item(db.session(), kind, key)
    last = item.versions[0].version
    second = request.args.get("to", last, int)
    first = request.args.get("from", _before(item, second), int)
    old, new_ = (deployed.definition(db.session(), kind, key, v) for v in (first, second))
    rows = changes(kind, deployed.content(db.session(), old), deployed.content(db.session(), new_))
    return render_template("studio/compare.html", item=item, old=old, new=new_, rows=rows)


@bp.get("/studio/templates.json")
@allowed("studio.view")
def templates() -> ResponseReturnValue:
    """The connectors as element templates, in the reader's language."""
    return Response(orjson.dumps(connector_templates.templates("zh" if language() == "zh" else "en")), mimetype="application/json")


@bp.post("/studio/check")
@allowed("studio.view")
def check() -> ResponseReturnValue:
    """The problems that deploying this file would find; changes nothing."""
    given = _given()
    return {"problems": [p.as_dict() for p in _problems(given["file"], given["content"])]}


@bp.post("/studio/changes")
@allowed("studio.view")
def preview_changes() -> ResponseReturnValue:
    """The problems of this file, and what it changes against the version that it began as when it can be read at all."""
    given = _given()
    base = _base(given)
    problems = _problems(given["file"], given["content"])
    readable = base is not None and not any(p.severity == "error" for p in problems)
    rows = changes(base.kind, deployed.content(db.session(), base), given["content"]) if base and readable else []
    return {"changes": rows, "problems": [p.as_dict() for p in problems]}


@bp.post("/studio/deploy")
@allowed("studio.deploy")
def deploy() -> ResponseReturnValue:
    """Deploys a new version. Running visits stay on theirs."""
    given = _given()
    comment = str(given.get("comment") or "").strip()
    if not comment:
        raise Refused(gettext("Say what you changed and why: the comment stays with the version."))
    _must_be_newest(_base(given))
    result = checking.deploy(db.session(), {given["file"]: given["content"]}, by=signed_in().login, comment=comment)
    made = result.created()
    if not made:
        raise Refused(gettext("Nothing has changed: this version is deployed already."))
    flash(gettext("Version %(n)s is deployed. New visits take it; visits under way stay on theirs.", n=made[0].version), "good")
    return {"url": url_for("studio.edit", kind=made[0].kind, key=made[0].key, version=made[0].version)}


@bp.post("/studio/preview")
@allowed("studio.view")
def preview() -> ResponseReturnValue:
    """A form as staff will see it."""
    return Response(_drawn(_given()["content"]), mimetype="text/html")


@bp.post("/studio/decision/<key>/<int:version>/try")
@allowed("studio.view")
def try_out(key: str, version: int) -> ResponseReturnValue:
    """Decides with the values given; shows the result and the rules that matched."""
    row = deployed.definition(db.session(), "decision", key, version)
    model = dmn.read(deployed.content(db.session(), row), row.file)
    decided = dmn.decide(model, key, typed(request.form, fields(model, key)))
    return render_template("studio/_decided.html", decided=decided)


def _given() -> dict[str, Any]:
    """The file that the editor sends: its name, content, and the version that it began as."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or not isinstance(body.get("content"), str) or not isinstance(body.get("file"), str):
        raise InvalidModel([], gettext("The editor sent nothing to work on."))
    return body | {"content": body["content"].encode(), "file": body["file"] or "process.bpmn"}


def _base(given: dict[str, Any]) -> Definition | None:
    return db.session.get(Definition, str(given["base"])) if given.get("base") else None


def _must_be_newest(base: Definition | None) -> None:
    """Conflict when somebody deployed a newer version of the same tag since this one was opened."""
    if base is None:
        return
    newest = deployed.newest(db.session(), base.kind, base.key, version_tag=base.version_tag, any_tag=False)
    if newest is not None and newest.version > base.version:
        act = shelf.deployments(db.session(), [newest])[newest.deployment_id]
        raise Conflict(
            gettext(
                "%(name)s deployed version %(n)s meanwhile. Open it and make your changes there.", name=person_name(act.by), n=newest.version
            )
        )


def _problems(name: str, content: bytes) -> list[Any]:
    found = checking.check({name: content}, known=lambda kind, key, tag: deployed.newest(db.session(), kind, key, version_tag=tag) is not None)
    return told(found, language())


def _before(item: shelf.Item, version: int) -> int:
    """The version before this one with the same tag; the one before it otherwise."""
    this = next((v for v in item.versions if v.version == version), None)
    if this is None:
        raise NotFound
    older = [v for v in item.versions if v.version < version]
    return next((v.version for v in older if v.version_tag == this.version_tag), older[0].version if older else version)


def _pretty(content: bytes) -> str:
    return orjson.dumps(orjson.loads(content), option=orjson.OPT_INDENT_2).decode()


def _drawn(content: bytes) -> Markup:
    """The form rendered as in the inbox, or what is wrong with it."""
    found = told(forms.problems(content), language())
    if found:
        return Markup(render_template("studio/_form_problems.html", problems=found))  # noqa: S704 - our own template
    return forms.render(forms.load(content), lang=language(), evaluate=feel.evaluate)
