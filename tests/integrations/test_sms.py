"""Text messages: Chinese numbers, two wires with their signatures, refusals told from failures."""

from __future__ import annotations

import pytest

from engine.errors import BpmnError, ConnectorFailed
from integrations.connections import book, probe
from integrations.connectors.sms_send import number
from integrations.simulators.desk import Faults
from integrations.simulators.sms_end import BLOCKED
from integrations.sms import wires
from tests.integrations.conftest import World

QUEUE = {"phone": "13912345678", "template": "SMS_QUEUE", "parameters": {"name": "王小明", "ticket": "N12"}}


def use(world: World, scheme: str, **secrets: str) -> None:
    with world.sessions() as session:
        row = book.get(session, "sms")
        book.put(session, "sms", "sms", address={**row.address, "scheme": scheme, "idempotent": scheme == "hmac"}, secrets=secrets)
        session.commit()


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("13912345678", "+8613912345678"), ("+86 139-1234-5678", "+8613912345678"), ("008613912345678", "+8613912345678"),
        ("86 139 1234 5678", "+8613912345678"), ("+852 9123 4567", "+85291234567"),
    ],
)  # fmt: skip
def test_numbers_are_understood_as_they_are_written(given: str, wanted: str) -> None:
    assert number(given) == wanted


@pytest.mark.parametrize(
    "given", ["010-88888888", "12345678901", "1391234567", "139123456789", "+8610123", "王小明", "13912345678;13800138000"]
)
def test_what_is_no_mobile_number_is_refused_without_repeating_it(given: str) -> None:
    with pytest.raises(ConnectorFailed, match="no mobile number") as failed:
        number(given)
    assert (failed.value.kind, given in failed.value.message) == ("permanent", False)


def test_the_signature_is_the_one_that_alibaba_cloud_publishes() -> None:
    """The worked example of the SendSms documentation."""
    query = {
        "AccessKeyId": "testId", "Timestamp": "2017-07-12T02:42:19Z", "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
        "SignatureNonce": "45e25e9b-0a6f-4070-8c85-2956eda1b466", "Format": "XML", "Action": "SendSms", "Version": "2017-05-25",
        "RegionId": "cn-hangzhou", "PhoneNumbers": "15300000001", "SignName": "阿里云短信测试专用", "TemplateParam": '{"customer":"test"}',
        "TemplateCode": "SMS_71390007", "OutId": "123",
    }  # fmt: skip
    assert wires.aliyun_signature("testSecret", "GET", query) == "zJDF+Lrzhj/ThnlvIToysFRq6t4="


@pytest.mark.parametrize("scheme", ["hmac", "aliyun"])
def test_a_message_is_taken_with_its_template_filled_in(world: World, scheme: str) -> None:
    use(world, scheme, access_key="testId")
    assert str(world.call("sms.send", **QUEUE)["messageId"]).startswith("M")
    (item,) = world.desk.of("sms")
    assert item.shown == {"patient": "+8613912345678", "summary": "您好王小明，您的号 N12 即将就诊。"}


@pytest.mark.parametrize("scheme", ["hmac", "aliyun"])
def test_a_wrong_key_is_permanent(world: World, scheme: str) -> None:
    use(world, scheme, access_key="testId", secret_key="wrong")
    with pytest.raises(ConnectorFailed) as failed:
        world.call("sms.send", **QUEUE)
    assert failed.value.kind == "permanent"
    assert list(world.desk.of("sms")) == []


@pytest.mark.parametrize("scheme", ["hmac", "aliyun"])
def test_a_blocked_number_is_a_business_error(world: World, scheme: str) -> None:
    use(world, scheme, access_key="testId")
    with pytest.raises(BpmnError) as refused:
        world.call("sms.send", **{**QUEUE, "phone": BLOCKED})
    assert refused.value.code == "FAR_END_REFUSED"
    assert BLOCKED not in refused.value.message


def test_a_lost_answer_is_unknown_where_the_provider_would_send_twice(world: World) -> None:
    use(world, "aliyun", access_key="testId")
    with world.sessions() as session:
        row = book.get(session, "sms")
        row.address = {**row.address, "timeout": 0.3}
        session.commit()
    book.forget()
    world.desk.faults["sms"] = Faults(lost=1.0, hang_seconds=0.6)
    with pytest.raises(ConnectorFailed) as failed:
        world.call("sms.send", **QUEUE)
    assert failed.value.kind == "unknown"


@pytest.mark.parametrize(
    ("changes", "said"), [({"parameters": {"name": None}}, "parameters.name"), ({"parameters": {"name": ["a"]}}, "parameters.name"),
                          ({"template": None}, "template: is required")],
)  # fmt: skip
def test_wrong_inputs_are_named(world: World, changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConnectorFailed, match=said) as failed:
        world.call("sms.send", **{**QUEUE, **changes})
    assert failed.value.kind == "permanent"


def test_an_unknown_scheme_is_named_and_a_test_sends_nothing(world: World) -> None:
    with world.sessions() as session:
        assert probe.test(session, "sms").good
    use(world, "smoke")
    with pytest.raises(ConnectorFailed, match="aliyun, hmac, plain"):
        world.call("sms.send", **QUEUE)
    assert list(world.desk.of("sms")) == []
