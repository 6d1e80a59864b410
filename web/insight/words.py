"""Figures in the reader's words: units, intervals, names of KPIs and arms."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from babel.dates import format_skeleton
from flask.sansio.app import App
from flask_babel import format_decimal, get_locale, gettext

from engine.history.kpis import KPIS
from web.i18n import language

NONE = "–"


def filters(app: App) -> None:
    """Makes the words known to templates."""
    app.jinja_env.filters.update(figure=figure, span=span, percent=percent, points=points, points_span=points_span)
    app.jinja_env.filters.update(kpi=kpi_name, arm=arm_name, brief_day=day, minutes=minutes)


def minutes(value: float | None) -> str:
    """Minutes to one place below ten, whole above."""
    return NONE if value is None else format_decimal(round(value, 1 if abs(value) < 9.95 else 0))


def percent(value: float | None, signed: bool = False) -> str:
    """A proportion as a percentage; `signed` shows the plus of an increase."""
    if value is None:
        return NONE
    number = round(value * 100, 1 if abs(value) < 0.0995 else 0)
    return ("+" if signed and number > 0 else "") + format_decimal(number).replace("-", "−") + " %"


def points(value: float) -> str:
    """The difference of two shares, in percentage points."""
    return gettext("%(n)s points", n=percent(value, signed=True).removesuffix(" %"))


def points_span(interval: Sequence[float]) -> str:
    """An interval of such a difference."""
    low, high = (percent(end, signed=True).removesuffix(" %") for end in interval)
    return gettext("%(low)s to %(high)s", low=low, high=high)


def figure(value: float | None, kpi: str, unit: bool = True) -> str:
    """A KPI's value in its unit."""
    if value is None:
        return NONE
    measured = KPIS[kpi].unit
    if measured == "share":
        return percent(value)
    words = {"min": gettext("min"), "count": gettext("times"), "per day": gettext("a day")}[measured]
    return f"{minutes(value)} {words}" if unit else minutes(value)


def span(interval: Sequence[float] | None, kpi: str = "", *, change: bool = False) -> str:
    """An interval from low to high."""
    if interval is None:
        return NONE
    low, high = interval
    if change:
        return gettext("%(low)s to %(high)s", low=percent(low, signed=True), high=percent(high, signed=True))
    return gettext("%(low)s to %(high)s", low=figure(low, kpi, unit=False), high=figure(high, kpi, unit=False))


def kpi_name(kpi: str) -> str:
    """The KPI's title in the reader's language."""
    return KPIS[kpi].label(language()) if kpi in KPIS else kpi


def arm_name(arm: str | None) -> str:
    """What a version is called."""
    return {"as-is": gettext("as-is"), "to-be": gettext("to-be"), None: gettext("without a version")}.get(arm, str(arm))


def day(value: date) -> str:
    """Month and day, as short as the language allows."""
    return str(format_skeleton("MMMd", value, locale=get_locale()))
