"""Plausible laboratory and imaging reports for simulated orders."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from integrations.hl7 import write
from integrations.hl7.read import Message
from integrations.simulators.desk import Item

ZONE = "Asia/Shanghai"
# LOINC: English and Chinese name, unit, reference low and high, decimals (common adult ranges)
ANALYTES: dict[str, tuple[str, str, float, float, int]] = {
    "6690-2": ("白细胞 WBC", "10*9/L", 3.5, 9.5, 2),
    "789-8": ("红细胞 RBC", "10*12/L", 4.0, 5.5, 2),
    "718-7": ("血红蛋白 HGB", "g/L", 120, 160, 0),
    "777-3": ("血小板 PLT", "10*9/L", 125, 350, 0),
    "1988-5": ("C反应蛋白 CRP", "mg/L", 0, 8, 1),
    "2345-7": ("葡萄糖 GLU", "mg/dL", 70, 110, 0),
    "14749-6": ("葡萄糖 GLU", "mmol/L", 3.9, 6.1, 2),
    "2160-0": ("肌酐 Cr", "mg/dL", 0.5, 1.2, 2),
    "14682-9": ("肌酐 Cr", "umol/L", 44, 104, 0),
    "3094-0": ("尿素氮 BUN", "mg/dL", 7, 20, 1),
    "1742-6": ("丙氨酸氨基转移酶 ALT", "U/L", 9, 50, 0),
    "1920-8": ("天门冬氨酸氨基转移酶 AST", "U/L", 15, 40, 0),
    "2823-3": ("钾 K", "mmol/L", 3.5, 5.3, 2),
    "2951-2": ("钠 Na", "mmol/L", 137, 147, 0),
    "10839-9": ("肌钙蛋白I cTnI", "ng/mL", 0, 0.04, 3),
    "4548-4": ("糖化血红蛋白 HbA1c", "%", 4.0, 6.0, 1),
}
PANELS = {  # LOINC panels and what they hold
    "58410-2": ("6690-2", "789-8", "718-7", "777-3"), "57021-8": ("6690-2", "789-8", "718-7", "777-3"),
    "24323-8": ("2345-7", "2160-0", "3094-0", "1742-6", "2823-3", "2951-2"), "24325-3": ("1742-6", "1920-8"),
    "51990-0": ("2345-7", "2160-0", "2823-3", "2951-2"), "24362-6": ("2160-0", "3094-0"),
}  # fmt: skip


def patient(message: Message) -> str:
    """The patient's name and record number as the far end's screen shows them."""
    return f"{message.get('PID', 5, 1)}{message.get('PID', 5, 2)} {message.get('PID', 3)}".strip()


def laboratory(item: Item, action: str, luck: random.Random) -> str:
    """An ORU^R01 with every test of the order; `action` is normal or abnormal. The same order gives the same message id."""
    segments = [item.data["pid"], write.segment("PV1", {1: 1, 2: "O", 19: item.shown.get("visit", "")})]
    now = write.timestamp(datetime.now(UTC), ZONE)
    count = 0
    for number, test in enumerate(item.data["tests"], 1):
        name = test["name"] or ANALYTES.get(test["code"], (test["code"],))[0]
        segments.append(write.segment("ORC", {1: "RE", 2: item.number, 3: item.data["filler"]}))
        segments.append(write.segment("OBR", {
            1: number, 2: item.number, 3: item.data["filler"], 4: [test["code"], name, "LN"], 7: now, 22: now, 24: "LAB", 25: "F",
        }))  # fmt: skip
        for code in PANELS.get(test["code"], (test["code"],)):
            count += 1
            segments.append(_observation(count, code, name, action == "abnormal" and count == 1, luck))
    return _oru(item, "LIS", segments)


def imaging(item: Item, action: str) -> str:
    """An ORU^R01 with findings, impression and the study's UID."""
    test = item.data["tests"][0]
    findings, impression = imaging_words(action)
    now = write.timestamp(datetime.now(UTC), ZONE)
    segments = [
        item.data["pid"],
        write.segment("PV1", {1: 1, 2: "O", 19: item.shown.get("visit", "")}),
        write.segment("ORC", {1: "RE", 2: item.number, 3: item.data["filler"]}),
        write.segment(
            "OBR",
            {
                1: 1,
                2: item.number,
                3: item.data["filler"],
                4: [test["code"], test["name"]],
                7: now,
                18: item.data["accession"],
                22: now,
                24: "RAD",
                25: "F",
            },
        ),
        write.segment("OBX", {1: 1, 2: "TX", 3: ["59776-5", "Procedure findings", "LN"], 5: findings, 11: "F"}),
        write.segment("OBX", {1: 2, 2: "TX", 3: ["19005-8", "Radiology impression", "LN"], 5: impression, 11: "F"}),
        write.segment("OBX", {1: 3, 2: "HD", 3: ["113014", "DICOM Study", "DCM"], 5: item.data["study"], 11: "F"}),
    ]
    return _oru(item, "RIS", segments)


def imaging_words(action: str) -> tuple[str, str]:
    """Findings and impression of a normal or an abnormal chest film."""
    if action == "abnormal":
        return (
            "右下肺可见片状密度增高影。 Patchy opacity in the right lower lobe.",
            "右下肺炎症可能，请结合临床。 Right lower lobe pneumonia likely.",
        )
    return "未见明确异常。 No abnormality seen.", "未见明确异常。 Normal study."


def _observation(number: int, code: str, name: str, abnormal: bool, luck: random.Random) -> str:
    if code not in ANALYTES:
        text = "阳性 positive" if abnormal else "阴性 negative"
        return write.segment("OBX", {1: number, 2: "ST", 3: [code, name, "LN"], 5: text, 8: "A" if abnormal else "N", 11: "F"})
    label, unit, low, high, decimals = ANALYTES[code]
    span = high - low
    value = high + span * luck.uniform(0.3, 1.2) if abnormal else low + span * luck.uniform(0.2, 0.8)
    return write.segment("OBX", {
        1: number, 2: "NM", 3: [code, label, "LN"], 5: f"{value:.{decimals}f}", 6: unit, 7: f"{low:g}-{high:g}",
        8: "H" if abnormal else "N", 11: "F",
    })  # fmt: skip


def _oru(item: Item, sender: str, segments: list[str]) -> str:
    control = write.control_id(f"{item.id}|result")
    text = write.message(("ORU", "R01", "ORU_R01"), segments, control=control, receiver=("CARELANE", "CLINIC"), at=datetime.now(UTC), zone=ZONE)
    return text.replace("|CARELANE|CLINIC|", f"|{sender}|HOSPITAL|", 1)
