"""The command line. Each command lives in its own module, which is imported only when the command is called."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = {
    "bench": "bench:bench",
    "check": "check:check",
    "decide": "evaluate:decide",
    "demo": "demo:demo",
    "deploy": "deploy:deploy",
    "feel": "evaluate:feel",
    "incidents": "operate:incidents",
    "instances": "steer:instances",
    "jobs": "operate:jobs",
    "kpi": "kpi:kpi",
    "legacy": "legacy:legacy",
    "migrate": "serve:migrate",
    "play": "play:play",
    "serve": "serve:serve",
    "tasks": "operate:tasks",
    "worker": "serve:worker",
}


class Lazy(click.Group):
    """A group that knows its commands by name only."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in order."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the command's module."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"web.cli.{module}"), name)
        return command


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="carelane")
def main() -> None:
    """Carelane: a BPMN engine for redesigning clinic processes."""
