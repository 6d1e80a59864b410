"""A date, a time of day, or a moment with its zone; all ISO 8601 text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta

from forms.component import Component
from forms.scope import Scope
from forms.widget import INPUT, Complain, Widget, refuse

_OWN = {"subtype", "dateLabel", "timeLabel", "use24h", "timeSerializingFormat", "timeInterval", "disallowPassedDates"}
_HTML_TYPES = {"date": "date", "time": "time", "datetime": "datetime-local"}
_SHAPES = {
    "date": r"\d{4}-\d{2}-\d{2}",
    "time": r"\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?",
    "datetime": r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?",
}


class DateTime(Widget):
    """A date, a time or both, by ``subtype``."""

    type = "datetime"
    feel = "date and time"
    properties = INPUT | _OWN
    required_message = "required"

    def inspect(self, raw: Mapping[str, object], complain: Complain) -> None:
        """Report a subtype, zone format or interval that is not known."""
        if raw.get("subtype", "date") not in _HTML_TYPES:
            complain("subtype", "property-type", f"{raw['subtype']!r} is no subtype.", "Use date, time or datetime.")
        if raw.get("timeSerializingFormat") not in {None, "utc_offset", "utc_normalized", "no_timezone"}:
            complain(
                "timeSerializingFormat", "property-type", "This zone format is not known.", "Use utc_offset, utc_normalized or no_timezone."
            )
        interval = raw.get("timeInterval", 1)
        if isinstance(interval, bool) or not isinstance(interval, int) or not 1 <= interval <= 60:
            complain("timeInterval", "property-type", "timeInterval must be 1 to 60 minutes.", "Correct it.")

    def parse(self, component: Component, raw: object, scope: Scope) -> object:
        """Give ISO text; a moment without a zone is in the clinic's."""
        if raw is None or raw == "":
            return None
        kind = subtype(component)
        text = raw.strip() if isinstance(raw, str) else raw.isoformat() if isinstance(raw, date | time) else ""
        if not re.fullmatch(_SHAPES[kind], text, re.ASCII):
            raise refuse(scope, kind)
        try:
            return _CHECKS[kind](component, text, scope)
        except (ValueError, OverflowError) as error:
            raise refuse(scope, kind) from error

    def show(self, component: Component, value: object, scope: Scope) -> dict[str, object]:
        """Give the browser the value in the clinic's local time, as its own control wants it."""
        kind = subtype(component)
        interval = component.raw.get("timeInterval")
        step = interval * 60 if isinstance(interval, int) and kind != "date" else None
        return {"value": _local(value, kind, scope), "html_type": _HTML_TYPES[kind], "step": step}

    def words(self, component: Component, value: object, scope: Scope) -> str:
        """Write it in local time with a space instead of the T."""
        return _local(value, subtype(component), scope).replace("T", " ") or scope.say("blank")

    def examples(self, component: Component, scope: Scope) -> Iterator[object]:
        """Yield the start of tomorrow's clinic, which holds for any rule."""
        local = scope.now.astimezone(scope.zone) + timedelta(days=1)
        moment = local.replace(hour=9, minute=0, second=0, microsecond=0, tzinfo=None)
        yield {"date": moment.date().isoformat(), "time": "09:00", "datetime": moment.isoformat("T", "minutes")}[subtype(component)]


def subtype(component: Component) -> str:
    """Give date, time or datetime."""
    return component.text("subtype") or "date"


def _date(component: Component, text: str, scope: Scope) -> str:
    day = date.fromisoformat(text)
    if component.raw.get("disallowPassedDates") is True and day < scope.now.astimezone(scope.zone).date():
        raise refuse(scope, "past")
    return day.isoformat()


def _time(component: Component, text: str, scope: Scope) -> str:
    clock = time.fromisoformat(text)
    _on_interval(component, clock.minute, scope)
    form = component.raw.get("timeSerializingFormat")
    today = scope.now.astimezone(scope.zone).date()
    moment = datetime.combine(today, clock)
    if form in {None, "no_timezone"}:
        local = moment.astimezone(scope.zone) if moment.tzinfo else moment
        return local.replace(tzinfo=None).time().isoformat("auto" if local.second else "minutes")
    moment = moment if moment.tzinfo else moment.replace(tzinfo=scope.zone)
    return _zoned(moment, form, scope).split("T")[1]


def _datetime(component: Component, text: str, scope: Scope) -> str:
    moment = datetime.fromisoformat(text)
    _on_interval(component, moment.minute, scope)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=scope.zone)
    if component.raw.get("disallowPassedDates") is True and moment < scope.now:
        raise refuse(scope, "past")
    return _zoned(moment, component.raw.get("timeSerializingFormat"), scope)


def _zoned(moment: datetime, form: object, scope: Scope) -> str:
    if form == "utc_normalized":
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if form == "no_timezone":
        return moment.astimezone(scope.zone).replace(tzinfo=None).isoformat()
    return moment.isoformat()


def _on_interval(component: Component, minute: int, scope: Scope) -> None:
    interval = component.raw.get("timeInterval")
    if isinstance(interval, int) and minute % interval:
        raise refuse(scope, "interval", minutes=interval)


def _local(value: object, kind: str, scope: Scope) -> str:
    text = value.isoformat() if isinstance(value, date | time) else value if isinstance(value, str) else ""
    if kind == "date" or not re.fullmatch(_SHAPES[kind], text, re.ASCII):
        return text
    try:
        if kind == "time":
            return time.fromisoformat(text).replace(tzinfo=None).isoformat("minutes")
        moment = datetime.fromisoformat(text)
        local = moment.astimezone(scope.zone) if moment.tzinfo else moment
        return local.replace(tzinfo=None).isoformat("T", "minutes")
    except (ValueError, OverflowError):
        return text


_CHECKS = {"date": _date, "time": _time, "datetime": _datetime}
WIDGET = DateTime()
