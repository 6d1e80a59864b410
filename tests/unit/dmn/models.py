"""Small decision models, written short."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from engine.execution import dmn

XMLNS = "https://www.omg.org/spec/DMN/20191111/MODEL/"


def model(*elements: str, namespace: str = "clinic", xmlns: str = XMLNS) -> dmn.DecisionModel:
    """A model of these elements."""
    return dmn.read(xml(*elements, namespace=namespace, xmlns=xmlns))


def xml(*elements: str, namespace: str = "clinic", xmlns: str = XMLNS) -> bytes:
    """The file of a model of these elements."""
    head = f'<definitions xmlns="{xmlns}" id="m" name="Model" namespace="{namespace}">'
    return (head + "".join(elements) + "</definitions>").encode()


def input_data(name: str, type_: str = "") -> str:
    """Input data; its id is its name without spaces."""
    return f'<inputData id="{key(name)}" name="{name}"><variable name="{name}"{typed(type_)}/></inputData>'


def decision(name: str, logic: str, *requires: str, type_: str = "") -> str:
    """A decision; requirements are names, those of knowledge begin with `@`."""
    arrows = "".join(_arrow(one) for one in requires)
    return f'<decision id="{key(name)}" name="{name}"><variable name="{name}"{typed(type_)}/>{arrows}{logic}</decision>'


def _arrow(name: str) -> str:
    if name.startswith("@"):
        return f'<knowledgeRequirement><requiredKnowledge href="#{key(name[1:])}"/></knowledgeRequirement>'
    kind, target = ("requiredDecision", name[1:]) if name.startswith("!") else ("requiredInput", name)
    href = target if "#" in target else f"#{key(target)}"
    return f'<informationRequirement><{kind} href="{href}"/></informationRequirement>'


def literal(text: str, type_: str = "") -> str:
    """A literal expression."""
    return f"<literalExpression{typed(type_)}><text>{escape(text)}</text></literalExpression>"


def table(inputs: list[str], outputs: list[str], rules: list[str], policy: str = "UNIQUE", **more: str) -> str:
    """A decision table. Inputs are `expression:type:allowed`, outputs `name:type:values:default`, rules cells by ` | `."""
    attributes = f' aggregation="{more["aggregation"]}"' if "aggregation" in more else ""
    columns = "".join(_input(one) for one in inputs) + "".join(_output(one) for one in outputs)
    rows = "".join(_rule(number, rule, len(inputs)) for number, rule in enumerate(rules, start=1))
    return f'<decisionTable id="table" hitPolicy="{policy}"{attributes}>{columns}{rows}</decisionTable>'


def _input(text: str) -> str:
    expression, type_, allowed = ([*text.split(":"), "", ""])[:3]
    values = f"<inputValues><text>{escape(allowed)}</text></inputValues>" if allowed else ""
    return f"<input><inputExpression{typed(type_)}><text>{escape(expression)}</text></inputExpression>{values}</input>"


def _output(text: str) -> str:
    name, type_, values, default = ([*text.split(":"), "", "", ""])[:4]
    listed = f"<outputValues><text>{escape(values)}</text></outputValues>" if values else ""
    otherwise = f"<defaultOutputEntry><text>{escape(default)}</text></defaultOutputEntry>" if default else ""
    return f"<output name={quoteattr(name)}{typed(type_)}>{listed}{otherwise}</output>"


def _rule(number: int, text: str, inputs: int) -> str:
    cells = [cell.strip() for cell in text.split("|")]
    entries = [f"<inputEntry><text>{escape(cell)}</text></inputEntry>" for cell in cells[:inputs]]
    results = [f"<outputEntry><text>{escape(cell)}</text></outputEntry>" for cell in cells[inputs:]]
    return f'<rule id="r{number}">{"".join(entries + results)}</rule>'


def typed(type_: str) -> str:
    """A typeRef attribute."""
    return f' typeRef="{type_}"' if type_ else ""


def key(name: str) -> str:
    """An id for a name."""
    return name.replace(" ", "_")
