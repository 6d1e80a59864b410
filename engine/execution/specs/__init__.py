"""Our spec classes: what each BPMN element does when a token reaches it."""

from __future__ import annotations

from engine.execution.specs.activities import CallActivity, Manual, ReceiveTask, Subprocess
from engine.execution.specs.base import ElementSpec
from engine.execution.specs.events import BoundaryEvent, CatchEvent, EndEvent, StartEvent, ThrowEvent
from engine.execution.specs.gateways import EventGateway, ExclusiveGateway, InclusiveGateway, ParallelGateway
from engine.execution.specs.work import BusinessRuleTask, ScriptTask, SendTask, ServiceTask, UserTask
from engine.models.elements import Element

_CLASSES: dict[str, type[ElementSpec]] = {
    "startEvent": StartEvent,
    "endEvent": EndEvent,
    "intermediateCatchEvent": CatchEvent,
    "intermediateThrowEvent": ThrowEvent,
    "boundaryEvent": BoundaryEvent,
    "exclusiveGateway": ExclusiveGateway,
    "parallelGateway": ParallelGateway,
    "inclusiveGateway": InclusiveGateway,
    "eventBasedGateway": EventGateway,
    "task": Manual,
    "manualTask": Manual,
    "userTask": UserTask,
    "serviceTask": ServiceTask,
    "sendTask": SendTask,
    "receiveTask": ReceiveTask,
    "scriptTask": ScriptTask,
    "businessRuleTask": BusinessRuleTask,
    "subProcess": Subprocess,
    "transaction": Subprocess,
    "callActivity": CallActivity,
}


def spec_class(element: Element) -> type[ElementSpec] | None:
    """The class that runs this element; None when we do not run it."""
    return _CLASSES.get(element.type)
