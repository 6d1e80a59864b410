"""Typed inputs and outputs of connectors: plain dataclasses, read and checked through marshmallow.

Fields are snake_case here and camelCase on the process's side, where they are variables.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field
from datetime import date, datetime
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from engine.errors import ConnectorFailed

Choices = Mapping[str, tuple[str, str]]  # value: (English, Chinese)


@dataclass(frozen=True, slots=True)
class About:
    """What a person must know of a field: its name in both languages, and whether it is personal or secret."""

    en: str
    zh: str
    choices: Choices = dataclasses.field(default_factory=dict)
    personal: bool = False
    help_en: str = ""
    help_zh: str = ""


def about(
    en: str,
    zh: str,
    *,
    default: Any = MISSING,
    choices: Choices | None = None,
    personal: bool = False,
    help: tuple[str, str] = ("", ""),
) -> Any:
    """A dataclass field with its labels. `personal` fields are masked wherever a call is shown."""
    note = About(en, zh, choices or {}, personal, *help)
    if default is MISSING:
        return field(metadata={"about": note})
    if isinstance(default, list | dict):
        return field(default_factory=type(default), metadata={"about": note})
    return field(default=default, metadata={"about": note})


@dataclass(frozen=True, slots=True)
class Spec:
    """One field of an input or output, for templates and docs."""

    name: str  # as the process writes it
    kind: str  # text, integer, number, boolean, date, list, object, any
    required: bool
    default: Any
    about: About


def camel(name: str) -> str:
    """`patient_id` → `patientId`."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def specs(kind: type) -> Iterator[Spec]:
    """The fields of an input or output dataclass in order."""
    hints = get_type_hints(kind)
    for item in dataclasses.fields(kind):
        required = item.default is MISSING and item.default_factory is MISSING
        note = item.metadata.get("about") or About(item.name, item.name)
        default = None if item.default is MISSING else item.default
        yield Spec(camel(item.name), _kind(hints[item.name]), required, default, note)


T = TypeVar("T")


def read(kind: type[T], values: Mapping[str, Any], what: str = "input") -> T:
    """Builds `kind` from a call's input; ConnectorFailed(permanent) names each field that is missing or wrong."""
    try:
        loaded = _schema(cast(Any, kind))().load({name: value for name, value in values.items() if value is not None and value != ""})
    except ValidationError as error:
        wrong = list(_flat(cast(Any, error).normalized_messages()))
        text = "; ".join(f"{path}: {message}" for path, message in wrong)
        raise ConnectorFailed(f"The {what} is wrong. {text}", kind="permanent", fields=dict(wrong)) from error
    built: T = _build(kind, loaded)
    return built


def write(answer: Any) -> dict[str, Any]:
    """The output variables of an answer: camelCase names, dates as ISO text, nested dataclasses as objects."""
    return {camel(item.name): _plain(getattr(answer, item.name)) for item in dataclasses.fields(answer)}


def personal(kind: type) -> frozenset[str]:
    """Names of the fields that must be masked when a call is shown, nested ones included."""
    names = {spec.name for spec in specs(kind) if spec.about.personal}
    for hint in get_type_hints(kind).values():
        for nested in _dataclasses_in(hint):
            names |= personal(nested)
    return frozenset(names)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return write(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date | datetime) else value


def _flat(messages: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(messages, dict):
        for key, inner in messages.items():
            step = f"[{key}]" if isinstance(key, int) else f".{key}" if path else str(key)
            yield from _flat(inner, path + step)
    else:
        yield path, " ".join(str(message) for message in messages)


def _dataclasses_in(hint: Any) -> Iterator[type]:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        yield hint
    for inner in get_args(hint):
        yield from _dataclasses_in(inner)


def _unwrap(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        (inner,) = (arg for arg in get_args(hint) if arg is not type(None))
        return inner
    return hint


def _kind(hint: Any) -> str:
    hint = _unwrap(hint)
    if get_origin(hint) is Literal:
        return "text"
    if get_origin(hint) is list:
        return "list"
    if dataclasses.is_dataclass(hint) or get_origin(hint) is dict or hint is dict:
        return "object"
    return {str: "text", int: "integer", float: "number", bool: "boolean", date: "date"}.get(hint, "any")


class _Whole(fields.Integer):
    """An integer; FEEL's 5.0 counts as 5, but 5.5, true and "5" do not."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
            raise self.make_error("invalid", input=value)
        return int(value)


@cache
def _schema(kind: type) -> type[Schema]:
    hints = get_type_hints(kind)
    members: dict[str, Any] = {}
    for item in dataclasses.fields(kind):
        required = item.default is MISSING and item.default_factory is MISSING
        made = _field(hints[item.name], required)
        made.data_key, made.attribute = camel(item.name), item.name
        members[item.name] = made
    members["Meta"] = type("Meta", (), {"unknown": EXCLUDE})
    return type(f"{kind.__qualname__}Schema", (Schema,), members)


def _field(hint: Any, required: bool) -> fields.Field[Any]:
    hint = _unwrap(hint)
    common: dict[str, Any] = {"required": required, "error_messages": {"required": "is required", "null": "is required"}}
    if get_origin(hint) is Literal:
        return fields.String(validate=validate.OneOf(get_args(hint), error="must be one of {choices}"), **common)
    if get_origin(hint) is list:
        return fields.List(_field(get_args(hint)[0], True), **common)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return fields.Nested(_schema(hint), **common)
    if get_origin(hint) is dict or hint is dict:
        return fields.Dict(**common)
    if hint is str:
        checks = [validate.Length(min=1, error="must not be empty")] if required else []
        return fields.String(validate=checks, **common)
    plain: dict[Any, type[fields.Field[Any]]] = {int: _Whole, float: fields.Float, bool: fields.Boolean, date: fields.Date}
    return plain.get(hint, fields.Raw)(**common)


def _build(kind: Any, values: Mapping[str, Any]) -> Any:
    hints = get_type_hints(kind)
    return kind(**{name: _nested(hints[name], value) for name, value in values.items()})


def _nested(hint: Any, value: Any) -> Any:
    hint = _unwrap(hint)
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return _build(hint, value)
    if get_origin(hint) is list:
        return [_nested(get_args(hint)[0], item) for item in value]
    return value
