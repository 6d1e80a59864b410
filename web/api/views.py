"""Instances, tasks and messages for other programs."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy import select

import forms
from engine.errors import InvalidForm
from engine.execution import feel, instances, messages, tasks
from engine.execution.tables import Instance, Task
from engine.execution.values import encode
from web.access import public
from web.api import schemas, steer
from web.api.describe import document, operation
from web.api.edge import body, idempotent, page, query
from web.api.tokens import actor, needs
from web.db import db

bp = Blueprint("api", __name__, url_prefix="/api/v1", template_folder="templates")
steer.register(bp)


@bp.get("/openapi.json")
@public
def openapi() -> ResponseReturnValue:
    """The OpenAPI 3.1 document."""
    return jsonify(document())


@bp.get("/docs")
@public
def docs() -> ResponseReturnValue:
    """The document for people."""
    return render_template("api/docs.html", api=document())


@bp.get("/instances")
@needs("instances:read")
@operation("List process instances, newest first", out=schemas.InstanceOut, paged=True)
def list_instances() -> ResponseReturnValue:
    """One page of instances."""
    asked = query(schemas.PageIn())
    found = select(Instance).order_by(Instance.id.desc()).limit(asked["limit"] + 1)
    if asked["cursor"]:
        found = found.where(Instance.id < asked["cursor"])
    if asked["state"]:
        found = found.where(Instance.state == asked["state"])
    return jsonify(page(list(db.session.scalars(found)), asked["limit"], schemas.InstanceOut()))


@bp.post("/instances")
@needs("instances:write")
@operation("Start a process instance", given=schemas.StartIn, out=schemas.InstanceOut)
@idempotent
def start_instance() -> Any:
    """Starts one."""
    asked = body(schemas.StartIn())
    process_id, variables = asked.pop("process_id"), asked.pop("variables")
    return schemas.InstanceOut().dump(instances.start(db.session(), process_id, variables, actor=actor(), **asked))


@bp.get("/instances/<instance_id>")
@needs("instances:read")
@operation("One instance with its variables", out=schemas.InstanceDetail)
def get_instance(instance_id: str) -> ResponseReturnValue:
    """One instance."""
    row = instances.get(db.session(), instance_id)
    shown = schemas.InstanceOut().dump(row)
    found = instances.tokens(db.session(), instance_id)
    standing = [{"token": t.token, "element": t.element_id, "scope": t.scope, "state": t.state} for t in found]
    return jsonify({**shown, "variables": encode(instances.variables(db.session(), instance_id)), "tokens": standing})


@bp.post("/instances/<instance_id>/cancel")
@needs("instances:write")
@operation("Cancel an instance", given=schemas.CancelIn, out=schemas.InstanceOut)
@idempotent
def cancel_instance(instance_id: str) -> Any:
    """Cancels one."""
    return schemas.InstanceOut().dump(instances.cancel(db.session(), instance_id, body(schemas.CancelIn())["reason"], actor=actor()))


@bp.get("/tasks")
@needs("tasks:read")
@operation("List tasks, newest first", out=schemas.TaskOut, paged=True)
def list_tasks() -> ResponseReturnValue:
    """One page of tasks."""
    asked = query(schemas.PageIn())
    found = select(Task).where(Task.state == (asked["state"] or "open")).order_by(Task.id.desc()).limit(asked["limit"] + 1)
    if asked["cursor"]:
        found = found.where(Task.id < asked["cursor"])
    return jsonify(page(list(db.session.scalars(found)), asked["limit"], schemas.TaskOut()))


@bp.get("/tasks/<task_id>")
@needs("tasks:read")
@operation("One task", out=schemas.TaskOut)
def get_task(task_id: str) -> ResponseReturnValue:
    """One task."""
    return jsonify(schemas.TaskOut().dump(tasks.get(db.session(), task_id)))


@bp.post("/tasks/<task_id>/complete")
@needs("tasks:write")
@operation("Complete a task; the values are checked by its form", given=schemas.CompleteIn, out=schemas.InstanceOut)
@idempotent
def complete_task(task_id: str) -> Any:
    """Completes one; InvalidForm names each value that is wrong."""
    task, values = tasks.get(db.session(), task_id), body(schemas.CompleteIn())["values"]
    form = tasks.form_of(db.session(), task)
    if form is not None and task.state == "open":
        checked = forms.validate(form, values, tasks.context(db.session(), task), "en", feel.evaluate)
        if not checked.ok:
            raise InvalidForm(checked.errors)
        values = checked.values
    return schemas.InstanceOut().dump(tasks.complete(db.session(), task_id, values, user=actor()))


@bp.post("/messages")
@needs("messages:write")
@operation("Publish a message to the instance that waits for it, or keep it until one does", given=schemas.MessageIn, out=schemas.MessageOut)
@idempotent
def publish_message() -> Any:
    """Publishes one."""
    asked = body(schemas.MessageIn())
    done = messages.publish(db.session(), asked["name"], asked["key"], asked["payload"], message_id=asked["message_id"], actor=actor())
    return schemas.MessageOut().dump(done)
