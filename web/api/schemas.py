"""The shapes of `/api/v1`; the OpenAPI document is made of them."""

from __future__ import annotations

from marshmallow import EXCLUDE, Schema, fields, validate


class Given(Schema):
    """What a program sends; unknown fields are refused."""


class InstanceOut(Schema):
    """A process instance."""

    id = fields.String(required=True)
    process_id = fields.String(required=True, data_key="processId")
    version = fields.Integer(required=True)
    state = fields.String(required=True, validate=validate.OneOf(["running", "suspended", "incident", "completed", "cancelled"]))
    business_key = fields.String(allow_none=True, data_key="businessKey")
    department = fields.String(allow_none=True)
    arm = fields.String(allow_none=True)
    started = fields.DateTime(required=True, format="iso")
    ended = fields.DateTime(allow_none=True, format="iso")


class InstanceDetail(InstanceOut):
    """One instance with its variables."""

    variables = fields.Dict(keys=fields.String(), required=True)
    tokens = fields.List(fields.Dict(keys=fields.String(), values=fields.String()), required=True)  # token, element, scope, state


class TaskOut(Schema):
    """A user task."""

    id = fields.String(required=True)
    instance_id = fields.String(required=True, data_key="instanceId")
    process_id = fields.String(required=True, data_key="processId")
    element_id = fields.String(required=True, data_key="elementId")
    name = fields.String(required=True)
    roles = fields.List(fields.String(), required=True)
    assignee = fields.String(allow_none=True)
    state = fields.String(required=True, validate=validate.OneOf(["open", "completed", "cancelled"]))
    created = fields.DateTime(required=True, format="iso")
    due = fields.DateTime(allow_none=True, format="iso")
    form_id = fields.String(allow_none=True, data_key="formId")


class StartIn(Given):
    """Starts an instance: the newest version, or the newest with a tag."""

    process_id = fields.String(required=True, data_key="processId", validate=validate.Length(1, 200))
    version_tag = fields.String(data_key="versionTag", validate=validate.Length(1, 100))
    business_key = fields.String(data_key="businessKey", validate=validate.Length(1, 100))
    department = fields.String(validate=validate.Length(1, 50))
    variables = fields.Dict(keys=fields.String(), load_default=dict)


class CancelIn(Given):
    """Cancels an instance."""

    reason = fields.String(required=True, validate=validate.Length(3, 500))


class CompleteIn(Given):
    """Completes a task with the values of its form."""

    values = fields.Dict(keys=fields.String(), load_default=dict)


class MessageIn(Given):
    """A message for a waiting instance. The same `messageId` counts once."""

    name = fields.String(required=True, validate=validate.Length(1, 200))
    key = fields.String(load_default="", validate=validate.Length(0, 200))
    message_id = fields.String(required=True, data_key="messageId", validate=validate.Length(1, 200))
    payload = fields.Dict(keys=fields.String(), load_default=dict)


class MessageOut(Schema):
    """What became of a message."""

    instance_ids = fields.List(fields.String(), required=True, data_key="instanceIds")
    buffered = fields.Boolean(required=True)
    duplicate = fields.Boolean(required=True)


class Problem(Schema):
    """RFC 9457 problem details."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    errors = fields.Dict()


class PageIn(Schema):
    """Which page of a list: `cursor` comes from the page before."""

    class Meta:
        """Other query parameters are none of our business."""

        unknown = EXCLUDE

    limit = fields.Integer(load_default=50, validate=validate.Range(1, 200))
    cursor = fields.String(load_default="", validate=validate.Regexp(r"^[0-9a-f]{0,20}$"))
    state = fields.String(load_default="", validate=validate.Length(0, 20))
