"""The clinic's tables say what their sources say, at every boundary."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.execution.dmn import decide, read

PROCESSES = Path(__file__).parents[2] / "processes"
# A patient with nothing wrong, whose one finding is varied.
WELL = {
    "heartRate": 80,
    "sbp": 120,
    "spo2": 98,
    "temperature": 36.8,
    "respirationRate": 16,
    "consciousness": "A",
    "pain": 0,
    "gcs": 15,
    "severePainLevel": 2,
}


def _ask(file: str, decision: str, **values: Any) -> Any:
    return decide([read((PROCESSES / file).read_bytes())], decision, values).result


def _acuity(**values: Any) -> Mapping[str, Any]:
    answer: Mapping[str, Any] = _ask("triage/decisions/acuity.dmn", "acuity", **{**WELL, **values})
    return answer


# 急诊预检分诊专家共识 2018, table 1; where bounds touch, the more urgent level holds
@pytest.mark.parametrize(
    ("finding", "level"),
    [
        ({}, 4),
        ({"heartRate": 181}, 1), ({"heartRate": 39}, 1), ({"heartRate": 180}, 2), ({"heartRate": 150}, 2), ({"heartRate": 40}, 2),
        ({"heartRate": 50}, 2), ({"heartRate": 149}, 3), ({"heartRate": 100}, 3), ({"heartRate": 55}, 3), ({"heartRate": 56}, 4),
        ({"sbp": 69}, 1), ({"sbp": 70}, 2), ({"sbp": 80}, 2), ({"sbp": 201}, 2), ({"sbp": 90}, 3), ({"sbp": 200}, 3), ({"sbp": 91}, 4),
        ({"spo2": 79}, 1), ({"spo2": 80}, 2), ({"spo2": 90}, 2), ({"spo2": 91}, 3), ({"spo2": 94}, 3), ({"spo2": 95}, 4),
        ({"temperature": 41.1}, 1), ({"glucose": 3.32}, 1), ({"glucose": 3.33}, 4), ({"potassium": 7.1}, 1), ({"potassium": 7.0}, 4),
        ({"gcs": 8}, 1), ({"gcs": 9}, 4), ({"ecgAmi": True}, 2), ({"feverNeutropenia": True}, 2), ({"pain": 4}, 3), ({"pain": 3}, 4),
    ],
)  # fmt: skip
def test_the_four_levels(finding: dict[str, Any], level: int) -> None:
    assert _acuity(**finding)["acuity"] == level


def test_low_saturation_without_breathlessness_is_one_level_less_urgent() -> None:
    assert _acuity(spo2=79, breathlessDespiteOxygen=False)["acuity"] == 2
    assert _acuity(spo2=85, breathlessDespiteOxygen=False)["acuity"] == 3


@pytest.mark.parametrize(("set_by_clinic", "level"), [(1, 1), (2, 2)])
def test_the_clinic_sets_the_level_of_severe_pain(set_by_clinic: int, level: int) -> None:
    assert _acuity(pain=7, severePainLevel=set_by_clinic)["acuity"] == level


def test_the_most_urgent_finding_counts() -> None:
    assert _acuity(pain=5, heartRate=190)["acuity"] == 1


@pytest.mark.parametrize(("nurse", "level"), [("1", 1), ("3", 3), (None, 3)])
def test_the_nurse_may_raise_the_level_but_not_lower_it(nurse: str | None, level: int) -> None:
    assert _acuity(pain=5, nurseLevel=nurse)["acuity"] == level
    assert _acuity(heartRate=190, nurseLevel=nurse)["acuity"] == 1


# Royal College of Physicians, NEWS2 (2017), chart 1
@pytest.mark.parametrize(
    ("finding", "points"),
    [
        ({"respirationRate": 8}, 3), ({"respirationRate": 9}, 1), ({"respirationRate": 20}, 0), ({"respirationRate": 24}, 2), ({"respirationRate": 25}, 3),
        ({"spo2": 91}, 3), ({"spo2": 93}, 2), ({"spo2": 95}, 1), ({"spo2": 96}, 0), ({"onOxygen": True}, 2),
        ({"sbp": 90}, 3), ({"sbp": 100}, 2), ({"sbp": 110}, 1), ({"sbp": 219}, 0), ({"sbp": 220}, 3),
        ({"heartRate": 40}, 3), ({"heartRate": 50}, 1), ({"heartRate": 90}, 0), ({"heartRate": 110}, 1), ({"heartRate": 130}, 2), ({"heartRate": 131}, 3),
        ({"consciousness": "C"}, 3), ({"temperature": 35.0}, 3), ({"temperature": 36.0}, 1), ({"temperature": 38.0}, 0), ({"temperature": 39.0}, 1),
        ({"temperature": 39.1}, 2), ({"spo2": 90, "hypercapnicTarget": True}, 0), ({"spo2": 97, "hypercapnicTarget": True}, 0),
        ({"spo2": 97, "hypercapnicTarget": True, "onOxygen": True}, 5),
    ],
)  # fmt: skip
def test_news2_points(finding: dict[str, Any], points: int) -> None:
    assert sum(_ask("triage/decisions/acuity.dmn", "news2_points", **{**WELL, **finding}) or []) == points


@pytest.mark.parametrize(
    ("finding", "level"),
    [
        ({}, 4),
        ({"respirationRate": 25}, 3),
        ({"respirationRate": 24, "heartRate": 131}, 2),
        ({"respirationRate": 25, "heartRate": 131, "sbp": 110}, 1),
    ],
)
def test_news2_bands_become_levels(finding: dict[str, Any], level: int) -> None:
    assert _acuity(triageScheme="news2", **finding)["acuity"] == level


# ESI v4, AHRQ handbook 2012: the decision points A to D, the first that fits
@pytest.mark.parametrize(
    ("finding", "level"),
    [
        ({"lifeSaving": True}, 1), ({"spo2": 89}, 1), ({"consciousness": "U"}, 1), ({"highRisk": True}, 2), ({"consciousness": "C"}, 2),
        ({"pain": 7, "resourcesExpected": 0}, 2), ({"resourcesExpected": 0}, 4), ({"resourcesExpected": 1}, 4), ({"resourcesExpected": 2}, 3),
        ({"resourcesExpected": 2, "age": 30, "heartRate": 101}, 2), ({"resourcesExpected": 2, "age": 5, "heartRate": 101}, 3),
        ({"resourcesExpected": 2, "age": 5, "respirationRate": 31}, 2), ({"resourcesExpected": 2, "spo2": 91}, 2),
    ],
)  # fmt: skip
def test_esi(finding: dict[str, Any], level: int) -> None:
    assert _acuity(triageScheme="esi", **finding)["acuity"] == level


@pytest.mark.parametrize(
    ("patient", "department", "urgent"),
    [
        ({"symptoms": ["fever", "cough"], "age": 40, "sex": "male"}, "internal_medicine", False),
        ({"symptoms": ["fever"], "age": 13, "sex": "male"}, "paediatrics", False),
        ({"symptoms": ["chest_pain"], "age": 60, "sex": "male"}, "internal_medicine", True),
        ({"symptoms": ["abdominal_pain", "menstrual"], "age": 28, "sex": "female", "pregnant": True}, "gynaecology", True),
        ({"symptoms": ["menstrual"], "age": 28, "sex": "female", "pregnant": False}, "gynaecology", False),
        ({"symptoms": ["injury"], "age": 30, "sex": "male"}, "orthopaedics", False),
        ({"symptoms": ["lump"], "age": 30, "sex": "male"}, "surgery", False),
        ({"symptoms": ["sore_throat"], "age": 30, "sex": "male"}, "ent", False),
        ({"symptoms": ["sore_throat", "fever"], "age": 30, "sex": "male"}, "internal_medicine", False),
        ({"symptoms": None, "age": None, "sex": None}, "internal_medicine", False),
    ],
)
def test_symptoms_suggest_a_department(patient: dict[str, Any], department: str, urgent: bool) -> None:
    answer = _ask("registration/decisions/department_guidance.dmn", "department_guidance", **patient)

    assert (answer["department"], answer["urgent"]) == (department, urgent)


@pytest.mark.parametrize(
    ("result", "value", "unit", "flag"),
    [
        ({"code": "2345-7", "value": 198, "unit": "mg/dL"}, 10.99, "mmol/L", "H"),
        ({"code": "2345-7", "value": 2.7, "unit": "mmol/L"}, 2.7, "mmol/L", "LL"),
        ({"code": "2345-7", "value": 3.9, "unit": "mmol/L"}, 3.9, "mmol/L", "N"),
        ({"code": "2160-0", "value": 1.2, "unit": "mg/dL", "sex": "male"}, 106.08, "umol/L", "H"),
        ({"code": "2160-0", "value": 80, "unit": "umol/L", "sex": "female"}, 80, "umol/L", "H"),
        ({"code": "2160-0", "value": 80, "unit": "umol/L", "sex": "male"}, 80, "umol/L", "N"),
        ({"code": "2823-3", "value": 6.3, "unit": "mmol/L"}, 6.3, "mmol/L", "HH"),
        ({"code": "12345-6", "value": 1, "unit": "mg"}, 1, "mg", None),
        ({"code": "2160-0", "value": "<5", "unit": "umol/L"}, "<5", "umol/L", None),
    ],
)
def test_results_get_one_unit_and_a_flag(result: dict[str, Any], value: object, unit: str, flag: str | None) -> None:
    answer = _ask("exam/decisions/abnormal_flags.dmn", "abnormal_flags", **result)

    shown = answer["value"] if isinstance(value, str) else float(answer["value"])
    assert (shown, answer["unit"], answer["flag"]) == (value, unit, flag)


def test_what_the_fee_schedule_lacks_has_no_price_instead_of_none_to_pay() -> None:
    assert _ask("payment/decisions/fees.dmn", "fee_schedule", code="1988-5")["price"] == 3000
    assert _ask("payment/decisions/fees.dmn", "fee_schedule", code="99999-9") == {"category": "unknown", "name": "99999-9", "price": None}


def test_every_test_study_and_medicine_that_a_form_offers_has_a_price() -> None:
    import json

    offered = {
        option["value"]
        for form in ("consult", "diagnose")
        for field in _fields(json.loads((PROCESSES / f"exam/forms/{form}.form").read_text()))
        if field.get("key") in ("labTests", "imagingStudy", "drug")
        for option in field["values"]
    }
    assert len(offered) > 20
    assert [code for code in sorted(offered) if _ask("payment/decisions/fees.dmn", "fee_schedule", code=code)["price"] is None] == []


def _fields(part: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [field for child in part.get("components", []) for field in (child, *_fields(child))]
