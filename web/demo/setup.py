"""What the demonstration starts with: staff, processes, connections to the simulated far ends, the rollout programme."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from engine.execution.check import deploy
from engine.models.files import gather
from engine.rollout import demo as rollout
from engine.settings import Settings
from integrations import demo as connections
from integrations.payments import stored
from web.accounts import demo as accounts

PROCESSES = Path(__file__).resolve().parents[2] / "processes"


def prepare(session: Session, settings: Settings) -> list[str]:
    """Brings the demonstration into being, or up to date; returns what was newly deployed. Nothing is done twice."""
    accounts.seed(session)
    connections.connect(session, settings)
    created = deploy_processes(session, PROCESSES, by="demo")
    rollout.seed(session, ZoneInfo(settings.clinic_zone))
    _hold_money(session)
    return created


def deploy_processes(session: Session, folder: Path, *, by: str) -> list[str]:
    """Deploys every process folder in one act and lets their start events listen."""
    folders = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(("_", "."))]
    done = deploy(session, gather(folders), by=by, comment="as shipped")
    return [f"{d.key} {d.version}" for d in done.created()]


def _hold_money(session: Session) -> None:
    """Lets the worker wait with yesterday's comparison until yesterday was played."""
    for connection in ("wechat", "alipay"):
        if stored.find(session, stored.yesterday(), connection) is None:
            stored.wait(session, stored.yesterday(), connection, "正在回放昨日就诊。 Yesterday's visits are being played.", by="demo")
