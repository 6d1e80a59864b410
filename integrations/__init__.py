"""Everything around the clinic: connectors, listeners, the message log, patients, payments, units and simulated far ends."""

from __future__ import annotations

from sqlalchemy.orm import Session, sessionmaker

from engine.settings import Settings


def load(sessions: sessionmaker[Session] | None = None, settings: Settings | None = None) -> None:
    """Registers every connector of `integrations/connectors/`; with a session factory and settings they can be called too.

    May be called again. A process that only lints models needs neither argument.
    """
    import integrations.connectors  # noqa: F401  declares them
    from engine.execution import lanes
    from integrations import runtime
    from integrations.connections.lanes import Known

    if sessions is not None and settings is not None:
        runtime.use(sessions, settings)
        lanes.use(Known())
