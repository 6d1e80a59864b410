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
