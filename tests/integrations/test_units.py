"""Units: converted where it is right, refused where it is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.units import CLINIC_UNIT, MOLAR_MASS, VALENCE, Measured, NotConvertible, flag, limits, normalise, to_clinic, ucum


@pytest.mark.parametrize(
    ("value", "unit", "to", "loinc", "expected"),
    [
        (100, "mg/dL", "mmol/L", "2345-7", 5.55074),  # glucose, 180.156 g/mol
        (5.55074, "mmol/L", "mg/dL", "2345-7", 100.0),
        (1, "mg/dL", "umol/L", "2160-0", 88.4017),  # creatinine, 113.12 g/mol
        (14, "mg/dL", "mmol/L", "3094-0", 4.9975),  # urea nitrogen: two nitrogen atoms a molecule
        (13.1, "g/dL", "g/L", "718-7", 131.0),
        (5.2, "10^3/uL", "10*9/L", "6690-2", 5.2),
        (5.2, "K/uL", "10*9/L", None, 5.2),
        (5, "meq/L", "mmol/L", "17861-6", 2.5),  # calcium is divalent
        (140, "meq/L", "mmol/L", "2951-2", 140.0),  # sodium is not
        (37, "℃", "[degF]", None, 98.6),
        (120, "mmHg", "kPa", None, 15.9987),
        (5, "mmol/L", "mmol/L", None, 5.0),
    ],
)
def test_conversions(value: float, unit: str, to: str, loinc: str | None, expected: float) -> None:
    assert normalise(value, unit, to, loinc) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("unit", "to", "loinc"),
    [
        ("mg/dL", "mmol/L", None),  # which molecule?
        ("mg/dL", "mmol/L", "6690-2"),
        ("meq/L", "mmol/L", None),  # which ion?
        ("U/L", "[iU]/L", "1742-6"),  # arbitrary units are each their own
        ("mmol/L", "mm[Hg]", "2345-7"),
        ("mg/dL", "10*9/L", "2345-7"),
        ("furlong/fortnight", "mmol/L", "2345-7"),
        ("", "mmol/L", "2345-7"),
        ("mg/dL", "", "2345-7"),
    ],
)
def test_what_would_be_a_guess_is_refused(unit: str, to: str, loinc: str | None) -> None:
    with pytest.raises(NotConvertible):
        normalise(1, unit, to, loinc)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("×10^9/L", "10*9/L"),
        ("10⁹/L", "10*9/L"),
        ("μmol/L", "umol/L"),
        ("µmol/l", "umol/L"),
        ("mmHg", "mm[Hg]"),
        ("mg/dl", "mg/dL"),
        (" g / L ", "g/L"),
    ],
)
def test_spellings_of_analysers(written: str, meant: str) -> None:
    assert ucum(written) == meant


@given(st.sampled_from(sorted(MOLAR_MASS)), st.floats(0.01, 1e4))
def test_mass_and_substance_convert_there_and_back(loinc: str, value: float) -> None:
    assert normalise(normalise(value, "mg/dL", "umol/L", loinc), "umol/L", "mg/dL", loinc) == pytest.approx(value, rel=1e-4)


def test_every_clinic_unit_can_be_reached_from_itself() -> None:
    assert [unit for loinc, unit in CLINIC_UNIT.items() if normalise(1, unit, unit, loinc) != 1] == []


def test_a_measurement_moves_to_the_clinics_unit_with_its_range() -> None:
    assert to_clinic(Measured(100, "mg/dL", "70-110"), "2345-7") == Measured(5.551, "mmol/L", "3.886-6.106")


@pytest.mark.parametrize(
    "given_", [Measured("positive", "mg/dL"), Measured(1, ""), Measured(1, "furlong"), Measured(5.5, "mmol/L"), Measured(None, "mg/dL")]
)
def test_what_cannot_or_need_not_be_moved_stays_the_very_same(given_: Measured) -> None:
    assert to_clinic(given_, "2345-7") is given_


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("3.9-6.1", (3.9, 6.1)),
        ("3.9～6.1", (3.9, 6.1)),
        ("<5", (None, 5.0)),
        ("≥ 10", (10.0, None)),
        ("-2--1", (-2.0, -1.0)),
        ("3.9--6.1", (3.9, 6.1)),
        ("阴性", None),
        ("", None),
    ],
)
def test_reference_ranges(reference: str, expected: tuple[float | None, float | None] | None) -> None:
    assert limits(reference) == expected


@pytest.mark.parametrize(
    ("value", "reference", "expected"),
    [(3.8, "3.9-6.1", "L"), (3.9, "3.9-6.1", "N"), (6.2, "3.9-6.1", "H"), (6, "<5", "H"), (4, "<5", "N"), ("x", "1-2", ""), (1, "阴性", "")],
)
def test_flags(value: object, reference: str, expected: str) -> None:
    assert flag(value, reference) == expected


MASSES = ["g/L", "mg/dL", "mg/L", "ug/mL", "ng/mL", "ng/dL", "pg/mL"]
AMOUNTS = ["mol/L", "mmol/L", "umol/L", "nmol/L", "pmol/L"]


@given(st.sampled_from(sorted(MOLAR_MASS)), st.sampled_from(MASSES), st.sampled_from(AMOUNTS), st.floats(1e-3, 1e4))
def test_there_and_back_is_the_same_for_every_analyte(loinc: str, mass: str, amount: str, value: float) -> None:
    there = normalise(value, mass, amount, loinc)
    assert normalise(there, amount, mass, loinc) == pytest.approx(value, rel=1e-4)


@given(st.sampled_from(sorted(VALENCE)), st.floats(0.1, 1e3))
def test_there_and_back_between_equivalents_and_moles(loinc: str, value: float) -> None:
    assert normalise(normalise(value, "meq/L", "mmol/L", loinc), "mmol/L", "meq/L", loinc) == pytest.approx(value, rel=1e-4)


@given(st.sampled_from(sorted(MOLAR_MASS)), st.sampled_from(MASSES), st.sampled_from(AMOUNTS), st.floats(0.1, 100), st.floats(1.001, 10))
def test_more_stays_more(loinc: str, mass: str, amount: str, value: float, factor: float) -> None:
    assert normalise(value * factor, mass, amount, loinc) > normalise(value, mass, amount, loinc)


@given(st.sampled_from(MASSES), st.sampled_from(AMOUNTS))
def test_an_analyte_that_is_not_in_the_table_is_never_converted(mass: str, amount: str) -> None:
    for loinc in (None, "99999-0"):
        with pytest.raises(NotConvertible, match="molar mass"):
            normalise(1, mass, amount, loinc)


@pytest.mark.parametrize(
    ("value", "unit", "to", "loinc", "expected"),
    [
        (15, "g/dL", "mmol/L", "718-7", 9.31),  # haemoglobin, factor 0.6206
        (7.0, "%", "mmol/mol", "4548-4", 53.0),  # HbA1c, the pair that every conversion table prints
        (53, "mmol/mol", "%", "59261-8", 7.0),
        (30, "mg/g", "mg/mmol", "9318-7", 3.39),  # KDIGO's limit of albuminuria A2
        (1.2, "ng/dL", "pmol/L", "3024-7", 15.4),  # free T4, factor 12.87
        (400, "pg/mL", "pmol/L", "2132-9", 295),  # B12, factor 0.738
        (30, "ng/mL", "nmol/L", "62292-8", 74.9),  # 25-OH vitamin D, factor 2.496
        (10, "ug/dL", "nmol/L", "2143-6", 276),  # cortisol, factor 27.59
        (30, "U/L", "ukat/L", "1742-6", 0.5),  # enzymes: 1 U is 1 umol/min
    ],
)
def test_known_pairs_of_conversion_tables(value: float, unit: str, to: str, loinc: str, expected: float) -> None:
    assert normalise(value, unit, to, loinc) == pytest.approx(expected, rel=0.005)


def test_percent_and_millimoles_a_mole_are_refused_for_all_but_hba1c() -> None:
    """They have one dimension, so that a unit library would turn 7 % into 70 mmol/mol without a word."""
    with pytest.raises(NotConvertible, match="HbA1c"):
        normalise(7, "%", "mmol/mol", "2345-7")
