"""The reader of the DMN TCK, on two cases of our own; and the TCK itself when `--tck FOLDER` or CARELANE_TCK names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import tck

MODEL = """<definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/" namespace="n" name="fee" id="d">
<inputData id="i" name="price"><variable name="price" typeRef="number"/></inputData>
<decision id="a" name="Fee"><variable name="Fee"/><informationRequirement><requiredInput href="#i"/></informationRequirement>
<literalExpression><text>{net: price, gross: price * 1.1, due: @"2026-01-31", spans: [duration("P1M"), duration("PT90S")]}</text></literalExpression>
</decision></definitions>"""

TESTS = """<testCases xmlns="http://www.omg.org/spec/DMN/20160719/testcase" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xmlns:xsd="http://www.w3.org/2001/XMLSchema"><modelName>fee.dmn</modelName>
{cases}</testCases>"""

CASE = """<testCase id="{id}"><inputNode name="price"><value xsi:type="xsd:decimal">{price}</value></inputNode>
<resultNode name="Fee" type="decision"><expected>
<component name="net"><value xsi:type="xsd:decimal">{net}</value></component>
<component name="gross"><value xsi:type="xsd:double">11.000000000001</value></component>
<component name="due"><value xsi:type="xsd:date">2026-01-31</value></component>
<component name="spans"><list><item><value xsi:type="xsd:duration">P1M</value></item>
<item><value xsi:type="xsd:duration">PT1M30S</value></item></list></component>
</expected></resultNode></testCase>"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite of two cases, of which one expects what is not so."""
    folder = tmp_path / "compliance-level-3" / "0001-fee"
    folder.mkdir(parents=True)
    (folder / "fee.dmn").write_text(MODEL)
    cases = CASE.format(id="right", price=10, net=10) + CASE.format(id="wrong", price=10, net=9)
    (folder / "fee-test-01.xml").write_text(TESTS.format(cases=cases))
    return tmp_path


def test_a_case_passes_when_all_is_equal_and_says_what_is_not(suite: Path) -> None:
    right, wrong = tck.cases(suite)
    assert tck.run(right) == []
    assert "instead of" in tck.run(wrong)[0]


def test_the_table_counts_by_folder_and_level(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tck.main([str(suite), "--failures"]) == 1
    printed = capsys.readouterr().out
    assert "0001-fee:wrong" in printed
    assert "1 /     2  50.0 %" in printed


def test_tck(tck_case: tck.Case) -> None:
    assert tck.run(tck_case) == []
