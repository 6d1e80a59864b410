"""Forms that the tests share, and a stand-in for FEEL."""

from __future__ import annotations

from collections.abc import Mapping

from forms.conditions import simple_condition
from forms.paths import MISSING, dig

CONTEXT: dict[str, object] = {
    "patientName": "王小明",
    "tests": [{"code": "718-7", "name": "血红蛋白", "price": 2500}, {"code": "2345-7", "name": "Glucose", "price": 0}],
    "rooms": [{"value": 1, "label": "Room 1", "label:zh": "一诊室"}, {"value": 2, "label": "Room 2", "label:zh": "二诊室"}],
}


def evaluate(expression: str, variables: Mapping[str, object]) -> object:
    """Evaluate names and simple comparisons, as FEEL would."""
    condition = simple_condition(expression)
    if condition is not None and not expression.replace(".", "").replace("_", "").isalnum():
        return _holds(condition, variables)
    found = dig(variables, expression.split("."))
    return None if found is MISSING else found


def _holds(condition: list[object], variables: Mapping[str, object]) -> bool | None:
    sign, *parts = condition
    if sign in {"and", "or", "not"}:
        results = [_holds(part, variables) for part in parts if isinstance(part, list)]
        if sign == "not":
            return None if results[0] is None else not results[0]
        return all(results) if sign == "and" else any(results)
    left, right = dig(variables, str(parts[0]).split(".")), parts[1]
    left = None if left is MISSING else left
    if sign in {"=", "!="}:
        return (left == right) is (sign == "=")
    if left is None or right is None:
        return None
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[str(sign)]  # type: ignore[operator]


def form(*components: dict[str, object]) -> dict[str, object]:
    """Make a form of components."""
    return {"type": "default", "id": "Form_sample", "schemaVersion": 19, "components": list(components)}


def two(row: str, columns: int) -> dict[str, object]:
    return {"row": row, "columns": columns}


VITALS = form(
    {"type": "text", "id": "intro", "text": "### Patient {{patientName}}\nMeasure **after five minutes** of rest.",
     "properties": {"text:zh": "### 患者 {{patientName}}\n请患者**静坐五分钟**后测量。"}},
    {"type": "number", "id": "t", "key": "temperature", "label": "Temperature", "layout": two("r1", 4), "decimalDigits": 1,
     "validate": {"required": True, "min": 30, "max": 45}, "appearance": {"suffixAdorner": "℃"}, "properties": {"label:zh": "体温"}},
    {"type": "number", "id": "s", "key": "spo2", "label": "Oxygen saturation SpO₂", "layout": two("r1", 6), "decimalDigits": 0,
     "validate": {"required": True, "min": 50, "max": 100}, "appearance": {"suffixAdorner": "%"}, "properties": {"label:zh": "血氧饱和度 SpO₂"}},
    {"type": "number", "id": "d", "key": "deposit", "label": "Deposit", "layout": two("r1", 6),
     "properties": {"label:zh": "预交金", "unit": "fen", "display": "yuan"}, "validate": {"min": 0}},
    {"type": "radio", "id": "m", "key": "mode", "label": "How did the patient arrive?", "validate": {"required": True},
     "values": [{"value": "walk", "label": "On foot"}, {"value": "chair", "label": "Wheelchair"}, {"value": "ambulance", "label": "Ambulance"}],
     "properties": {"label:zh": "到院方式", "option:walk:zh": "步行", "option:chair:zh": "轮椅", "option:ambulance:zh": "救护车"}},
    {"type": "textfield", "id": "pl", "key": "plate", "label": "Ambulance number", "conditional": {"hide": '=mode != "ambulance"'},
     "properties": {"label:zh": "救护车编号"}, "validate": {"required": True, "maxLength": 10}},
    {"type": "taglist", "id": "sy", "key": "symptoms", "label": "Symptoms", "description": "All that apply.",
     "values": [{"value": "fever", "label": "Fever"}, {"value": "chest", "label": "Chest pain"}, {"value": "breath", "label": "Short of breath"},
                {"value": "cough", "label": "Cough"}, {"value": "dizzy", "label": "Dizziness"}],
     "defaultValue": ["fever"],
     "properties": {"label:zh": "症状", "description:zh": "可多选。", "option:fever:zh": "发热", "option:chest:zh": "胸痛",
                    "option:breath:zh": "呼吸困难", "option:cough:zh": "咳嗽", "option:dizzy:zh": "头晕"}},
    {"type": "group", "id": "g", "label": "Identity", "path": "patient", "showOutline": True, "properties": {"label:zh": "身份"}, "components": [
        {"type": "textfield", "id": "gn", "key": "name", "label": "Name", "layout": two("p", 8), "properties": {"label:zh": "姓名"}},
        {"type": "datetime", "id": "gb", "key": "birthDate", "subtype": "date", "label": "Birth date", "layout": two("p", 8),
         "properties": {"label:zh": "出生日期"}},
    ]},
    {"type": "textfield", "id": "ic", "key": "idCard", "label": "Identity card", "layout": two("r2", 8),
     "properties": {"label:zh": "身份证号", "validate": "cn_id_card"}},
    {"type": "select", "id": "ro", "key": "room", "label": "Room", "valuesKey": "rooms", "layout": two("r2", 8), "properties": {"label:zh": "诊室"}},
    {"type": "textarea", "id": "no", "key": "note", "label": "Notes", "properties": {"label:zh": "备注"}},
    {"type": "textfield", "id": "pn", "key": "patientName", "label": "Patient", "readonly": True, "properties": {"label:zh": "患者"}},
    {"type": "dynamiclist", "id": "dl", "path": "drugs", "label": "Drugs taken", "showOutline": True, "isRepeating": True,
     "properties": {"label:zh": "正在使用的药物", "maxRows": "5"}, "components": [
        {"type": "textfield", "id": "dn", "key": "name", "label": "Drug", "layout": two("d", 8), "validate": {"required": True},
         "properties": {"label:zh": "药品"}},
        {"type": "number", "id": "dd", "key": "dose", "label": "Dose", "layout": two("d", 4), "appearance": {"suffixAdorner": "mg"},
         "properties": {"label:zh": "剂量"}},
        {"type": "checkbox", "id": "dp", "key": "prescribed", "label": "Prescribed", "layout": two("d", 4), "properties": {"label:zh": "处方药"}},
     ]},
    {"type": "table", "id": "tb", "label": "Tests ordered", "dataSource": "=tests", "rowCount": 10,
     "columns": [{"key": "name", "label": "Test"}, {"key": "price", "label": "Price (fen)"}],
     "properties": {"label:zh": "已开检验", "column:name:zh": "项目", "column:price:zh": "价格（分）"}},
    {"type": "separator", "id": "sep"},
    {"type": "checkbox", "id": "co", "key": "consent", "label": "The patient agrees to the examination", "validate": {"required": True},
     "properties": {"label:zh": "患者同意检查"}},
    {"type": "button", "id": "bt", "label": "Save vital signs", "action": "submit", "properties": {"label:zh": "保存体征"}},
)  # fmt: skip
