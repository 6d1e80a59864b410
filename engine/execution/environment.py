"""What a run needs to know, read from the deployed definitions and cached: they never change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from threading import Lock
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

import forms
from engine import clock
from engine.errors import NotFound
from engine.execution import dmn, feel
from engine.execution.compile import Compiled, compile_process
from engine.models import deploy
from engine.models.elements import CalledElement, Wanted
from engine.models.tables import Definition
from engine.settings import Settings

MOST_CACHED = 500
_cache: dict[tuple[str, str], Any] = {}  # (what, definition id or content hash) → parsed
_lock = Lock()
T = TypeVar("T")


class _Configured:
    settings = Settings()
    zone = ZoneInfo(settings.clinic_zone)


def configure(settings: Settings) -> None:
    """Sets what runs go by: the clinic's zone (what a timer without one means), tries of a call, patience with messages."""
    _Configured.settings, _Configured.zone = settings, ZoneInfo(settings.clinic_zone)


def settings() -> Settings:
    """The settings that runs go by."""
    return _Configured.settings


def cached(what: str, key: str, make: Callable[[], T]) -> T:
    """Remembers what was parsed; the oldest entry goes when there are too many."""
    if (found := _cache.get((what, key))) is not None:
        value: T = found
        return value
    value = make()
    with _lock:
        if len(_cache) >= MOST_CACHED:
            _cache.pop(next(iter(_cache)))
        _cache[(what, key)] = value
    return value


class Deployed:
    """The environment of runs in the database."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.zone = _Configured.zone

    def now(self) -> datetime:
        """The present instant."""
        return clock.now()

    def definition(self, id: str) -> Definition:
        """A definition by its id."""
        found = self.session.get(Definition, id)
        if found is None:
            raise NotFound(f"The definition {id} is gone from the database.")
        return found

    def compiled(self, definition: str) -> Compiled:
        """The compiled process."""
        return cached("process", definition, lambda: compile_process(deploy.model(self.session, self.definition(definition))))

    def called(self, called: CalledElement, variables: Mapping[str, Any], caller: str) -> str:
        """The version that a call activity means: newest, newest with the tag, or newest when the caller was deployed."""
        name = called.process_id
        process_id = str(feel.evaluate(name[1:], variables)) if name.startswith("=") else name
        return self.version("process", Wanted(process_id, called.binding, called.version_tag), caller).id

    def decide(self, wanted: Wanted, variables: Mapping[str, Any], caller: str) -> Any:
        """The result of the wanted version."""
        model = self._decisions(self.version("decision", wanted, caller))
        until = self.definition(caller).at if wanted.binding == "deployment" else None
        return dmn.decide(self._with_imports(model, until), wanted.key, dict(variables)).result

    def version(self, kind: str, wanted: Wanted, caller: str) -> Definition:
        """The version that the definition `caller` means; NotFound when there is none."""
        query = select(Definition).where(Definition.kind == kind, Definition.key == wanted.key)
        if wanted.binding == "versionTag":
            query = query.where(Definition.version_tag == wanted.version_tag)
        elif wanted.binding == "deployment":
            calling = self.definition(caller)
            query = query.where(Definition.at <= calling.at).order_by((Definition.deployment_id == calling.deployment_id).desc())
        found = self.session.scalars(query.order_by(Definition.version.desc()).limit(1)).first()
        if found is None:
            raise NotFound(f"The {kind} {wanted} is not deployed.")
        return found

    def _decisions(self, found: Definition) -> dmn.DecisionModel:
        return cached("decision", found.hash, lambda: dmn.read(deploy.content(self.session, found), found.file))

    def _with_imports(self, first: dmn.DecisionModel, until: datetime | None) -> list[dmn.DecisionModel]:
        """A decision model, and after it those that it imports, however deep: the newest, or the newest at a time."""
        models = [first]
        if first.imports:
            query = select(Definition).where(Definition.kind == "decision").order_by(Definition.at, Definition.version)
            rows = self.session.scalars(query if until is None else query.where(Definition.at <= until))
            known = {model.namespace: model for model in map(self._decisions, rows)}
            for model in models:
                wanted = (known.get(one.namespace) for one in model.imports)
                models += [other for other in wanted if other is not None and other not in models]
        return models


def form(session: Session, form_id: str, element_id: str, caller: str) -> forms.Form:
    """The version of a form that an element of the definition `caller` means, ready to render."""
    deployed = Deployed(session)
    element = deployed.compiled(caller).model.elements[element_id]
    found = deployed.version("form", element.form(form_id), caller)
    return cached("form", found.hash, lambda: forms.load(deploy.content(session, found)))
