"""Runs models in memory with virtual time: for `carelane play`, for scenarios, for the studio's test button."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import forms
from engine import clock
from engine.errors import CarelaneError, InvalidModel, NotFound, Problem
from engine.execution import feel, scenario
from engine.execution.compile import Compiled, compile_process
from engine.execution.dmn import DecisionModel, decide
from engine.execution.dmn import read as read_decisions
from engine.execution.effects import Closed, Effect, JobOpened, Recorded, Subscribed, TaskOpened, TimerSet
from engine.execution.run import Run
from engine.execution.stub import stub_process
from engine.models import files as kinds
from engine.models.elements import CalledElement, ProcessModel, Wanted
from engine.models.read import read

Place = tuple[int, str]  # which instance, which token or wait
EPOCH = datetime(2026, 1, 5, 0, 0, tzinfo=UTC)  # a Monday, 08:00 in Shanghai


@dataclass
class Played:
    """How a play ended."""

    status: str  # completed, waiting, incident
    trace: list[dict[str, Any]]
    variables: dict[str, Any]
    waiting: list[dict[str, Any]]
    incidents: list[dict[str, Any]]
    instances: list[dict[str, Any]] = field(default_factory=list)  # variables of each instance, the played one first
    flows: set[tuple[str, str]] = field(default_factory=set)  # (process id, sequence flow)

    def as_dict(self) -> dict[str, Any]:
        """What `carelane play --json` prints."""
        return {name: getattr(self, name) for name in ("status", "trace", "variables", "waiting", "incidents")}


@dataclass
class Library:
    """Files given together: they resolve each other. It is also the run's environment."""

    files: Mapping[str, bytes]
    stubs: scenario.Scenario = field(default_factory=scenario.Scenario)
    moment: datetime = EPOCH
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))

    def __post_init__(self) -> None:
        self.models: dict[str, ProcessModel] = {}
        for name, content in self.files.items():
            if kinds.kind_of(name, content) == "process":
                for model in read(content, name):
                    self.models[f"{model.id}@{name}"] = model
        self.decisions: dict[str, DecisionModel] = {}  # by file
        self.forms: dict[str, forms.Form] = {}
        self.defined: list[kinds.Defined] = []
        for name, content in self.files.items():
            match kinds.kind_of(name, content):
                case "decision":
                    self.decisions[name] = read_decisions(content, name)
                    self.defined += kinds.decisions(content, name)
                case "form":
                    self.forms[name] = _form(content, name)
                    self.defined.append(kinds.form(content, name))
        self._compiled: dict[str, Compiled] = {}

    def now(self) -> datetime:
        """The play's own time."""
        return self.moment

    def compiled(self, definition: str) -> Compiled:
        """A process of these files."""
        if definition not in self._compiled:
            self._compiled[definition] = compile_process(self.models[definition])
        return self._compiled[definition]

    def find(self, process_id: str, version_tag: str | None = None) -> str:
        """The definition of a process id; NotFound names those there are."""
        found = [d for d, m in self.models.items() if m.id == process_id and (version_tag is None or m.version_tag == version_tag)]
        if not found:
            known = ", ".join(sorted({m.id for m in self.models.values()})) or "none"
            raise NotFound(
                f"There is no process {process_id!r}{f' tagged {version_tag!r}' if version_tag else ''} in these files; there are: {known}."
            )
        return found[-1]

    def called(self, called: CalledElement, variables: Mapping[str, Any], caller: str) -> str:
        """What a call activity means among these files."""
        name = called.process_id
        process_id = str(feel.evaluate(name[1:], variables)) if name.startswith("=") else name
        if process_id in self.stubs.children:
            outcome = self.stubs.child(process_id)
            key = f"{process_id}@stub{len(self.models)}"
            self.models[key] = stub_process(process_id, outcome)
            return key
        return self.find(process_id, called.version_tag if called.binding == "versionTag" else None)

    def decide(self, wanted: Wanted, variables: Mapping[str, Any], caller: str) -> Any:
        """A decision of these files; where several versions are given, the last one that is meant."""
        file = self._file("decision", wanted)
        if file is None and wanted.binding == "versionTag":
            raise NotFound(f"There is no decision {wanted} in these files.")
        others = [model for model in self.decisions.values() if file is None or model.find(wanted.key) is None]
        return decide([self.decisions[file], *others] if file else others, wanted.key, dict(variables)).result

    def form(self, task: TaskOpened) -> forms.Form | None:
        """A task's form among these files."""
        element = self.models[task.process].elements[task.element]
        file = self._file("form", element.form(task.form_id)) if task.form_id else None
        return self.forms[file] if file else None

    def _file(self, kind: kinds.Kind, wanted: Wanted) -> str | None:
        """The last file that defines what is wanted."""
        named = [d for d in self.defined if (d.kind, d.key) == (kind, wanted.key)]
        found = [d.file for d in named if wanted.binding != "versionTag" or d.version_tag == wanted.version_tag]
        return found[-1] if found else None


def _form(content: bytes, file: str) -> forms.Form:
    try:
        return forms.load(content)
    except forms.FormInvalid as error:
        problems = [Problem(f"form-{p.rule}", f"{p.path}: {p.message}", p.fix, p.component or None, "form", file=file) for p in error.problems]
        raise InvalidModel(problems) from error


class Player:
    """Plays an instance and those that its messages and signals start; answers what is open as the scenario says."""

    def __init__(self, library: Library, script: scenario.Scenario, *, auto: bool) -> None:
        self.library, self.script, self.auto = library, script, auto
        self.runs: list[Run] = []
        self.tasks: dict[Place, TaskOpened] = {}
        self.decided: dict[Place, Any] = {}  # what the scenario says of each task, asked once
        self.jobs: dict[Place, JobOpened] = {}
        self.subscriptions: dict[Place, Subscribed] = {}
        self.timers: list[tuple[datetime, int, int, TimerSet]] = []
        self.order = itertools.count()
        self.played = Played("waiting", [], {}, [], [])

    def play(self, process: str, variables: dict[str, Any], most_steps: int, companions: Sequence[str] = ()) -> Played:
        """Plays until nothing more can be done, or `most_steps` answers were given. Companions run beside the process."""
        try:
            self._begin(process, variables, *self._start(process))
            for companion in companions:
                self._begin(companion, {}, None, None)
            steps = 0
            while steps < most_steps and not all(run.over for run in self.runs) and self._answer():
                steps += 1
        except CarelaneError as error:
            self.played.incidents.append({"element": None, "kind": "start", "message": str(error)})
        return self._result()

    def _begin(self, process: str, variables: dict[str, Any], start: str | None, payload: dict[str, Any] | None) -> None:
        run = Run(self.library)
        self.runs.append(run)
        with clock.at(self.library.moment):
            run.start(process, variables, start, payload)
            self._collect()

    def _start(self, process: str) -> tuple[str | None, dict[str, Any] | None]:
        compiled = self.library.compiled(process)
        if len(compiled.starts(None)) == 1 and not compiled.starts(None)[0].events:
            return None, None
        for element in compiled.model.inside(None):
            if (element.type == "startEvent" and element.events) or element.instantiate:
                event = element.events[0] if element.events else None
                return element.id, self.script.message(event.name if event else None) or {}
        if compiled.starts(None):
            return None, None
        raise InvalidModel([Problem("start", "The process has no start event.", "Draw one.", process)])

    def _collect(self) -> None:
        for number, run in enumerate(self.runs):
            items, run.effects.items = run.effects.items, []
            for effect in items:
                self._keep(number, effect)

    def _keep(self, n: int, effect: Effect) -> None:
        match effect:
            case TaskOpened():
                self.tasks[n, effect.token] = effect
            case JobOpened():
                self.jobs[n, effect.token] = effect
            case Subscribed():
                self.subscriptions[n, effect.wait] = effect
            case TimerSet():
                heapq.heappush(self.timers, (effect.due, next(self.order), n, effect))
            case Closed():
                self.tasks.pop((n, effect.token), None)
                self.jobs.pop((n, effect.token), None)
                waits = {wait for _, _, wait in (kind.partition(":") for kind in effect.waits) if wait}
                for wait in waits:
                    self.subscriptions.pop((n, wait), None)
                self.timers = [entry for entry in self.timers if entry[2] != n or entry[3].wait not in waits]
                heapq.heapify(self.timers)
            case Recorded() if effect.element is not None:
                self._trace(effect)

    def _trace(self, effect: Recorded) -> None:
        if "@stub" in effect.process:
            return
        if effect.kind in ("entered", "completed") and effect.via:
            self.played.flows.add((effect.process, effect.via))
        if effect.kind == "completed":
            at, process = self.library.moment.isoformat(), self.library.models[effect.process].id
            self.played.trace.append({"element": effect.element, "type": effect.element_type, "at": at, "process": process})

    # -- answers ------------------------------------------------------------------------------------------------------

    def _answer(self) -> bool:
        with clock.at(self.library.moment):
            if self._answer_job() or self._answer_task() or self._answer_message("message"):
                self._collect()
                return True
        if self._fire_timer():
            return True
        with clock.at(self.library.moment):
            done = self._answer_message("signal")
            self._collect()
        return done

    def _answer_job(self) -> bool:
        for (n, _), job in list(self.jobs.items()):
            run = self.runs[n]
            if job.kind in ("message", "signal"):
                self._carry(job)
                if run.find(job.token) is not None:
                    run.complete(job.token, {})
                return True
            answer = self.script.call(job.type, job.element)
            if answer is None and not self.auto:
                continue
            self._give(run, job, answer or {})
            return True
        return False

    def _give(self, run: Run, job: JobOpened, answer: Mapping[str, Any]) -> None:
        if isinstance(answer.get("error"), str):
            run.throw_error(job.token, answer["error"], answer.get("message"), dict(answer.get("variables", {})))
        else:
            run.complete(job.token, answer)

    def _carry(self, job: JobOpened) -> None:
        """Gives a thrown message to its first receiver, a signal to all; starts the processes that begin with it."""
        payload, reached = job.input["payload"], False
        for (n, wait), waiting in list(self.subscriptions.items()):
            fits = waiting.kind == job.kind and waiting.name == job.type
            if fits and (job.kind == "signal" or (not reached and waiting.key in ("", job.input["key"]))):
                reached = self.runs[n].fire(wait, payload) or reached
        self._collect()
        for definition, model in list(self.library.models.items()):
            for element in model.inside(None):
                starts = element.type == "startEvent" or element.instantiate
                if (
                    starts
                    and any(e.kind == job.kind and e.name == job.type for e in element.events)
                    and not (reached and job.kind == "message")
                ):
                    self._begin(definition, {}, element.id, payload)

    def _answer_task(self) -> bool:
        for (n, token), task in list(self.tasks.items()):
            if (n, token) not in self.decided:
                self.decided[n, token] = self.script.step(task.element)
            values = self.decided[n, token]
            if values == "open" or (values is None and not self.auto):
                continue
            if values is None:
                form = self.library.form(task)
                values = forms.example(form, dict(self.runs[n].token(task.token).variables()), evaluate=feel.evaluate) if form else {}
            self.runs[n].complete(task.token, values)
            return True
        return False

    def _answer_message(self, kind: str) -> bool:
        for (n, wait), waiting in [(place, waiting) for place, waiting in self.subscriptions.items() if waiting.kind == kind]:
            token = self.runs[n].find(wait.split(".")[0])
            says = self.script.says(waiting.name, waiting.element)
            # An event that merely listens beside other work happens only when the scenario says so.
            if token is None or not (says or (self.auto and (not token.armed or token.notes["armed"] == "race"))):
                continue
            if not says and (self.script.withholds(waiting.name, waiting.element) or self._thrown_here(waiting)):
                continue
            self.runs[n].fire(wait, self.script.message(waiting.name, waiting.element) or {})
            return True
        return False

    def _thrown_here(self, waiting: Subscribed) -> bool:
        """True when some live instance may still throw it by itself."""
        return any(
            event.kind == waiting.kind and event.name == waiting.name and element.type in ("intermediateThrowEvent", "endEvent", "sendTask")
            for run in self.runs if not run.over
            for element in run.root.compiled.model.elements.values()
            for event in element.events
        ) and bool(self.timers or self.tasks or self.jobs)  # fmt: skip

    def _fire_timer(self) -> bool:
        held, fired = [], False
        while self.timers and not fired:
            due, _, n, timer = entry = heapq.heappop(self.timers)
            token = self.runs[n].find(timer.wait.split(".")[0])
            again = token is not None and token.armed and token.notes["armed"] != "race" and timer.round > 0
            # A cycle beside other work goes on only while something else is still to come.
            if not self.script.fires(timer.element, default=self.auto and (not again or bool(self.timers))):
                held.append(entry)
                continue
            self.library.moment = max(due, self.library.moment)
            with clock.at(self.library.moment):
                fired = self.runs[n].fire(timer.wait, {}, due)
                self._collect()
        for entry in held:
            heapq.heappush(self.timers, entry)
        return fired

    def _result(self) -> Played:
        played = self.played
        if self.runs and self.runs[0].scopes:
            played.instances = [dict(run.root.data) for run in self.runs if run.scopes]
            played.variables = played.instances[0]
        for scope in (scope for run in self.runs for scope in run.scopes.values()):
            for token in scope.live():
                row = {"element": token.element.id, "type": token.element.type, "process": scope.compiled.model.id}
                if token.notes.get("failed"):
                    played.incidents.append({**row, **token.notes["failed"]})
                elif "scope" not in token.notes.get("waits", []):
                    played.waiting.append(row)
        done = "completed" if self.runs and all(run.over for run in self.runs) else "waiting"
        played.status = "incident" if played.incidents else done
        return played


def play(
    files: Mapping[str, bytes],
    process_id: str | None = None,
    scenario_: scenario.Scenario | None = None,
    variables: dict[str, Any] | None = None,
    *,
    auto: bool = False,
    max_steps: int = 10_000,
    companions: Sequence[str] = (),
) -> Played:
    """Plays a process of `files`. Without `process_id` the scenario's, else the first executable one that no other calls.

    `companions` are ids of processes that run beside it from the beginning, as the other pools of a collaboration.
    """
    script = scenario_ or scenario.Scenario()
    library = Library(files, script)
    wanted = process_id or script.process
    executable = [d for d, m in library.models.items() if m.executable] or list(library.models)
    if not executable:
        raise NotFound("There is no process in these files.")
    called = {e.called.process_id for model in library.models.values() for e in model.elements.values() if e.called}
    outermost = next((d for d in executable if library.models[d].id not in called), executable[0])
    process = library.find(wanted, script.version_tag) if wanted else outermost
    player = Player(library, script, auto=auto)
    return player.play(process, {**script.variables, **(variables or {})}, max_steps, [library.find(id) for id in companions])


def expand(paths: Sequence[str]) -> dict[str, bytes]:
    """The models in files and process folders, by path."""
    from pathlib import Path

    found: dict[str, bytes] = {}
    for path in map(Path, paths):
        files = sorted(p for p in path.rglob("*") if p.suffix in (*kinds.SUFFIXES, ".xml")) if path.is_dir() else [path]
        found.update((str(file), file.read_bytes()) for file in files)
    return found
