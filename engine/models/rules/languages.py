"""Rules about the languages of scripts and expressions: FEEL is the one that runs."""

from __future__ import annotations

from collections.abc import Iterator

from engine.models.rules.register import Finding, Process, Severity, Sheet, rule
from engine.models.xml import SPIFF, attribute, child, extensions, name_of, text_of

FOREIGN = {
    "python", "javascript", "ecmascript", "groovy", "java", "mvel", "ruby", "jruby", "js", "jython", "kotlin", "php", "lua", "scala", "perl",
    "bash", "shell", "sql", "xquery", "xpath", "xslt", "beanshell", "bsh", "typescript", "c#", "vb", "powershell", "r", "drools", "freemarker",
    "velocity",
}  # fmt: skip
TRANSLATED = {"juel", "el", "uel"}
EXPRESSIONS = ("conditionExpression", "condition", "completionCondition", "loopCondition", "loopCardinality", "timeDate", "timeDuration",
               "timeCycle")  # fmt: skip


def _language(text: str) -> str:
    """A language's name out of a MIME type, an address or a name."""
    return text.lower().rstrip("/").rsplit("/", 1)[-1].removeprefix("x-").split("1999")[-1]


def _finding(said: str) -> tuple[str, Severity | None] | None:
    """What is to be said about a language; None for FEEL and what is translated into it."""
    language = _language(said)
    if "feel" in said.lower() or language in TRANSLATED:
        return None
    if language in FOREIGN:
        return f"It is written in {said}, which is never run here.", None
    return f"The language {said} is unknown; it is read as FEEL.", "warning"


@rule("script-language", "Write it in FEEL, or call a connector.", running=True)
def script_language(process: Process) -> Iterator[Finding]:
    """Scripts are FEEL."""
    for element in process.of("scriptTask"):
        if not element.script:
            continue
        if element.script_format and (found := _finding(element.script_format)):
            yield Finding(element, *found)
        elif not element.script_format and SPIFF in process.sheet.document.namespaces:
            yield Finding(element, "It is written in Python, which is never run here.")


@rule("script-format", "Set scriptFormat to feel.", over="document", formal=True)
def script_format(sheet: Sheet) -> Iterator[Finding]:
    """A script says in which language it is written."""
    for node in sheet.all("scriptTask"):
        if text_of(child(node, "script")) and not attribute(node, "scriptFormat"):
            yield Finding(node, "The script does not say in which language it is written.")


@rule("script-around", "Map inputs and outputs with FEEL.", over="document")
def script_around(sheet: Sheet) -> Iterator[Finding]:
    """No script runs before or after an element."""
    for node in sheet.all():
        for name in ("preScript", "postScript"):
            if extensions(node, name, SPIFF):
                yield Finding(node, f"Its {name} would never run.")


@rule("expression-language", "Write it in FEEL.", over="document")
def expression_language(sheet: Sheet) -> Iterator[Finding]:
    """Expressions are FEEL."""
    for node in sheet.all(*EXPRESSIONS):
        said = attribute(node, "language")
        if said and text_of(node) and (found := _finding(said)):
            owner = next((n for n in node.iterancestors() if n.get("id")), node)
            yield Finding(owner, f"{name_of(node)}: {found[0]}", found[1])
