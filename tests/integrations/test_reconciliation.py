"""Reconciliation: the providers' own files are read, every line ends in one class, and the totals always balance."""

from __future__ import annotations

import io
import time
import zipfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.payments import ledger
from integrations.payments.bills import BillUnreadable, Line, alipay, wechat
from integrations.payments.reconcile import ACTIONS, SIDES, platform_lines, reconcile
from tests.integrations.conftest import World

END = datetime(2026, 11, 22, 16, tzinfo=UTC)  # midnight in Beijing
NOON = END - timedelta(hours=12)
WECHAT = (
    "\ufeff交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,"
    "微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注\n"
    "`2026-11-22 10:00:00,`wx1,`190,`,`,`4200001,`ORDER-1,`o1,`NATIVE,`SUCCESS,`OTHERS,`CNY,`12.50,`0.00,`,`,`0.00,`0.00,`,`,`诊察费,`,`0.08,`0.60%,`12.50,`0.00,`\n"
    "`2026-11-22 11:00:00,`wx1,`190,`,`,`4200001,`ORDER-1,`o1,`NATIVE,`REFUND,"
    "`OTHERS,`CNY,`0.00,`0.00,`5000001,`REFUND-1,`5.00,`0.00,`ORIGINAL,`SUCCESS,`诊察费,`,`-0.03,`0.60%,`0.00,`5.00,`\n"
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\n`2,`12.50,`5.00,`0.00,`0.05,`12.50,`5.00\n"
)
ALIPAY = (
    "#支付宝业务明细查询\n#账号：[2088]\n#起始日期：[2026年11月22日]\n#-----业务明细列表-----\n"
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,"
    "集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注\n"
    "2026112222\t,ORDER-2\t,交易,诊察费,2026-11-22 10:00:00,2026-11-22 10:00:05,,,,,a***,1234.50,1234.50,0,0,0,0,0,,0,0,\t,-7.41,0,\n"
    "2026112222\t,ORDER-2\t,退款,诊察费,2026-11-22 10:00:00,2026-11-22 12:00:00,,,,,a***,-34.50,-34.50,0,0,0,0,0,,0,0,REFUND-2\t,0.21,0,\n"
    "#-----业务明细列表结束-----\n#交易合计：1笔\n"
)


def line(key: str, amount: int = 100, kind: str = "pay", at: datetime = NOON) -> Line:
    return Line(kind, key, amount, at)


def zipped(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("20881_业务明细(汇总).csv", "#汇总\n".encode("gbk"))
        archive.writestr("20881_业务明细.csv", text.encode("gbk"))
    return buffer.getvalue()


def test_wechats_bill() -> None:
    at = datetime(2026, 11, 22, 2, tzinfo=UTC)
    assert wechat(WECHAT.encode()) == [
        Line("pay", "ORDER-1", 1250, at, 8, "4200001"),
        Line("refund", "REFUND-1", 500, at + timedelta(hours=1), -3, "5000001"),
    ]


def test_alipays_bill() -> None:
    assert [(found.kind, found.key, found.amount, found.fee) for found in alipay(zipped(ALIPAY))] == [
        ("pay", "ORDER-2", 123450, -741), ("refund", "REFUND-2", 3450, 21),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "header"),
        ("a,b\n", "header"),
        (WECHAT.replace("`12.50", "`12.505"), "fen"),
        (WECHAT.replace("2026-11-22 10", "22.11. 10"), "no time"),
    ],
)
def test_a_wechat_bill_that_is_none_says_why(content: str, why: str) -> None:
    with pytest.raises(BillUnreadable, match=why):
        wechat(content.encode())


@pytest.mark.parametrize("content", [b"no zip", zipped("#nothing\n")])
def test_an_alipay_bill_that_is_none_says_why(content: bytes) -> None:
    with pytest.raises(BillUnreadable):
        alipay(content)


@pytest.mark.parametrize(
    ("his", "platform", "provider", "kind"),
    [
        ([line("A")], [line("A")], [line("A")], "MATCH"),
        ([], [line("A")], [line("A")], "PROVIDER_LONG"),
        ([], [], [line("A")], "PROVIDER_LONG"),
        ([line("A")], [line("A")], [], "PROVIDER_SHORT"),
        ([line("A")], [], [], "HIS_ONLY"),
        ([], [line("A")], [], "PLATFORM_ONLY"),
        ([line("A")], [], [line("A")], "STATUS_MISMATCH"),
        ([line("A")], [line("A", 99)], [line("A")], "AMOUNT_MISMATCH"),
        ([line("A")], [line("A")], [line("A"), line("A")], "DUPLICATE"),
        ([], [line("A", kind="refund")], [line("A", kind="refund")], "REFUND_MISSING"),
        ([line("A")], [line("A", at=END - timedelta(minutes=2))], [], "CROSS_DAY"),
    ],
)
def test_each_class(his: list[Line], platform: list[Line], provider: list[Line], kind: str) -> None:
    report = reconcile(his, platform, provider, day_end=END)
    assert report.counts() == {kind: 1}
    assert all(ACTIONS[kind])


def test_a_cross_day_case_clears_itself_the_next_day() -> None:
    late = line("A", at=END - timedelta(minutes=1))
    first = reconcile([late], [late], [], day_end=END)
    second = reconcile([], [], [line("A", at=END + timedelta(minutes=1))], day_end=END + timedelta(days=1), carried=first.differences)
    assert (first.counts(), second.counts()) == ({"CROSS_DAY": 1}, {"MATCH": 1})


def test_a_cross_day_case_that_does_not_clear_is_open_the_next_day() -> None:
    late = line("A", at=END - timedelta(minutes=1))
    first = reconcile([late], [late], [], day_end=END)
    second = reconcile([], [], [], day_end=END + timedelta(days=1), carried=first.differences)
    assert [item.kind for item in second.open()] == ["PROVIDER_SHORT"]


lines = st.lists(
    st.builds(
        Line,
        st.sampled_from(["pay", "refund"]),
        st.sampled_from("ABCDEF"),
        st.integers(1, 5),
        st.integers(0, 1440).map(lambda m: END - timedelta(minutes=m)),
    ),
    max_size=12,
)


@given(lines, lines, lines)
def test_the_totals_always_balance(his: list[Line], platform: list[Line], provider: list[Line]) -> None:
    report = reconcile(his, platform, provider, day_end=END)
    for side, given_ in zip(SIDES, (his, platform, provider), strict=True):
        whole = sum(-item.amount if item.kind == "refund" else item.amount for item in given_)
        assert sum(report.totals(side).values()) == whole
        assert sum(len(getattr(item, side)) for item in report.differences) == len(given_)
    assert len({(item.line, item.key) for item in report.differences}) == len(report.differences)
    assert set(report.counts()) <= set(ACTIONS)


def test_a_hundred_thousand_lines_take_less_than_ten_seconds() -> None:
    many = [line(f"ORDER-{n}", n % 900 + 1) for n in range(100_000)]
    started = time.process_time()
    report = reconcile(many, many, many[:-7], day_end=END)
    assert time.process_time() - started < 10
    assert report.counts() == {"MATCH": 99_993, "PROVIDER_SHORT": 7}


def test_a_fee_that_is_not_the_contracts_is_said() -> None:
    sides = [Line("pay", "A", 10_000, NOON, fee=60)], [Line("pay", "A", 10_000, NOON)], [Line("pay", "A", 10_000, NOON, fee=60)]
    assert reconcile(*sides, day_end=END, fee_rate=Decimal("0.006")).counts() == {"MATCH": 1}
    assert reconcile(*sides, day_end=END, fee_rate=Decimal("0.0038")).counts() == {"FEE_MISMATCH": 1}


def test_our_side_is_the_ledger(world: World) -> None:
    made = world.call("payment.order", "k1", patientId=world.patient_id, orderId="ORDER-0001", amount=1250, channel="wechat")
    with world.sessions() as session:
        payment = ledger.get(session, str(made["paymentId"]))
        ledger.settle(session, payment, "paid", transaction_id="42", amount=1250, source="notification")
        ledger.refund(session, payment, "REFUND-01", 500, source="call")
        session.commit()
        now = datetime.now(UTC)
        found = platform_lines(session, now - timedelta(hours=1), now + timedelta(hours=1), "wechat")
        assert platform_lines(session, now - timedelta(hours=1), now + timedelta(hours=1), "alipay") == []
    assert [(item.kind, item.key, item.amount) for item in found] == [("pay", "ORDER-0001", 1250), ("refund", "REFUND-01", 500)]
