"""DMN: decision models read from XML, checked at deploy, and decided inside the FEEL isolate."""

from engine.execution.dmn.decisions import Decided, Hit, decide
from engine.execution.dmn.elements import DecisionModel, Node
from engine.execution.dmn.lint import problems
from engine.execution.dmn.reading import read

__all__ = ["Decided", "DecisionModel", "Hit", "Node", "decide", "problems", "read"]
