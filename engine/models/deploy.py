"""Deploys files as immutable versions: all of them or none, and nothing new where nothing changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine import clock
from engine.db import write_lock
from engine.errors import InvalidModel, NotFound, Problem
from engine.models import files as kinds
from engine.models import lint
from engine.models.elements import ProcessModel
from engine.models.files import Defined
from engine.models.read import read
from engine.models.tables import Definition, Deployment, Resource

Check = Callable[..., list[Problem]]


@dataclass(frozen=True)
class Deployed:
    """What came of deploying: the act (None when nothing was new), each version, and the warnings."""

    deployment: Deployment | None
    versions: list[tuple[Definition, str]] = field(default_factory=list)  # "created" or "unchanged"
    warnings: list[Problem] = field(default_factory=list)

    def created(self, kind: str | None = None) -> list[Definition]:
        """The versions that are new, of one kind or of all."""
        return [d for d, what in self.versions if what == "created" and kind in (None, d.kind)]


def deploy(
    session: Session,
    files: Mapping[str, bytes] | Path,
    *,
    by: str,
    comment: str = "",
    check: Check = lint.check,
) -> Deployed:
    """Deploys files (or a folder) together; raises InvalidModel listing every error, and then changes nothing.

    A process, decision or form whose file is byte for byte that of its newest version (of the same version tag) stays
    as it is, unless it is bound to its deployment's version of something that is new.
    `check` is `lint.check` or one that checks more; it is told what is deployed already.
    """
    contents = kinds.gather([files]) if isinstance(files, Path) else dict(files)
    write_lock(session)
    problems = check(contents, known=lambda kind, key, tag: newest(session, kind, key, version_tag=tag) is not None)
    errors = [p for p in problems if p.severity == "error"]
    if errors:
        raise InvalidModel(errors)
    gaps = {(p.file, p.element) for p in problems if p.rule in lint.PLACEHOLDERS or (p.rule in lint.RULES and lint.RULES[p.rule].running)}
    wanted = [d for file, content in contents.items() for d in _defines(file, content, gaps)]
    if not wanted:
        raise InvalidModel(
            [Problem("nothing-to-deploy", "There is no process, decision or form to deploy.", "Give at least one that is complete.")]
        )
    deployment = Deployment(at=clock.now(), by=by, comment=comment)
    standing = {one: found for one in wanted if (found := _standing(session, one, contents[one.file])) is not None}
    for one in _moved(wanted, standing, contents):
        del standing[one]
    versions = [(standing[d], "unchanged") if d in standing else (_put(session, d, contents[d.file], deployment), "created") for d in wanted]
    new = any(what == "created" for _, what in versions)
    return Deployed(deployment if new else None, versions, problems)


def _defines(file: str, content: bytes, gaps: set[tuple[str | None, str | None]]) -> Iterator[Defined]:
    """What a file defines, without the drawings that were never meant to run and have gaps."""
    kind = kinds.kind_of(file, content)
    if kind == "process":
        for model in read(content, file):
            if not model.executable and any((file, element) in gaps for element in model.elements):
                continue
            chinese = model.properties.get("carelane:name:zh")
            names = {"en": model.name or model.id} | ({"zh": chinese} if chinese else {})
            yield Defined("process", model.id, file, model.name or model.id, names, model.version_tag)
    elif kind == "decision":
        yield from kinds.decisions(content, file)
    elif kind == "form":
        yield kinds.form(content, file)


def _standing(session: Session, defined: Defined, content: bytes) -> Definition | None:
    """The newest version of the tag, when it has this content."""
    found = newest(session, defined.kind, defined.key, version_tag=defined.version_tag, any_tag=False)
    return found if found is not None and found.hash == hashlib.sha256(content).hexdigest() else None


def _moved(wanted: Collection[Defined], standing: Collection[Defined], contents: Mapping[str, bytes]) -> Iterator[Defined]:
    """Processes whose file is unchanged, but which mean the versions of their own deployment, and something of that is new."""
    fresh = {(d.kind, d.key) for d in wanted if d not in standing}
    left = {d: _of_its_deployment(d, contents[d.file]) for d in standing if d.kind == "process"}
    while found := [d for d, meant in left.items() if meant & fresh]:
        for one in found:
            del left[one]
            fresh.add((one.kind, one.key))
            yield one


def _of_its_deployment(process: Defined, content: bytes) -> set[tuple[str, str]]:
    """What a process takes in the version of its own deployment."""
    model = next(m for m in read(content, process.file) if (m.id, m.version_tag) == (process.key, process.version_tag))
    return {(kind, one.key) for e in model.elements.values() for kind, one in e.refers() if one.binding == "deployment"}


def _put(session: Session, defined: Defined, content: bytes, deployment: Deployment) -> Definition:
    """A new version after the newest one."""
    digest = hashlib.sha256(content).hexdigest()
    if session.get(Resource, digest) is None:
        session.add(Resource(hash=digest, content=content))
    session.add(deployment)
    session.flush()
    last = session.scalar(select(func.max(Definition.version)).where(Definition.kind == defined.kind, Definition.key == defined.key))
    definition = Definition(
        kind=defined.kind,
        key=defined.key,
        version=(last or 0) + 1,
        version_tag=defined.version_tag,
        name=defined.name[:300],
        names=dict(defined.names),
        file=defined.file[-300:],
        hash=digest,
        deployment_id=deployment.id,
        at=deployment.at,
    )
    session.add(definition)
    session.flush()
    return definition


def newest(session: Session, kind: str, key: str, *, version_tag: str | None = None, any_tag: bool = True) -> Definition | None:
    """The newest version of something, or None; with `any_tag` False only of exactly that tag (None: untagged)."""
    query = select(Definition).where(Definition.kind == kind, Definition.key == key)
    if version_tag is not None or not any_tag:
        query = query.where(Definition.version_tag == version_tag)
    return session.scalar(query.order_by(Definition.version.desc()).limit(1))


def definition(session: Session, kind: str, key: str, version: int | None = None, version_tag: str | None = None) -> Definition:
    """A version of a process, decision or form: that one, the newest of a tag, or the newest; raises NotFound."""
    if version is not None:
        found = session.scalar(select(Definition).where(Definition.kind == kind, Definition.key == key, Definition.version == version))
    else:
        found = newest(session, kind, key, version_tag=version_tag)
    if found is None:
        which = f" version {version}" if version is not None else f" with the tag {version_tag}" if version_tag else ""
        raise NotFound(f"There is no {kind} {key}{which}.")
    return found


def content(session: Session, definition: Definition) -> bytes:
    """The bytes of the file that a version was deployed from."""
    resource = session.get(Resource, definition.hash)
    if resource is None:
        raise NotFound(f"The file of {definition.kind} {definition.key} version {definition.version} is gone.")
    return resource.content


def model(session: Session, definition: Definition) -> ProcessModel:
    """The process model of a version; read once for each content."""
    place = (definition.hash, definition.key)
    if place not in _models:
        if len(_models) > 500:
            _models.clear()
        _models.update({(definition.hash, m.id): m for m in read(content(session, definition), definition.file)})
    return _models[place]


_models: dict[tuple[str, str], ProcessModel] = {}
