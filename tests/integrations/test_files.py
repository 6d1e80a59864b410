"""Files of old systems: written whole and once, read row by row, nothing lost, nothing twice; in a folder and over SFTP."""

from __future__ import annotations

import io
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, sessionmaker

from engine.errors import BpmnError, ConnectorFailed
from engine.execution import check
from engine.execution.connectors import Call, get
from engine.execution.tables import Instance, Message
from engine.settings import Settings
from integrations.connections import book, probe
from integrations.files import layout, reading, taking, upkeep, writing
from integrations.files.reading import Row, Unreadable
from integrations.files.tables import InboundFile, InboundFilePart
from integrations.files.taking import Watch
from integrations.mappings import book as mappings
from integrations.messages import again, worklist
from integrations.messages.tables import MessageLog, WorkItem
from integrations.patients import index
from tests.far_ends import sftp_server
from tests.far_ends.sftp_server import PASSWORD, USER, SftpEnd
from tests.integrations.conftest import PATIENT

NAMES = "欧阳娜娜,𠮷田媺,阿依古丽·买买提"  # the second name has a character that GBK lacks
STARTS = b"""<?xml version="1.0"?><bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
 xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="D" targetNamespace="x"><bpmn:message id="M" name="old_order"/>
 <bpmn:process id="old_orders" isExecutable="true"><bpmn:startEvent id="Begin"><bpmn:outgoing>F1</bpmn:outgoing>
 <bpmn:messageEventDefinition id="E" messageRef="M"/></bpmn:startEvent><bpmn:userTask id="Task_Look"><bpmn:extensionElements>
 <zeebe:userTask/><zeebe:assignmentDefinition candidateGroups="registrar"/></bpmn:extensionElements><bpmn:incoming>F1</bpmn:incoming>
 <bpmn:outgoing>F2</bpmn:outgoing></bpmn:userTask><bpmn:endEvent id="End"><bpmn:incoming>F2</bpmn:incoming></bpmn:endEvent>
 <bpmn:sequenceFlow id="F1" sourceRef="Begin" targetRef="Task_Look"/><bpmn:sequenceFlow id="F2" sourceRef="Task_Look" targetRef="End"/>
 </bpmn:process></bpmn:definitions>"""


def rows(content: bytes, **address: Any) -> list[Row]:
    return list(reading.rows(io.BytesIO(content), layout.read("t", address)))


def values(content: bytes, **address: Any) -> list[dict[str, Any]]:
    return [row.values for row in rows(content, **address) if not row.wrong]


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_csv_is_read_in_each_encoding_and_with_each_line_end(encoding: str, end: str) -> None:
    name = "欧阳娜娜" if encoding == "gbk" else "𠮷田媺"
    text = end.join(["编号,姓名,备注", f'1,{name},"说 ""好"", 然后', '换行"', "", "2, 王 小明 ,", ""])
    found = values(text.encode(encoding), encoding=encoding)
    assert [row["姓名"] for row in found] == [name, "王 小明"]
    assert found[0]["备注"].replace("\r", "") == '说 "好", 然后\n换行'


def test_columns_are_renamed_and_a_file_without_a_line_of_names_gets_them() -> None:
    assert values("患者编号;姓名\n7;李雷".encode(), delimiter=";", names="患者编号=patientNumber; 姓名=name") == [
        {"patientNumber": "7", "name": "李雷"}
    ]
    assert values(b"7\tx\n", delimiter="tab", columns="no; text") == [{"no": "7", "text": "x"}]


def test_a_ragged_row_is_wrong_and_the_others_are_read() -> None:
    found = rows(b"a,b\n1,2\n3\n4,5,6\n7,8\n")
    assert [row.wrong for row in found] == ["", "line 3: it has 1 values for 2 columns", "line 4: it has 3 values for 2 columns", ""]


@pytest.mark.parametrize(
    ("encoding", "bad", "place"),
    [("utf-8", b"\xb0\xa1", "line 3, column 4: the bytes b0"), ("gbk", b"\xff\xff", "line 3, column 4: the bytes ff")],
)
def test_bytes_of_another_encoding_in_the_middle_make_one_row_wrong_and_name_line_and_column(encoding: str, bad: bytes, place: str) -> None:
    content = "编号,姓名\n1,王\n".encode(encoding) + "2,张".encode(encoding) + bad + "\n3,李\n".encode(encoding)
    found = rows(content, encoding=encoding)
    assert [bool(row.wrong) for row in found] == [False, True, False]
    assert place in found[1].wrong
    assert encoding in found[1].wrong


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"), (b"\xef\xbb\xbf", "empty"), (b"a,a\n1,2", "two have the same"), (b'a,b\n1,"x\n' + b"y\n" * 200_000, "line 2: a quotation mark"),
        (b'a,b\n1,"x"y\n', "line 2: after a closing quotation mark"), ("姓名\n王".encode("gbk"), "line 1, column 1"),
    ],
    ids=["empty", "only a mark", "same names", "open quote", "text after a quote", "names in another encoding"],
)  # fmt: skip
def test_a_file_that_cannot_be_read_says_where(content: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        rows(content)


def test_fixed_width_counts_bytes_or_characters_and_ends_with_dos_end_of_file() -> None:
    columns = "no 1-4; name 5-12; ward 13-16"
    content = "0001王小明  内科\r\n".encode("gbk") + "0002李四    外科\r\n\x1a".encode("gbk")
    wanted = [{"no": "0001", "name": "王小明", "ward": "内科"}, {"no": "0002", "name": "李四", "ward": "外科"}]
    assert values(content, format="fixed", encoding="gbk", columns=columns) == wanted
    counted = "0001王小明     内科\n".encode()
    assert values(counted, format="fixed", columns=columns, width_in="characters") == wanted[:1]
    assert "it has 3 places" in rows(b"000\n", format="fixed", columns=columns)[0].wrong
    cut = b"0001" + "王小明".encode("gbk")[:5] + b"   \xc4\xda\xbf\xc6"
    assert "column 5: name is no gbk" in rows(cut, format="fixed", encoding="gbk", columns=columns)[0].wrong


@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "gb18030"])
def test_xml_is_read_by_path(encoding: str) -> None:
    text = f"""<?xml version="1.0" encoding="{encoding}"?><data xmlns="urn:x"><order no="1"><name>欧阳娜娜</name><test>A</test><test>B</test></order>
    <other><order no="9"/></other><order no="2"><name>李</name><ward code="3">内科</ward></order></data>"""
    found = values(text.encode(encoding), format="xml", encoding=encoding, row_path="data/order")
    assert found == [
        {"@no": "1", "name": "欧阳娜娜", "test": ["A", "B"]}, {"@no": "2", "name": "李", "ward": {"@code": "3", "#text": "内科"}},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<d><o><a>1</a></o><o><a>2</o></d>", "line 1, column"), (b"<d></d>", "no element d/o"),
        (b'<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]><d><o><a>&e;</a></o></d>', "document type"),
    ],
    ids=["broken", "no rows", "entity"],
)  # fmt: skip
def test_xml_that_cannot_be_read_says_why(content: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        rows(content, format="xml", row_path="d/o")


@pytest.mark.parametrize(
    "address",
    [
        {"format": "xls"},
        {"encoding": "utf-16"},
        {"format": "xml"},
        {"format": "fixed"},
        {"format": "fixed", "columns": "a 3-1"},
        {"names": "x"},
    ],
)
def test_a_layout_that_cannot_be_is_refused_in_words(address: dict[str, str]) -> None:
    with pytest.raises(ConnectorFailed, match=r"^t: "):
        layout.read("t", address)


def test_a_hundred_thousand_rows_are_read_in_flat_memory() -> None:
    line = "2026-11-22,欧阳娜娜,110101198503120017,内科,13800138000\r\n".encode("gbk")
    content = "日期,姓名,身份证,科室,电话\r\n".encode("gbk") + line * 100_000
    laid, file = layout.read("t", {"encoding": "gbk"}), io.BytesIO(content)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    count = sum(not row.wrong for row in reading.rows(file, laid))
    seconds, grown = time.perf_counter() - started, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{count} rows, {len(content) / 1e6:.1f} MB in {seconds:.2f} s: {count / seconds:,.0f} rows/s, {grown:.1f} MB more memory")
    assert count == 100_000
    assert grown < 16


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "address",
    [
        {"encoding": "gbk"}, {"encoding": "gb18030", "delimiter": "|"}, {"format": "xml", "row_path": "orders/order", "encoding": "gbk"},
        {"format": "fixed", "columns": "no 1-6; name 7-30; text 31-60", "encoding": "gb18030"},
        {"format": "xml", "row_path": "order", "encoding": "utf-8"},
    ],
    ids=["csv gbk", "csv gb18030", "xml gbk", "fixed gb18030", "xml utf-8"],
)  # fmt: skip
def test_what_is_written_is_read_back(address: dict[str, str]) -> None:
    given = [{"no": "1", "name": "欧阳娜娜", "text": 'a,"b"|c'}, {"no": "2", "name": "阿依古丽·买买提", "text": "=1+1"}]
    assert values(writing.content(given, layout.read("t", address)), **address) == given


def test_what_the_encoding_or_the_width_cannot_hold_is_named() -> None:
    with pytest.raises(ConnectorFailed, match="row 1, column name: '𠮷' cannot be written in gbk; gb18030 can"):
        writing.content([{"name": "𠮷田"}], layout.read("t", {"encoding": "gbk"}))
    with pytest.raises(ConnectorFailed, match="row 1, column n: it does not fit into 3 places"):
        writing.content([{"n": "1234"}], layout.read("t", {"format": "fixed", "columns": "n 1-3"}))


# ── places ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpEnd]:
    with sftp_server.running(tmp_path_factory.mktemp("sftp")) as end:
        yield end


@pytest.fixture(params=["folder", "sftp"])
def old(request: pytest.FixtureRequest, sessions: sessionmaker[Session], tmp_path: Path) -> Path:
    """The directory of the connection `old`: a folder, or one that an SFTP server shows."""
    if request.param == "folder":
        root = tmp_path / "old"
        address: dict[str, Any] = {"folder": str(root)}
        secrets = {}
    else:
        end: SftpEnd = request.getfixturevalue("served")
        root = end.root / tmp_path.name
        address = {"host": "127.0.0.1", "port": end.port, "folder": f"/{tmp_path.name}", "timeout": 5.0}
        secrets = {"user": USER, "password": PASSWORD, "host_key": end.known}
    root.mkdir()
    says(sessions, request.param, address, secrets)
    return root


def says(sessions: sessionmaker[Session], kind: str, address: dict[str, Any], secrets: dict[str, str] | None = None) -> None:
    with sessions() as session:
        row = book.find(session, "old")
        book.put(session, "old", kind or (row.kind if row else ""), address={**(row.address if row else {}), **address}, secrets=secrets)
        session.commit()
    book.forget()


def write(key: str = "i1:t1:1", **given: Any) -> dict[str, Any]:
    call = Call(type="file.write", input={"name": "orders.csv", "rows": [{"name": "王"}], **given}, headers={"connection": "old"}, key=key,
                instance_id="i1", element_id="T")  # fmt: skip
    return dict(get("file.write").call(call))


def files(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.is_file())


def test_a_file_appears_whole_under_its_name_and_once_for_a_key(old: Path, sessions: sessionmaker[Session]) -> None:
    answer = write(name="ord-{key}.csv")
    assert files(old) == [answer["file"]]
    assert (old / answer["file"]).read_bytes() == "name\r\n王\r\n".encode()
    (old / answer["file"]).unlink()  # its reader has taken it
    with sessions() as session:
        session.execute(delete(MessageLog))
        session.commit()
    assert write(name="ord-{key}.csv") == answer
    assert files(old) == []


def test_a_name_that_is_taken_is_refused_unless_it_may_be_replaced(old: Path) -> None:
    write("a")
    with pytest.raises(BpmnError, match="lies there already"):
        write("b")
    write("c", replace=True, rows=[{"name": "李"}])
    assert "李" in (old / "orders.csv").read_text()


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", ""])
def test_a_name_stays_in_the_directory(old: Path, name: str) -> None:
    with pytest.raises(ConnectorFailed, match="name"):
        write(name=name)


def test_a_place_that_is_away_is_transient(old: Path, sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        kind = book.get(session, "old").kind
    says(sessions, kind, {"port": 1} if kind == "sftp" else {"folder": str(old / "gone")})
    with pytest.raises(ConnectorFailed) as failed:
        write()
    assert failed.value.kind == "transient"


def test_the_test_button_says_how_many_files_lie_there(old: Path, sessions: sessionmaker[Session]) -> None:
    (old / "x.csv").write_bytes(b"a\n1\n")
    with sessions() as session:
        tested = probe.test(session, "old")
    assert (tested.good, tested.message) == (True, "It lets us in; 1 files lie there.")


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        ({"host_key": ""}, "nobody is believed"), ({"host_key": "SHA256:AAAA"}, "another key than the connection knows"),
        ({"password": "wrong"}, "does not take our user"), ({"private_key": "no key"}, "private key cannot be read"),
    ],
    ids=["no host key", "another host key", "password", "private key"],
)  # fmt: skip
def test_sftp_believes_one_server_only_and_says_what_is_wrong(
    served: SftpEnd, sessions: sessionmaker[Session], secrets: dict[str, str], said: str
) -> None:
    known = {"user": USER, "password": PASSWORD, "host_key": served.known, **secrets}
    says(sessions, "sftp", {"host": "127.0.0.1", "port": served.port, "folder": "/"}, known)
    with pytest.raises(ConnectorFailed, match=said) as failed:
        write()
    assert failed.value.kind == "permanent"
    assert not (served.root / "orders.csv").exists()


def test_sftp_signs_in_with_a_key_and_knows_the_server_by_its_fingerprint(served: SftpEnd, sessions: sessionmaker[Session]) -> None:
    from integrations.files import sftp

    secrets = {"user": USER, "private_key": served.private, "host_key": sftp.fingerprint(served.host_key)}
    says(sessions, "sftp", {"host": "127.0.0.1", "port": served.port, "folder": "/"}, secrets)
    assert write(name="by-key.csv")["file"] == "by-key.csv"
    assert (served.root / "by-key.csv").exists()


# ── files that come ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def watched(old: Path, sessions: sessionmaker[Session], settings: Settings) -> Path:
    """`old` is watched: each row is an order that starts a process, mapped from Chinese columns."""
    with sessions() as session:
        check.deploy(session, {"p.bpmn": STARTS}, by="test")
        body = {"format": "csv", "expression": '{"orderId": 单号, "name": 姓名, "phone": 电话, "orderedAt": $date(日期)}'}
        mappings.create(session, "old.orders", "fields", name_en="Orders", name_zh="医嘱", by="test", body=body)
        mappings.publish(session, "old.orders", comment="first", by="test")
        index.save(session, settings, PATIENT)
        session.commit()
    says(sessions, "", {"watch": True, "pattern": "*.csv", "encoding": "gbk", "settle_seconds": 0.01, "mapping": "old.orders",
                        "message": "old_order", "key": "orderId"})  # fmt: skip
    return old


def orders(first: int, last: int) -> bytes:
    lines = [f"ORD-{n},王小明,13800138000,20261122" for n in range(first, last + 1)]
    return ("\r\n".join(["单号,姓名,电话,日期", *lines]) + "\r\n").encode("gbk")


def look(times: int = 2, watches: dict[str, Watch] | None = None) -> int:
    watches = watches if watches is not None else {}
    done = 0
    for _ in range(times):
        done += upkeep.once(watches)
        time.sleep(0.02)
    return done


def count(sessions: sessionmaker[Session], table: Any, *where: Any) -> int:
    with sessions() as session:
        return session.scalar(select(func.count()).select_from(table).where(*where)) or 0


def test_a_file_is_stored_its_rows_begin_processes_and_it_is_archived(watched: Path, sessions: sessionmaker[Session]) -> None:
    (watched / "a.csv").write_bytes(orders(1, 5))
    assert look() == 1
    with sessions() as session:
        begun = list(session.scalars(select(Instance).order_by(Instance.business_key)))
        stored = session.scalars(select(MessageLog).where(MessageLog.kind == "file")).one()
        row = session.scalars(select(MessageLog).where(MessageLog.kind == "file.row", MessageLog.reference == "ORD-3")).one()
    assert [one.business_key for one in begun] == [f"ORD-{n}" for n in range(1, 6)]
    assert (stored.state, stored.raw["file"], row.state, row.origin_id) == ("matched", "a.csv", "matched", stored.id)
    assert row.instance_id == begun[2].id
    assert row.mapped["phone"] == "13800138000"
    assert files(watched) == []
    (kept,) = (watched / "archive").iterdir()
    assert kept.read_bytes() == orders(1, 5)


def test_a_file_that_still_grows_is_left_alone(watched: Path, sessions: sessionmaker[Session]) -> None:
    watches: dict[str, Watch] = {}
    for size in (40, 60, 80):
        (watched / "a.csv").write_bytes(orders(1, 3)[:size])
        assert look(1, watches) == 0
    (watched / "b.csv.tmp").write_bytes(b"x")
    (watched / "a.csv").write_bytes(orders(1, 3))
    assert look(2, watches) == 1
    assert files(watched) == ["b.csv.tmp"]


def test_a_sender_that_marks_its_files_is_waited_for(watched: Path, sessions: sessionmaker[Session]) -> None:
    says(sessions, "", {"done_marker": True})
    (watched / "a.csv").write_bytes(orders(1, 3))
    assert look(3) == 0
    (watched / "a.csv.done").touch()
    assert look(1) == 1
    assert files(watched) == []


def test_the_same_file_again_is_recognised_under_any_name(watched: Path, sessions: sessionmaker[Session]) -> None:
    for name in ("a.csv", "b.csv"):
        (watched / name).write_bytes(orders(1, 3))
        look()
    assert count(sessions, Instance) == 3
    with sessions() as session:
        assert session.scalars(select(InboundFile)).one().times == 2
    assert len(list((watched / "archive").iterdir())) == 2


def test_a_row_that_came_in_another_file_is_recognised_where_its_columns_tell(watched: Path, sessions: sessionmaker[Session]) -> None:
    says(sessions, "", {"row_id": "单号"})
    (watched / "a.csv").write_bytes(orders(1, 3))
    look()
    (watched / "b.csv").write_bytes(orders(2, 5).replace("ORD-3,王小明".encode("gbk"), "ORD-3,王大明".encode("gbk")))
    look()
    assert count(sessions, Instance) == 5
    with sessions() as session:
        newest = session.scalars(select(InboundFile).where(InboundFile.name == "b.csv")).one()
        (item, _), *rest = worklist.open_items(session)
    assert (newest.repeated, newest.placed, newest.listed, item.reason, rest) == (1, 2, 1, "control_reused", [])


def test_each_bad_row_is_on_the_work_list_with_its_reason_and_can_be_handed_on_again(watched: Path, sessions: sessionmaker[Session]) -> None:
    bad = "ORD-7,王小明\r\nORD-8,王小明,1,明天\r\n,王小明,1,20261122\r\n".encode("gbk")
    (watched / "a.csv").write_bytes(orders(1, 2) + bad + b"ORD-9," + b"\xff\xff" + b",1,20261122\r\n")
    look()
    with sessions() as session:
        found = {item.reason: item.detail for item, _ in worklist.open_items(session)}
        listed = {item.reason: message.id for item, message in worklist.open_items(session)}
    assert count(sessions, Instance) == 2
    assert set(found) == {"unreadable", "unmapped", "no_order"}
    assert "line 5: " in found["unmapped"]
    assert "明天 is no date" in found["unmapped"]
    assert count(sessions, WorkItem) == 4
    with sessions() as session:  # the mapping learns the word
        body = {"format": "csv", "expression": '{"orderId": 单号, "name": 姓名, "orderedAt": 日期 = "明天" ? "2026-11-23" : $date(日期)}'}
        mappings.save_draft(session, "old.orders", body, by="test")
        mappings.publish(session, "old.orders", comment="tomorrow", by="test")
        again.retry(session, listed["unmapped"], by="engineer", why="映射已改正")
        session.commit()
    assert count(sessions, Instance) == 3


def test_a_file_that_nobody_can_read_goes_to_the_error_folder(watched: Path, sessions: sessionmaker[Session]) -> None:
    (watched / "empty.csv").write_bytes(b"")
    (watched / "open.csv").write_bytes(orders(1, 2) + 'ORD-3,"王小明,1,20261122\r\n'.encode("gbk"))
    look()
    assert sorted(path.name.split("-")[-1] for path in (watched / "error").iterdir()) == ["empty.csv", "open.csv"]
    with sessions() as session:
        said = sorted(item.detail for item, _ in worklist.open_items(session))
    assert said == [
        "empty.csv: line 1: the file is empty", "open.csv: line 4: a quotation mark that opens here is never closed; 2 rows before that were read",
    ]  # fmt: skip
    assert count(sessions, Instance) == 2


def test_a_row_about_a_known_patient_is_theirs_and_one_about_nobody_is_listed(
    watched: Path, sessions: sessionmaker[Session], settings: Settings
) -> None:
    with sessions() as session:
        body = {"format": "csv", "expression": '{"orderId": 单号, "idCard": 电话}'}
        mappings.save_draft(session, "old.orders", body, by="test")
        mappings.publish(session, "old.orders", comment="card", by="test")
        session.commit()
    text = f"单号,姓名,电话,日期\nO1,x,{PATIENT['idCard']},1\nO2,x,110101199003070038,1\n"
    (watched / "a.csv").write_bytes(text.encode("gbk"))
    look()
    with sessions() as session:
        begun = session.scalars(select(Instance)).one()
        ((item, _),) = worklist.open_items(session)
        patient = index.by_identifier(session, settings, "id_card", PATIENT["idCard"])
    assert patient is not None
    assert begun.subject == patient.id
    assert (item.reason, item.detail) == ("unknown_patient", "Nobody here has its idCard.")


def test_a_row_that_nobody_waits_for_is_listed(watched: Path, sessions: sessionmaker[Session]) -> None:
    says(sessions, "", {"message": "nobody"})
    (watched / "a.csv").write_bytes(orders(1, 1))
    look()
    with sessions() as session:
        ((item, _),) = worklist.open_items(session)
    assert item.reason == "no_receiver"
    assert count(sessions, Message) == 0


def test_what_was_stored_is_not_asked_for_again_and_is_deleted_with_the_retention(
    watched: Path, sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    (watched / "a.csv").write_bytes(orders(1, 3))
    look()
    assert count(sessions, InboundFilePart) == 1
    with sessions() as session:
        for row in session.scalars(select(MessageLog)):
            row.purged = row.at
        session.commit()
    look()
    assert count(sessions, InboundFilePart) == 0


KILLED = """
import os, signal, sys
from sqlalchemy import select
import integrations
from engine import db
from engine.settings import Settings
from integrations.files import placing, taking, upkeep
from pathlib import Path
settings = Settings(var_dir=Path(sys.argv[1]), port=18000)
sessions = db.sessions(db.open_engine(settings))
integrations.load(sessions=sessions, settings=settings)
place, left = {"stored": (taking, "take"), "rows": (placing, "_place_some"), "moved": (taking, "put_away")}[sys.argv[2]], [int(sys.argv[3])]
real = getattr(*place)
def then_die(*args):
    found = real(*args)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return found
setattr(*place, then_die)
placing.AT_ONCE = 7
watches = {}
import time
for _ in range(3):
    upkeep.once(watches)
    time.sleep(0.02)
"""


def test_a_worker_that_is_killed_anywhere_repeats_nothing_and_loses_nothing(
    watched: Path, sessions: sessionmaker[Session], settings: Settings
) -> None:
    (watched / "a.csv").write_bytes(orders(1, 30))
    for point, times in (("stored", 1), ("rows", 1), ("rows", 2), ("rows", 1), ("moved", 1), ("moved", 9)):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(settings.var_dir), point, str(times)], cwd=Path.cwd(), capture_output=True, check=False
        )
        assert done.returncode == (0 if times == 9 else -signal.SIGKILL), done.stderr.decode()[-600:]
    assert count(sessions, Instance) == 30
    assert count(sessions, MessageLog, MessageLog.kind == "file.row") == 30
    with sessions() as session:
        row = session.scalars(select(InboundFile)).one()
    assert (row.state, row.rows, row.placed, row.times) == ("done", 30, 30, 1)
    assert files(watched) == []


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_a_file_in_parts_reads_as_the_whole(size: int) -> None:
    whole = "编号,姓名\n1,王\n\n2,李雷".encode()
    part = taking._Parts(iter([whole[n : n + size] for n in range(0, len(whole), size)]))
    lines = list(iter(lambda: part.readline(100), b""))
    assert lines == io.BytesIO(whole).readlines()
    plain = io.BytesIO(whole)
    cut = taking._Parts(iter([whole[n : n + size] for n in range(0, len(whole), size)]))
    assert list(iter(lambda: cut.readline(4), b"")) == list(iter(lambda: plain.readline(4), b""))
    again_ = taking._Parts(iter([whole[n : n + size] for n in range(0, len(whole), size)]))
    assert b"".join(iter(lambda: again_.read(5), b"")) == whole


@pytest.mark.slow
def test_a_hundred_thousand_rows_come_in_flat_memory(sessions: sessionmaker[Session], tmp_path: Path) -> None:
    says(sessions, "folder", {"folder": str(tmp_path), "encoding": "gbk", "watch": True, "settle_seconds": 0.01})
    (tmp_path / "a.csv").write_bytes(orders(1, 100_000))
    watches: dict[str, Watch] = {}
    upkeep.once(watches)
    time.sleep(0.02)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    upkeep.once(watches)
    seconds, grown = time.perf_counter() - started, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    load = os.getloadavg()[0]
    print(f"100,000 rows stored and logged in {seconds:.1f} s: {100_000 / seconds:,.0f} rows/s, {grown:.1f} MB more memory, load {load:.1f}")
    assert count(sessions, MessageLog, MessageLog.kind == "file.row") == 100_000
    assert grown < 64
