"""`carelane serve`, `worker` and `migrate`: the processes of an installation."""

from __future__ import annotations

import logging
import signal
from pathlib import Path
from threading import Event, Thread
from types import FrameType
from typing import Any

import click
from sqlalchemy.engine import Engine

import integrations
import migrations
from engine.db import open_engine, sessions
from engine.execution import environment, feel
from engine.execution.worker import Worker
from engine.settings import Settings
from integrations.connections import listening, upkeep
from integrations.dicom import listener as dicom
from integrations.files import upkeep as files
from integrations.legacy import upkeep as legacy
from integrations.payments import upkeep as money
from integrations.quality import upkeep as quality
from web import logs


def prepare(settings: Settings, engine: Engine) -> None:
    """What each process does first: limits of FEEL, the clinic's zone, connectors."""
    feel.configure(settings)
    environment.configure(settings)
    integrations.load(sessions=sessions(engine), settings=settings)


@click.command()
def migrate() -> None:
    """Create or upgrade the database."""
    migrations.upgrade(open_engine(Settings.from_env()))
    click.echo("The database is up to date.")


@click.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on.")
def serve(host: str | None, port: int | None) -> None:
    """Run the web server."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    run_web(Settings.from_env(**given))


def run_web(settings: Settings) -> None:
    """Gunicorn with threads: each live page holds one."""
    from gunicorn.app.base import BaseApplication

    class Web(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            options = {
                "bind": f"{settings.host}:{settings.port}", "workers": 1, "worker_class": "gthread", "threads": settings.threads,
                "timeout": 120, "graceful_timeout": 5, "loglevel": "warning", "worker_tmp_dir": _memory(), "control_socket_disable": True,
            }  # fmt: skip
            for name, value in options.items():
                if name in self.cfg.settings:
                    self.cfg.set(name, value)

        def load(self) -> Any:
            from web import create_app

            app = create_app(settings)
            prepare(settings, open_engine(settings))
            return app

    Web().run()


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


@click.command()
def worker() -> None:
    """Carry out timers and connector calls, and listen to inbound connections."""
    run_worker(Settings.from_env())


def run_worker(settings: Settings) -> None:
    """The worker and the inbound listeners, until SIGTERM or SIGINT."""
    logs.configure(settings.log_level)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)  # it tells of each look at the table
    stop = Event()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    engine = open_engine(settings)
    prepare(settings, engine)
    mllp = Thread(target=listening.forever, args=(sessions(engine), settings, stop), name="mllp", daemon=True)
    mllp.start()
    Thread(target=upkeep.forever, args=(stop,), name="upkeep", daemon=True).start()
    Thread(target=money.forever, args=(stop,), name="money", daemon=True).start()
    Thread(target=files.forever, args=(stop,), name="files", daemon=True).start()
    Thread(target=legacy.forever, args=(stop,), name="legacy", daemon=True).start()
    Thread(target=quality.forever, args=(stop,), name="quality", daemon=True).start()
    Thread(target=dicom.Listener(sessions(engine), settings).run, args=(stop,), name="dicom", daemon=True).start()
    Worker(sessions(engine), settings).run_forever(stop)
    mllp.join(10)  # lets each sender have the answer to what was stored
