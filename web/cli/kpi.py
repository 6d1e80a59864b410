"""`carelane kpi`: the centre's figures, from the visits' record."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click

from engine.db import open_engine, sessions
from engine.errors import InvalidModel
from engine.history.figures import Figure, figures, targets
from engine.history.kpis import KPIS
from engine.settings import Settings
from web.cli.output import as_json, print_json, print_rows, refuse

COLUMNS = ("id", "unit", "n", "days", "open", "median", "p90", "value", "ci", "target", "met")
DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--process", "process_id", default="outpatient_visit", show_default=True, metavar="ID", help="Visits of this process.")
@click.option("--from", "since", type=DAY, help="First clinic day, by arrival.")
@click.option("--to", "until", type=DAY, help="Last clinic day, by arrival.")
@click.option("--arm", metavar="TAG", help="Only visits of this arm: as-is or to-be.")
@click.option("--department", metavar="CODE", help="Only visits of this department.")
@as_json
def kpi(process_id: str, since: datetime | None, until: datetime | None, arm: str | None, department: str | None, json_: bool) -> None:
    """KPIs of the centre: median, 90th percentile and a 95 % interval whose unit is the clinic day."""
    settings = Settings.from_env()
    zone = ZoneInfo(settings.clinic_zone)
    try:
        wanted = targets(process_id)
    except InvalidModel as error:
        refuse(error.message)
    with sessions(open_engine(settings))() as session:
        found = figures(
            session,
            process_id,
            zone=zone,
            since=datetime.combine(since, time(), zone) if since else None,
            until=datetime.combine(until + timedelta(days=1), time(), zone) if until else None,
            arm=arm,
            department=department,
            targets=wanted,
        )
    if json_:
        print_json({"kpis": [_row(figure) for figure in found]})
    else:
        print_rows([_words(_row(figure)) for figure in found], COLUMNS)


def _row(figure: Figure) -> dict[str, Any]:
    return {"name": KPIS[figure.id].label("en")} | figure.as_dict()


def _words(row: dict[str, Any]) -> dict[str, Any]:
    """Figures to three places, for people."""
    return {key: f"{value:.3g}" if isinstance(value, float) else _interval(value) if key == "ci" else value for key, value in row.items()}


def _interval(value: list[float] | None) -> str:
    return f"{value[0]:.3g} to {value[1]:.3g}" if value else ""
