"""A constructed register with known duplicates, and how well matching finds them.

Names follow the frequencies of common Chinese surnames; a fifth are minority names with a middle dot. A duplicate is a second
registration of the same person with what really goes wrong: a homophone or a traditional character in the name, a lost card, another
phone, a day and month swapped, spaces, +86, a 15-digit card, a father's name left out, a passport's Latin letters. Among the rest are
twins, namesakes of the same day, and families with one phone, which must not be taken for one person.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, timedelta

from integrations.patients.identity import check_character, sound

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗"
GIVEN = "伟芳娜敏静丽强磊军洋艳勇杰娟涛明超兰霞平刚桂英华玉萍红玲建文辉力梅鑫晓小雨宇晨佳欣怡子轩浩然梓涵思远志国海燕春秋月"
MINORITY = ("阿依古丽·买买提", "古丽娜尔·吐尔逊", "迪丽热巴·艾合买提", "扎西·多吉", "艾力江·阿不都", "热依汗·依明")
HOMOPHONE = {
    "晓": "小",
    "小": "晓",
    "伟": "玮",
    "静": "婧",
    "丽": "莉",
    "明": "铭",
    "红": "虹",
    "华": "桦",
    "英": "瑛",
    "宇": "雨",
    "雨": "宇",
    "佳": "嘉",
    "轩": "萱",
}
TRADITIONAL = str.maketrans("张刘陈杨黄赵吴孙马罗丽军华国红兰萍杰涛", "張劉陳楊黃趙吳孫馬羅麗軍華國紅蘭萍傑濤")

Record = dict[str, str]


@dataclass
class Register:
    """Records, and the pairs of positions that are one person."""

    records: list[Record] = field(default_factory=list)
    same: set[frozenset[int]] = field(default_factory=set)


def register(people: int = 1000, duplicates: int = 250, seed: int = 7) -> Register:
    """A register of `people`, the first `duplicates` of them registered twice."""
    dice = random.Random(seed)
    made = Register([person(dice) for _ in range(people)])
    for index in range(duplicates):
        made.same.add(frozenset((index, len(made.records))))
        made.records.append(again(dice, made.records[index]))
    for index in range(duplicates, duplicates + 60):
        made.records.append(another(dice, made.records[index]))
    return made


def person(dice: random.Random) -> Record:
    """Somebody, with a valid ID card."""
    sex = dice.choice(("male", "female"))
    born = date(1935, 1, 1) + timedelta(days=dice.randrange(80 * 365))
    name = dice.choice(MINORITY) if dice.random() < 0.2 else dice.choice(SURNAMES) + "".join(dice.choices(GIVEN, k=dice.choice((1, 2, 2, 2))))
    return {"name": name, "sex": sex, "birthDate": born.isoformat(), "idCard": card(dice, born, sex), "phone": phone(dice)}


def card(dice: random.Random, born: date, sex: str) -> str:
    """An ID card of that day and sex."""
    order = dice.randrange(0, 998, 2) + (sex == "male")
    first = f"{dice.choice(('110101', '310104', '440106', '650102'))}{born:%Y%m%d}{order:03d}"
    return first + check_character(first)


def phone(dice: random.Random) -> str:
    return f"1{dice.choice('3578')}{dice.randrange(10**9):09d}"


def again(dice: random.Random, one: Record) -> Record:
    """The same person's second registration: one to three things differ."""
    made = dict(one)
    for change in dice.sample(CHANGES, k=dice.choice((1, 2, 2, 3))):
        change(dice, made)
    return made


def another(dice: random.Random, one: Record) -> Record:
    """Somebody who is easily taken for `one`: a twin, a namesake of the same day, or the family behind one phone."""
    born = date.fromisoformat(one["birthDate"])
    kind = dice.choice(("twin", "namesake", "family"))
    if kind == "twin":
        name = one["name"][:-1] + dice.choice([c for c in GIVEN if sound(c) != sound(one["name"][-1])])
        return {**one, "name": name, "idCard": card(dice, born, one["sex"])}
    if kind == "namesake":
        return {**one, "idCard": card(dice, born, one["sex"]), "phone": phone(dice)}
    child = born + timedelta(days=25 * 365 + dice.randrange(3000))
    return {**person(dice), "name": one["name"][0] + dice.choice(GIVEN), "birthDate": child.isoformat(), "phone": one["phone"], "idCard": ""}


def _no_card(dice: random.Random, made: Record) -> None:
    made["idCard"] = ""


def _other_phone(dice: random.Random, made: Record) -> None:
    made["phone"] = phone(dice)


def _homophone(dice: random.Random, made: Record) -> None:
    made["name"] = "".join(HOMOPHONE.get(c, c) for c in made["name"])


def _traditional(dice: random.Random, made: Record) -> None:
    made["name"] = made["name"].translate(TRADITIONAL)


def _swapped(dice: random.Random, made: Record) -> None:
    year, month, day = made["birthDate"].split("-")
    if int(day) <= 12:
        made["birthDate"] = f"{year}-{day}-{month}"


def _untidy(dice: random.Random, made: Record) -> None:
    made["name"] = " ".join(made["name"].replace("·", "•"))
    made["phone"] = f"+86 {made['phone'][:3]}-{made['phone'][3:7]}-{made['phone'][7:]}"


def _old_card(dice: random.Random, made: Record) -> None:
    if made["idCard"] and made["idCard"][6:8] == "19":
        made["idCard"] = made["idCard"][:6] + made["idCard"][8:17]


def _short(dice: random.Random, made: Record) -> None:
    made["name"] = made["name"].split("·")[0]


def _latin(dice: random.Random, made: Record) -> None:
    if "·" not in made["name"]:
        made["name"], made["idCard"] = f"{sound(made['name'][0])} {sound(made['name'][1:])}".upper(), ""


CHANGES = (_no_card, _other_phone, _homophone, _traditional, _swapped, _untidy, _old_card, _short, _latin)
