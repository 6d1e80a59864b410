"""What arrives from outside is small, plain XML, or it is refused before anything else looks at it."""

from __future__ import annotations

import pytest

from engine.errors import InvalidModel
from engine.models.read import read
from engine.models.xml import MAX_BYTES, bare, parse
from tests.unit.models.drawing import draw

BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x y="&b;">&b;</x>'
FILE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'


def rule_of(xml: bytes) -> str:
    with pytest.raises(InvalidModel) as refused:
        read(xml, "x.bpmn")
    [problem] = refused.value.problems
    assert problem.file == "x.bpmn"
    return problem.rule


@pytest.mark.parametrize("text", [BOMB, FILE])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
def test_a_doctype_is_refused_in_every_encoding(text: str, encoding: str) -> None:
    assert rule_of(text.encode(encoding)) == "xml-doctype"


def test_a_file_larger_than_two_megabytes_is_refused() -> None:
    assert rule_of(b"<x>" + b" " * MAX_BYTES + b"</x>") == "xml-size"


@pytest.mark.parametrize("text", [b"", b"hello", b"<x>", b"<x></y>", b"\x00\x01", b"<x>&unknown;</x>"])
def test_what_is_not_xml_is_refused(text: bytes) -> None:
    assert rule_of(text) == "xml"


@pytest.mark.parametrize("text", [b"<x/>", b'<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/"/>'])
def test_what_is_not_bpmn_is_refused(text: bytes) -> None:
    assert rule_of(text) == "not-bpmn"


def test_nesting_beyond_what_anybody_draws_is_refused() -> None:
    assert rule_of(b"<x>" * 5000 + b"</x>" * 5000) == "xml"


def test_comments_and_instructions_are_no_content() -> None:
    root = parse(b"<?go now?><x><!-- hidden --><y/></x>")
    assert [child.tag for child in root] == ["y"]


def test_a_prefix_is_no_part_of_a_reference() -> None:
    assert [bare(ref) for ref in ("tns:Message_1", "Message_1", " x ", "", None)] == ["Message_1", "Message_1", "x", None, None]


def test_utf16_models_are_read() -> None:
    text = draw("s:startEvent e:endEvent", "s>e").decode()
    [model] = read(('<?xml version="1.0" encoding="UTF-16"?>' + text).encode("utf-16"))
    assert list(model.elements) == ["s", "e"]
