"""Deploys files as immutable versions: all of them or none, and nothing new where nothing changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
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


@dataclass(frozen=True)
class _Version:
    defined: Defined
    version_tag: str | None = None


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
    as it is. `check` is `lint.check` or one that checks more; it is told what is deployed already.
    """
    contents = kinds.gather([files]) if isinstance(files, Path) else dict(files)
    write_lock(session)
    problems = check(contents, known=lambda kind, key: newest(session, kind, key) is not None)
    errors = [p for p in problems if p.severity == "error"]
    if errors:
        raise InvalidModel(errors)
    gaps = {(p.file, p.element) for p in problems if p.rule in lint.PLACEHOLDERS or (p.rule in lint.RULES and lint.RULES[p.rule].running)}
    wanted = [v for file, content in contents.items() for v in _defines(file, content, gaps)]
    if not wanted:
        raise InvalidModel(
            [Problem("nothing-to-deploy", "There is no process, decision or form to deploy.", "Give at least one that is complete.")]
        )
    deployment = Deployment(at=clock.now(), by=by, comment=comment)
    versions = [_put(session, v, contents[v.defined.file], deployment) for v in wanted]
    new = any(what == "created" for _, what in versions)
    return Deployed(deployment if new else None, versions, problems)


def _defines(file: str, content: bytes, gaps: set[tuple[str | None, str | None]]) -> Iterator[_Version]:
    """What a file defines, without the drawings that were never meant to run and have gaps."""
    kind = kinds.kind_of(file, content)
    if kind == "process":
        for model in read(content, file):
            if not model.executable and any((file, element) in gaps for element in model.elements):
                continue
            chinese = model.properties.get("carelane:name:zh")
            names = {"en": model.name or model.id} | ({"zh": chinese} if chinese else {})
            yield _Version(Defined("process", model.id, file, model.name or model.id, names), model.version_tag)
    elif kind == "decision":
        yield from (_Version(d) for d in kinds.decisions(content, file))
    elif kind == "form":
        yield _Version(kinds.form(content, file))


def _put(session: Session, wanted: _Version, content: bytes, deployment: Deployment) -> tuple[Definition, str]:
    """The version that stands for the content: the newest one, or a new one after it."""
    defined, digest = wanted.defined, hashlib.sha256(content).hexdigest()
    same_tag = newest(session, defined.kind, defined.key, version_tag=wanted.version_tag, any_tag=False)
    if same_tag is not None and same_tag.hash == digest:
        return same_tag, "unchanged"
    if session.get(Resource, digest) is None:
        session.add(Resource(hash=digest, content=content))
    session.add(deployment)
    session.flush()
    last = session.scalar(select(func.max(Definition.version)).where(Definition.kind == defined.kind, Definition.key == defined.key))
    definition_ = Definition(
        kind=defined.kind,
        key=defined.key,
        version=(last or 0) + 1,
        version_tag=wanted.version_tag,
        name=defined.name[:300],
        names=dict(defined.names),
        file=defined.file[-300:],
        hash=digest,
        deployment_id=deployment.id,
        at=deployment.at,
    )
    session.add(definition_)
    session.flush()
    return definition_, "created"


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
