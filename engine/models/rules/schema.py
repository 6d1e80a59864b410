"""Rules about the file as XML: only what BPMN knows, with the values that it knows, in its order."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.models.read import NODES
from engine.models.rules.register import Finding, Sheet, rule
from engine.models.xml import BPMN, Node, attribute, name_of

# every element of BPMN 2.0 (formal/2011-01-03, chapters 8 to 11, with the file format of 15.3)
ELEMENTS = frozenset(
    re.findall(
        r"\w+",
        """
    activationCondition adHocSubProcess artifact assignment association auditing baseElement boundaryEvent businessRuleTask callActivity
    callChoreography callConversation callableElement cancelEventDefinition catchEvent category categoryValue categoryValueRef
    childLaneSet choreography choreographyRef choreographyTask collaboration compensateEventDefinition completionCondition
    complexBehaviorDefinition complexGateway condition conditionExpression conditionalEventDefinition conversation
    conversationAssociation conversationLink conversationNode correlationKey correlationProperty correlationPropertyBinding
    correlationPropertyRef correlationPropertyRetrievalExpression correlationSubscription dataAssociation dataInput
    dataInputAssociation dataInputRefs dataObject dataObjectReference dataOutput dataOutputAssociation dataOutputRefs dataPath
    dataState dataStore dataStoreReference definitions documentation endEvent endPoint endPointRef error errorEventDefinition errorRef
    escalation escalationEventDefinition event eventBasedGateway eventDefinition eventDefinitionRef exclusiveGateway expression
    extension extensionElements flowElement flowElementRef flowNode flowNodeRef formalExpression from globalBusinessRuleTask
    globalChoreographyTask globalConversation globalManualTask globalScriptTask globalTask globalUserTask group humanPerformer
    implicitThrowEvent import inMessageRef inclusiveGateway incoming inputDataItem inputSet inputSetRefs interface
    interfaceRef intermediateCatchEvent intermediateThrowEvent ioBinding ioSpecification itemDefinition lane laneSet
    linkEventDefinition loopCardinality loopCharacteristics loopCondition loopDataInputRef loopDataOutputRef manualTask message
    messageEventDefinition messageFlow messageFlowAssociation messageFlowRef messagePath monitoring multiInstanceLoopCharacteristics
    operation operationRef optionalInputRefs optionalOutputRefs outMessageRef outgoing outputDataItem outputSet outputSetRefs
    parallelGateway participant participantAssociation participantMultiplicity participantRef partitionElement partnerEntity
    partnerEntityRef partnerRole partnerRoleRef performer potentialOwner process property receiveTask relationship rendering resource
    resourceAssignmentExpression resourceParameter resourceParameterBinding resourceRef resourceRole rootElement script
    scriptTask sendTask sequenceFlow serviceTask signal signalEventDefinition source sourceRef standardLoopCharacteristics startEvent
    subChoreography subConversation subProcess supportedInterfaceRef supports target targetRef task terminateEventDefinition text
    textAnnotation throwEvent timeCycle timeDate timeDuration timerEventDefinition to transaction transformation
    userTask value whileExecutingInputRefs whileExecutingOutputRefs innerParticipantRef outerParticipantRef
    innerConversationNodeRef outerConversationNodeRef innerMessageFlowRef outerMessageFlowRef callActivityRef
    """,
    )
)
BOOLEANS = {"isExecutable", "isClosed", "isInterrupting", "parallelMultiple", "cancelActivity", "triggeredByEvent", "isForCompensation",
            "isSequential", "instantiate", "isCollection", "testBefore", "isImmediate", "waitForCompletion", "cancelRemainingInstances",
            "isUnlimited"}  # fmt: skip
VALUES = {
    "gatewayDirection": {"Unspecified", "Converging", "Diverging", "Mixed"},
    "eventGatewayType": {"Exclusive", "Parallel"},
    "processType": {"None", "Public", "Private"},
    "associationDirection": {"None", "One", "Both"},
    "ordering": {"Parallel", "Sequential"},
    "behavior": {"None", "One", "All", "Complex"},
    "itemKind": {"Information", "Physical"},
}
FIRST = ("documentation", "extensionElements", "auditing", "monitoring", "categoryValueRef", "incoming", "outgoing")


@rule("element-unknown", "Correct the element's name, or put it among the extension elements.", over="document")
def element_unknown(sheet: Sheet) -> Iterator[Finding]:
    """Every element is one that BPMN knows; others would silently be left out."""
    for node in sheet.all():
        if name_of(node) not in ELEMENTS:
            owner = node if node.get("id") else node.getparent()
            yield Finding(owner, f"BPMN knows no element {name_of(node)}.")


@rule("attribute-value", "Use one of the values that BPMN knows.", over="document")
def attribute_value(sheet: Sheet) -> Iterator[Finding]:
    """Attributes have values that BPMN knows."""
    for node in sheet.all():
        for name in BOOLEANS & set(node.attrib):
            if (attribute(node, name) or "") not in ("true", "false", "1", "0"):
                yield Finding(node, f"Its {name} is {node.get(name)!r}, neither true nor false.")
        for name in VALUES.keys() & set(node.attrib):
            if node.get(name) not in VALUES[name]:
                yield Finding(node, f"Its {name} is {node.get(name)!r}, not one of {', '.join(sorted(VALUES[name]))}.")


@rule("element-order", "Export the file again from a modeller.", over="document", formal=True)
def element_order(sheet: Sheet) -> Iterator[Finding]:
    """A flow node's parts come in the order of BPMN's schema: documentation, extensions, flows, then the rest."""
    for node in sheet.all(*NODES):
        last = 0
        for part in _own(node):
            place = FIRST.index(name_of(part)) if name_of(part) in FIRST else len(FIRST)
            if place < last:
                yield Finding(node, f"Its {name_of(part)} comes too late in the file.")
                break
            last = place


def _own(node: Node) -> Iterator[Node]:
    return node.iterchildren(f"{{{BPMN}}}*")
