"""Units of measure (UCUM): converts where it is right, refuses where it is not.

Between mass and amount of substance a conversion needs the analyte's molar mass, so it is keyed by LOINC; between
equivalents and moles it needs the ion's valence. `pint` with `ucumvert` does the arithmetic.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from engine.errors import CarelaneError


class NotConvertible(CarelaneError):
    """These units cannot be converted into each other."""


# g/mol from IUPAC's abridged standard atomic weights (2021); of proteins, UniProt's mature chain. Urea nitrogen is counted as the two
# nitrogen atoms of a molecule of urea, haemoglobin as its monomer with one iron (IFCC), iron-binding capacity as the iron it binds,
# total 25-OH vitamin D as D3, an albumin/creatinine ratio by its creatinine.
MOLAR_MASS: Mapping[str, float] = {
    **dict.fromkeys(("2345-7", "14749-6", "2339-0", "15074-8", "1558-6", "14771-0", "2340-8"), 180.156),  # glucose
    **dict.fromkeys(("2160-0", "14682-9", "38483-4"), 113.12),  # creatinine
    **dict.fromkeys(("3091-6", "22664-7"), 60.055),  # urea
    **dict.fromkeys(("3094-0", "6299-2", "14937-7"), 28.014),  # urea nitrogen
    **dict.fromkeys(("2093-3", "14647-2", "2085-9", "14646-4", "13457-7", "2089-1", "22748-8"), 386.65),  # cholesterol, HDL, LDL
    **dict.fromkeys(("2571-8", "14927-8"), 885.4),  # triglycerides, as triolein
    **dict.fromkeys(("3084-1", "14933-6"), 168.11),  # urate
    **dict.fromkeys(("1975-2", "14631-6", "1968-7", "14629-0"), 584.66),  # bilirubin, total and direct
    **dict.fromkeys(("17861-6", "2000-8", "1995-0", "12180-6"), 40.078),  # calcium
    **dict.fromkeys(("2777-1", "14879-1"), 30.974),  # phosphate as phosphorus
    **dict.fromkeys(("19123-9", "2601-3"), 24.305),  # magnesium
    **dict.fromkeys(("2498-4", "14798-3"), 55.845),  # iron
    **dict.fromkeys(("2524-7", "32693-4", "2519-7", "14118-4"), 90.08),  # lactate
    **dict.fromkeys(("9318-7", "14959-1", "32294-1"), 113.12),  # albumin/creatinine ratio in urine
    **dict.fromkeys(("718-7", "59260-0"), 16114.5),  # haemoglobin
    **dict.fromkeys(("1751-7", "54347-0"), 66437.0),  # albumin, UniProt P02768
    "3034-6": 79570.0,  # transferrin, UniProt P02787 with its glycans
    **dict.fromkeys(("2500-7", "14800-7"), 55.845),  # total iron-binding capacity
    "5763-8": 65.38, "5631-7": 63.546, "5671-3": 207.2,  # zinc, copper, lead in blood
    "16362-6": 17.031,  # ammonia
    **dict.fromkeys(("2284-8", "14732-2"), 441.40),  # folate
    **dict.fromkeys(("2132-9", "14685-2"), 1355.4),  # vitamin B12
    **dict.fromkeys(("1989-3", "62292-8", "14635-7"), 400.65),  # 25-OH vitamin D
    **dict.fromkeys(("3026-2", "14921-1", "3024-7", "14920-3"), 776.87),  # thyroxine, total and free
    **dict.fromkeys(("3053-6", "14930-2", "3051-0", "14928-6"), 650.97),  # triiodothyronine, total and free
    **dict.fromkeys(("2143-6", "14675-3"), 362.47),  # cortisol
    **dict.fromkeys(("2986-8", "14913-8"), 288.43),  # testosterone
    **dict.fromkeys(("2243-4", "14715-7"), 272.39),  # oestradiol
    **dict.fromkeys(("2839-9", "14890-8"), 314.47),  # progesterone
    **dict.fromkeys(("2731-8", "14866-8"), 9425.0),  # parathyroid hormone 1-84
    "1986-9": 3020.3,  # C peptide
    "4049-3": 180.17, "10535-3": 780.95, "3432-2": 236.27, "4086-5": 144.21,  # theophylline, digoxin, carbamazepine, valproate
    "3968-5": 252.27, "3298-7": 151.16, "4024-6": 138.12,  # phenytoin, paracetamol, salicylate
}  # fmt: skip

VALENCE: Mapping[str, int] = {
    **dict.fromkeys(("2951-2", "2947-0", "2823-3", "6298-4", "2075-0", "2069-3", "1963-8", "2028-9", "14334-7"), 1),  # Na, K, Cl, HCO3, CO2, Li
    **dict.fromkeys(("17861-6", "2000-8", "1995-0", "12180-6", "19123-9", "2601-3"), 2),  # Ca, Mg
}  # fmt: skip

# The unit that the clinic's own reports use, by LOINC (WS/T 780-2021 and common practice in China)
CLINIC_UNIT: Mapping[str, str] = {
    **dict.fromkeys(("2345-7", "14749-6", "2339-0", "15074-8", "1558-6", "14771-0"), "mmol/L"),
    **dict.fromkeys(("2160-0", "14682-9", "38483-4", "3084-1", "14933-6", "1975-2", "14631-6", "1968-7", "14629-0"), "umol/L"),
    **dict.fromkeys(("3094-0", "14937-7", "3091-6", "22664-7", "2093-3", "14647-2", "2085-9", "14646-4", "13457-7", "2089-1"), "mmol/L"),
    **dict.fromkeys(("2571-8", "14927-8", "17861-6", "2000-8", "2777-1", "14879-1", "19123-9", "2601-3", "2951-2", "2823-3"), "mmol/L"),
    **dict.fromkeys(("2075-0", "1963-8", "2028-9", "2524-7", "32693-4"), "mmol/L"),
    **dict.fromkeys(("3024-7", "14920-3", "3051-0", "14928-6"), "pmol/L"),
    "4548-4": "%", "17856-6": "%", "59261-8": "%", "718-7": "g/L", "1751-7": "g/L", "2885-2": "g/L", "1988-5": "mg/L",
    "6690-2": "10*9/L", "777-3": "10*9/L", "789-8": "10*12/L",
}  # fmt: skip

# HbA1c: % is NGSP's scale, mmol/mol IFCC's; they are no multiples of each other (Hoelzel et al., Clin Chem 2004;50:166)
_HBA1C = frozenset(("4548-4", "17856-6", "59261-8"))
_NGSP_SLOPE, _NGSP_OFFSET = 0.09148, 2.152

_SPELLINGS = {  # how analysers write it: how UCUM does
    "mmhg": "mm[Hg]", "℃": "Cel", "°c": "Cel", "deg c": "Cel", "°f": "[degF]", "次/分": "/min", "bpm": "/min", "iu/l": "[iU]/L",
    "u/l": "U/L", "iu/ml": "[iU]/mL", "meq/l": "meq/L", "k/ul": "10*3/uL", "m/ul": "10*6/uL", "gm/dl": "g/dL",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """A value with its unit and reference range as text ("3.9-6.1", "<5")."""

    value: Any
    unit: str
    reference: str = ""


def normalise(value: float, unit: str, to_unit: str, loinc: str | None = None) -> float:
    """`value` in `to_unit`, to six significant digits.

    Raises NotConvertible for a unit that is unknown, for units of different kinds, and where the molar mass or the valence of
    the analyte would be needed and is not in the table.
    """
    source, target = ucum(unit), ucum(to_unit)
    if source == target:
        return float(value)
    number = float(value)
    if {source, target} == {"%", "mmol/mol"}:
        return _hba1c(number, target, loinc)
    if ("eq" in source) != ("eq" in target):
        number = number / _valence(loinc, unit, to_unit) if "eq" in source else number * _valence(loinc, unit, to_unit)
    try:
        registry = _registry()
        quantity = registry.Quantity(number, _unit(source))
        goal = _unit(target)
        if quantity.dimensionality == goal.dimensionality:
            return _rounded(quantity.to(goal).magnitude)
        return _rounded(_through_moles(quantity, goal, loinc, unit, to_unit))
    except (ValueError, TypeError, AttributeError) as error:
        raise NotConvertible(f"{unit} cannot be converted to {to_unit}: {error}") from error


def ucum(text: str) -> str:
    """UCUM's spelling of a unit as analysers and old systems write it: ×10^9/L → 10*9/L, μmol/L → umol/L, mmHg → mm[Hg]."""
    plain = text.strip().replace("μ", "u").replace("µ", "u").replace("^", "*").replace(" ", "")
    plain = plain.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789"))
    plain = re.sub(r"^[×xX*]?10\*?(\d+)(?=/)", r"10*\1", plain)
    plain = re.sub(r"(?<=/)l\b", "L", re.sub(r"(?<=[dmu])l\b", "L", plain))
    return _SPELLINGS.get(plain.lower(), plain)


def to_clinic(given: Measured, loinc: str) -> Measured:
    """The measurement in the clinic's unit, reference range included; the very same object where nothing is to do or can be done."""
    goal = CLINIC_UNIT.get(loinc)
    if goal is None or not given.unit or isinstance(given.value, str | bool) or given.value is None or ucum(given.unit) == goal:
        return given
    try:
        value = normalise(given.value, given.unit, goal, loinc)
        bounds = re.sub(r"\d+(?:\.\d+)?", lambda match: _short(normalise(float(match[0]), given.unit, goal, loinc)), given.reference)
    except NotConvertible:
        return given
    return Measured(float(_short(value)), goal, bounds)


def flag(value: Any, reference: str) -> str:
    """H, L or N by the reference range (HL7 table 0078); empty where there is nothing to compare."""
    bounds = limits(reference)
    if bounds is None or isinstance(value, str | bool) or value is None:
        return ""
    low, high = bounds
    if low is not None and value < low:
        return "L"
    return "H" if high is not None and value > high else "N"


def limits(reference: str) -> tuple[float | None, float | None] | None:
    """The bounds in "3.9-6.1", "3.9～6.1", "<5", ">=10"; None when there are none."""
    text = reference.strip().replace("～", "-").replace("~", "-").replace("–", "-").replace("—", "-")
    if match := re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*-\s*(-?\d+(?:\.\d+)?)", text):
        low, high = float(match[1]), float(match[2])
        return low, high if high >= low else -high  # 3.9--6.1 is a long dash, -2--1 is a sign
    if match := re.fullmatch(r"[<≤]=?\s*(\d+(?:\.\d+)?)", text):
        return None, float(match[1])
    if match := re.fullmatch(r"[>≥]=?\s*(\d+(?:\.\d+)?)", text):
        return float(match[1]), None
    return None


def known(unit: str) -> bool:
    """Whether this is a unit of UCUM, also as analysers write it."""
    try:
        _unit(ucum(unit))
    except (NotConvertible, ValueError, TypeError, AttributeError):
        return False
    return True


def warm() -> None:
    """Loads the unit tables now, so that the first result of the day is not kept waiting."""
    _registry()


def _through_moles(quantity: Any, goal: Any, loinc: str | None, unit: str, to_unit: str) -> float:
    mass = MOLAR_MASS.get(loinc or "")
    if mass is None:
        raise NotConvertible(f"{unit} cannot be converted to {to_unit} without the molar mass of {loinc or 'the analyte'}.")
    molar = _registry().Quantity(mass, "gram / mole")
    for candidate in (quantity / molar, quantity * molar):
        if candidate.dimensionality == goal.dimensionality:
            return float(candidate.to(goal).magnitude)
    raise NotConvertible(f"{unit} and {to_unit} measure different things.")


def _hba1c(number: float, target: str, loinc: str | None) -> float:
    if loinc not in _HBA1C:
        raise NotConvertible("Between % and mmol/mol only HbA1c can be converted, by its master equation.")
    return _rounded(number * _NGSP_SLOPE + _NGSP_OFFSET if target == "%" else (number - _NGSP_OFFSET) / _NGSP_SLOPE)


def _valence(loinc: str | None, unit: str, to_unit: str) -> int:
    if loinc is None or loinc not in VALENCE:
        raise NotConvertible(f"{unit} cannot be converted to {to_unit} without the valence of {loinc or 'the ion'}.")
    return VALENCE[loinc]


@cache
def _loaded() -> Any:
    from ucumvert import PintUcumRegistry  # 1.2 s to load: not before a unit has to be converted

    return PintUcumRegistry()


_loading = threading.Lock()


def _registry() -> Any:
    with _loading:  # two threads would load it twice
        return _loaded()


@cache
def _unit(text: str) -> Any:
    from lark.exceptions import LarkError

    text = re.sub(r"\{[^{}]*\}", "", text)  # an annotation ({score}, {cells}/uL) says what is counted and measures nothing
    try:
        return _registry().from_ucum(text).units if text else _registry().Unit("")
    except LarkError as error:
        raise NotConvertible(f"{text!r} is no UCUM unit.") from error


def _rounded(number: Any) -> float:
    return float(f"{float(number):.6g}")


def _short(number: float) -> str:
    """Four significant digits, without an exponent: what a report shows."""
    return f"{float(f'{number:.4g}'):f}".rstrip("0").rstrip(".")
