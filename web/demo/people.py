"""Invented patients: names and numbers that look right and belong to nobody."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗"
GIVEN_F = ("芳", "娜", "敏", "静", "丽", "秀英", "艳", "桂英", "玉兰", "婷婷", "雪梅", "思雨", "欣怡")
GIVEN_M = ("伟", "强", "磊", "军", "洋", "勇", "杰", "涛", "明", "建国", "志强", "浩然", "宇轩")
REGION = "110101"  # the digits of a district; the serial numbers below are not given to anybody in these combinations
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999
CHECKS = "10X98765432"
ALLERGIES = {"3": "青霉素过敏", "7": "磺胺类过敏"}  # by the last digit of the phone: one in five
COMPLAINTS = ("发热、咳嗽三天", "上腹痛一天", "头晕、乏力一周", "胸闷半天", "右膝疼痛两周", "咽痛两天", "皮疹三天", "腰痛一个月")


@dataclass(frozen=True)
class Patient:
    """One invented patient, in the words of the registration form."""

    name: str
    sex: str
    birth_date: date
    id_card: str
    phone: str
    complaint: str
    sickness: float  # 0 well … 1 very ill; vital signs follow it

    def answers(self) -> dict[str, object]:
        """What the patient would say at the window, by form field."""
        return {
            "identification": "id_card", "name": self.name, "sex": self.sex, "birthDate": self.birth_date.isoformat(),
            "idCard": self.id_card, "phone": self.phone, "chiefComplaint": self.complaint, "visitType": "walk_in",
            "allergies": ALLERGIES.get(self.phone[-1], ""), "address": f"示范路 {int(self.phone[-3:]) + 1} 号",
        }  # fmt: skip


def patients(luck: random.Random) -> Iterator[Patient]:
    """Endless, each once."""
    serial = 100
    while True:
        serial = serial + 1 if serial < 998 else 100
        sex = luck.choice(("female", "male"))
        born = date(2026, 1, 1) - timedelta(days=int(luck.triangular(18, 88, 52) * 365.25))
        number = serial - serial % 2 + (1 if sex == "male" else 0)
        yield Patient(
            luck.choice(SURNAMES) + luck.choice(GIVEN_F if sex == "female" else GIVEN_M), sex, born,
            id_card(f"{REGION}{born:%Y%m%d}{number:03d}"), f"139{luck.randrange(10**8):08d}", luck.choice(COMPLAINTS), luck.betavariate(1.6, 4.5),
        )  # fmt: skip


def id_card(seventeen: str) -> str:
    """The 18-digit number with its check digit (GB 11643-1999)."""
    return seventeen + CHECKS[sum(int(digit) * weight for digit, weight in zip(seventeen, WEIGHTS, strict=True)) % 11]
