"""Raises the processes that get killed: `python -m tests.chaos.nursery FOLDER URL POINT…` prints a line of JSON for each point.

Everything is imported once, then each day runs in a fork: killed at its point, and run again until it is over. URL is empty for
SQLite, else a PostgreSQL server's. A point is `edge.write.before`, or `edge.write.before:3` for its third pass.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path

from engine import faults
from integrations import units
from tests import machines
from tests.chaos import day


def child(act: Callable[[], object], log: Path) -> int:
    """Runs `act` in a fork; the exit status, negative for a signal."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            with log.open("a") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
                try:
                    act()
                    status = 0
                except BaseException:  # noqa: BLE001  the parent reads it
                    traceback.print_exc()
                sys.stdout.flush()
                sys.stderr.flush()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def one(point: str, folder: Path, server: str, seen: Path) -> dict[str, object]:
    """A day killed at `point` and run again; an empty point is a day without a kill, which notes the points that it passes."""
    begun = time.monotonic()
    with ExitStack() as stack:
        url = stack.enter_context(machines.postgres_database(server)) if server else ""
        settings = day.settings_at(folder, url)
        token = folder / "token"
        if not token.exists():  # else the folder is a copy of a prepared one
            made = child(lambda: token.write_text(day.prepare(settings)), folder / "log")
            assert made == 0, (folder / "log").read_text()

        def live() -> None:
            if point:
                name, _, times = point.partition(":")
                faults.arm(name, times=int(times or 1))
                day.Day(settings, token.read_text()).run()
                return
            with faults.watched() as passed:
                day.Day(settings, token.read_text()).run()
            seen.write_text(json.dumps({"passed": passed, "modules": sorted(sys.modules)}))

        statuses = [child(live, folder / "log")]
        if statuses[-1] == -signal.SIGKILL:
            statuses.append(child(lambda: day.Day(settings, token.read_text()).run(), folder / "log"))
        found: list[str] = []
        judged = child(lambda: (folder / "wrong").write_text(json.dumps(day.wrong(settings))), folder / "log")
        found = json.loads((folder / "wrong").read_text()) if judged == 0 else ["it could not be judged"]
    wanted = [-signal.SIGKILL, 0] if point else [0]
    if statuses != wanted:
        found = [f"exit codes {statuses}: {(folder / 'log').read_text()[-1500:]}", *found]
    return {"point": point, "wrong": found, "seconds": round(time.monotonic() - begun, 1)}


def warm(seen: Path) -> None:
    """Imports what the first day has imported on its way, so that no other day has to."""
    for name in json.loads(seen.read_text())["modules"]:
        with suppress(ImportError):
            import_module(name)
    units.warm()


def main(root: str, server: str, *points: str) -> None:
    """One day a point, one after the other."""
    seen = Path(root) / "seen.json"
    fresh = Path(root) / "fresh"
    fresh.mkdir()
    if not server:
        child(lambda: (fresh / "token").write_text(day.prepare(day.settings_at(fresh))), fresh / "log")
    for number, point in enumerate(points or ["", *faults.names()]):
        if number == 1 and seen.exists():
            warm(seen)
        folder = Path(root) / f"day{number}"
        shutil.copytree(fresh, folder)
        print(json.dumps(one(point, folder, server, seen)), flush=True)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
