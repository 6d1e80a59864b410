"""What follows from a declaration: the editor's template, the docs, the masks, the checks."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import integrations
from engine.errors import ConnectorFailed
from integrations import docs, schema
from integrations.connector import declared
from integrations.redact import mask, mask_hl7, mask_stage, mask_values
from integrations.schema import about
from integrations.templates import templates

ROOT = Path(__file__).parents[2]
integrations.load()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_connector_has_a_template_that_the_editor_accepts(language: str, tmp_path: Path) -> None:
    validator = ROOT / "web/client/node_modules/@bpmn-io/element-templates-validator"
    node = shutil.which("node")
    if node is None or not validator.exists():
        pytest.skip("needs node and the front end's node_modules")
    (tmp_path / "templates.json").write_text(json.dumps(templates(language)))  # type: ignore[arg-type]
    script = (
        f"const v=require({json.dumps(str(validator))});const t=JSON.parse(require('fs').readFileSync('templates.json'));"
        "console.log(JSON.stringify(t.map(x=>[x.id,v.validateZeebe(x)]).filter(([,r])=>!r.valid).map(([i,r])=>[i,r.errors.map(e=>e.message)])))"
    )
    done = subprocess.run([node, "-e", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
    assert len(templates(language)) == len(declared())  # type: ignore[arg-type]


def test_every_connector_speaks_both_languages() -> None:
    for item in declared().values():
        fields = [spec.about for kind in (item.input, item.output) for spec in schema.specs(kind)]
        texts = [item.title, item.group, item.description, *((f.en, f.zh) for f in fields), *item.errors.values()]
        assert [pair for pair in texts if not all(pair)] == [], item.type
        assert [f.zh for f in fields if f.zh.isascii()] == [], item.type


def test_every_connector_says_which_fields_are_personal() -> None:
    assert schema.personal(declared()["patient.save"].input) == {
        "name", "birthDate", "idCard", "medicalCard", "phone", "address", "allergies",
    }  # fmt: skip


def test_the_docs_page_is_what_the_declarations_say() -> None:
    assert (ROOT / "docs/integration/connectors.md").read_text() == docs.page(), "run: python -m integrations.docs"


@dataclass(frozen=True)
class Inner:
    count: int = about("Count", "数")


@dataclass(frozen=True)
class Given:
    """A little of everything."""

    some_text: str = about("Text", "文本")
    number: float = about("Number", "数字", default=0.5)
    flag: bool = about("Flag", "标志", default=False)
    inner: Inner | None = about("Inner", "内部", default=None)  # noqa: RUF009
    many: list[Inner] = about("Many", "多个", default=[])  # noqa: RUF009


def test_variables_become_typed_values() -> None:
    given = {"someText": "a", "inner": {"count": 2.0}, "many": [{"count": 1}], "other": "ignored", "number": None}
    assert schema.read(Given, given) == Given("a", inner=Inner(2), many=[Inner(1)])


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "someText"),
        ({"someText": ""}, "someText"),
        ({"someText": 1}, "someText"),
        ({"someText": "a", "number": "x"}, "number"),
        ({"someText": "a", "inner": {"count": 1.5}}, "inner.count"),
        ({"someText": "a", "inner": {"count": True}}, "inner.count"),
        ({"someText": "a", "many": [{"count": 1}, {}]}, "many[1].count"),
        ({"someText": "a", "many": "no"}, "many"),
    ],
)
def test_each_wrong_value_is_named_by_its_path(given: dict[str, Any], field: str) -> None:
    with pytest.raises(ConnectorFailed) as failed:
        schema.read(Given, given)
    assert list(failed.value.details["fields"]) == [field]
    assert failed.value.kind == "permanent"


def test_masks_leave_enough_to_recognise_and_not_enough_to_use() -> None:
    assert [mask(text) for text in ("", "王", "王小明", "13800138000")] == ["", "*", "王**", "138******00"]
    assert mask_values({"name": [{"text": "王小明"}], "n": 1, "api_v3_key": "k", "list": [{"phone": "13800138000"}]}) == {
        "name": [{"text": "王**"}], "n": 1, "api_v3_key": "*", "list": [{"phone": "138******00"}],
    }  # fmt: skip


def test_hl7_is_masked_by_segment_and_keeps_its_structure() -> None:
    text = "MSH|^~\\&|A|B\rPID|1||110101198503120017^^^X^NNCHN||王^小明||19850312|M\rOBX|1|NM|718-7^HGB||131|g/L"
    masked = mask_hl7(text)
    assert masked.splitlines()[1] == "PID|1||" + "*" * 18 + "^^^*^*****||*^**||********|*"
    assert masked.splitlines()[2] == "OBX|1|NM|718-7^HGB||***|g/L"
    assert mask_stage(text) == masked
    assert "131" not in mask_hl7(text.replace("|", "$"))
