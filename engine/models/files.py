"""The files of a deployment: which is a diagram, a decision or a form, what each defines, and how a folder is gathered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson

from engine.errors import InvalidModel, Problem
from engine.models.xml import ZEEBE, Node, attribute, children, name_of, namespace_of, parse, refused, text_of

Kind = Literal["process", "decision", "form"]
SUFFIXES: dict[str, Kind] = {".bpmn": "process", ".bpmn2": "process", ".bpmn20.xml": "process", ".dmn": "decision", ".form": "form"}
DMN = "/DMN/"


@dataclass(frozen=True, slots=True, eq=False)
class Defined:
    """One thing that a decision or form file defines."""

    kind: Kind
    key: str
    file: str
    name: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    version_tag: str | None = None


def kind_of(file: str, content: bytes = b"") -> Kind | None:
    """What a file is, by its name, or for plain `.xml` and `.json` by what is in it; None when it is nothing to deploy."""
    lower = file.lower()
    for suffix, kind in SUFFIXES.items():
        if lower.endswith(suffix):
            return kind
    if lower.endswith(".xml"):
        head = content[:4000]
        return "process" if b"BPMN/20100524/MODEL" in head else "decision" if b"/spec/DMN/" in head else None
    if lower.endswith(".json") and b'"components"' in content and b'"type"' in content:
        return "form"
    return None


def gather(paths: Iterable[Path]) -> dict[str, bytes]:
    """The deployable files of folders and files, by a path that is short and unique.

    What is hidden or a template (a name that begins with `.` or `_`) is left out, unless it is given itself.
    """
    found: dict[str, bytes] = {}
    given = list(paths)
    for path in given:
        inside = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in inside:
            relative = file.relative_to(path) if path.is_dir() else Path(file.name)
            if path.is_dir() and any(part.startswith((".", "_")) for part in relative.parts):
                continue
            content = file.read_bytes()
            if kind_of(file.name, content) or not path.is_dir():
                name = f"{path.name}/{relative.as_posix()}" if path.is_dir() and len(given) > 1 else relative.as_posix()
                found[name if name not in found else f"{path.name}/{name}"] = content
    return found


def imports(path: Path, found: dict[str, bytes] | None = None) -> dict[str, bytes]:
    """The files beside `path` that it imports, and those that they import; what is elsewhere is not fetched."""
    found = {} if found is None else found
    try:
        nodes = children(parse(path.read_bytes()), "import")
    except InvalidModel:
        return found
    for node in nodes:
        location = attribute(node, "location") or ""
        target = path.parent / location
        if location and "://" not in location and ".." not in target.parts and target.is_file() and location not in found:
            found[location] = target.read_bytes()
            imports(target, found)
    return found


def decisions(xml: bytes, file: str = "") -> list[Defined]:
    """The decisions of a DMN file; raises InvalidModel when it is not DMN."""
    root = parse(xml, file)
    if DMN not in namespace_of(root) or name_of(root) != "definitions":
        raise refused(file, "not-dmn", "The file is not a DMN model.", "Export it as DMN 1.3 XML.")
    found = []
    own = children(root, "decision", namespace_of(root)) or children(root, "businessKnowledgeModel", namespace_of(root))  # a library
    for node in own:
        name = attribute(node, "name") or ""
        chinese = text_of(next(iter(children(node, "description", namespace_of(root))), None))
        names = {"en": name} | ({"zh": chinese.split("。")[0]} if chinese else {})  # its first sentence; the rest are remarks
        found.append(Defined("decision", attribute(node, "id") or name, file, name, names, decision_tag(node)))
    return found


def decision_tag(decision: Node) -> str | None:
    """The version tag of a decision: its own `zeebe:versionTag`, else that of its whole file."""
    for node in (decision, decision.getparent()):
        for box in [] if node is None else children(node, "extensionElements", namespace_of(node)):
            if tag := attribute(next(iter(children(box, "versionTag", ZEEBE)), None), "value"):
                return tag
    return None


def form(content: bytes, file: str = "") -> Defined:
    """The form of a form-js file; raises InvalidModel when it is not JSON. Without an id, the file's name is its key."""
    try:
        schema: Any = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InvalidModel([Problem("not-json", f"The form is not JSON: {error}.", "Export it again.", file=file or None)]) from error
    if not isinstance(schema, dict) or not isinstance(schema.get("components"), list):
        raise InvalidModel([Problem("not-a-form", "The file is not a form-js schema.", "It needs a list of components.", file=file or None)])
    key = str(schema.get("id") or Path(file).stem)
    given = schema.get("properties")
    properties: dict[str, Any] = given if isinstance(given, dict) else {}
    name = str(schema.get("name") or schema.get("label") or properties.get("name") or key)
    chinese = properties.get("name:zh") or properties.get("label:zh")
    tag = schema.get("versionTag")
    return Defined("form", key, file, name, {"en": name} | ({"zh": str(chinese)} if chinese else {}), str(tag) if tag else None)
