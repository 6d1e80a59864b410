"""Figures read from the database at the moment they are asked for."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Flask
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from engine.clock import now
from engine.execution.tables import Incident, Instance, Job, Task
from integrations.messages import figures
from web.db import db


class Gauges(Collector):
    """Open tasks by role, instances and jobs by state, open incidents, and how late the oldest job is."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead of time: registering must not ask the database."""
        return []

    def collect(self) -> Iterable[Metric]:
        """The figures; none when the database does not answer."""
        with self.app.app_context():
            try:
                yield from self._figures()
            except SQLAlchemyError:
                return

    def _figures(self) -> Iterable[Metric]:
        tasks = GaugeMetricFamily("carelane_open_tasks", "Open tasks", labels=["role"])
        for role, count in db.session.execute(select(Task.role, func.count()).where(Task.state == "open").group_by(Task.role)):
            tasks.add_metric([role or "-"], count)
        yield tasks
        for name, table in (("carelane_instances", Instance), ("carelane_jobs", Job)):
            family = GaugeMetricFamily(name, "Rows by state", labels=["state"])
            for state, count in db.session.execute(select(table.state, func.count()).group_by(table.state)):
                family.add_metric([state], count)
            yield family
        stuck = db.session.scalar(select(func.count()).select_from(Incident).where(Incident.state == "open")) or 0
        yield GaugeMetricFamily("carelane_open_incidents", "Incidents that wait for a person", value=stuck)
        oldest = db.session.scalar(select(func.min(Job.due)).where(Job.state == "ready"))
        late = max((now() - oldest).total_seconds(), 0) if oldest else 0
        yield GaugeMetricFamily("carelane_oldest_job_late_seconds", "How late the oldest due job is", value=late)
        yield from _connections()


def _connections() -> Iterable[Metric]:
    """How each connection to another system does, by its name."""
    told = {
        "waiting": ("Calls and inbound messages that wait for it", lambda f: f.waiting),
        "oldest_seconds": ("Age of the oldest of them", lambda f: f.oldest or 0),
        "error_rate": ("Failures per message of the last hour", lambda f: f.error_rate),
        "p95_seconds": ("95th percentile of the last hour", lambda f: f.p95 or 0),
        "circuit_open": ("Whether sending rests after failures", lambda f: float(f.circuit == "open")),
        "running": ("Whether it is started", lambda f: float(f.state == "started")),
    }
    rows = figures.figures(db.session())
    for name, (words, value) in told.items():
        family = GaugeMetricFamily(f"carelane_connection_{name}", words, labels=["connection"])
        for row in rows:
            family.add_metric([row.name], value(row))
        yield family
    alarms = GaugeMetricFamily("carelane_connection_alarm", "What somebody must look at", labels=["connection", "kind"])
    for alarm in figures.alarms(db.session()):
        alarms.add_metric([alarm.connection, alarm.kind], 1)
    yield alarms
