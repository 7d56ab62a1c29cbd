from datetime import timedelta, timezone
from typing import Any

import pytest

from alerts.pager.notice import Notice
from alerts.pager.wording import Language, Text, Wording
from tests.alerts.pager.examples import CLOSED, NO_FUSE, OVERSELL, RETURNS, event, notice

BEIJING = timezone(timedelta(hours=8))
ZH, EN = Wording("zh", BEIJING), Wording("en")
OPENED_MS = 1_794_398_400_123
ON_SALE = {"paused": {"product": False, "skus": []}}
BY_ZHANG = {"actor": "operator:zhang", "reason": "checked by hand", "cause": {"command_id": "c1", "action": "resume"}}


def said(text: Text) -> str:
    """Return all of a text."""
    return "\n".join((text.summary, *text.sentences))


def test_an_oversell_opening_of_a_sku() -> None:
    assert said(ZH.text(notice(OVERSELL))) == (
        "【严重】商品 p42 规格 red（直播间 r1）：规格已暂停，库存即将售罄\n"
        "剩余可售 249 件，触发线 249 件，当前每秒售出 83 件，约 3 秒后售罄。\n"
        "库存依据：2026-11-11 19:59:00 UTC+8 在库 500 件。\n"
        "主播：规格 red 已暂停，请勿推荐；其余规格照常销售。\n"
        "处理：核对实际库存并上报新库存；库存足够后自动恢复（规则另有设定的除外）。\n"
        "时间：2026-11-11 20:00:00 UTC+8，规则 oversell，第 1 次触发。\n"
        "证据：o1"
    )
    assert said(EN.text(notice(OVERSELL))) == (
        "[critical] Product p42 SKU red (room r1): SKU paused, almost sold out\n"
        "249 left to sell, the limit is 249; selling 83 a second, sold out in about 3 s.\n"
        "From the stock level of 2026-11-11 11:59:00 UTC: 500 on hand.\n"
        "For the host: SKU red paused, please do not offer it; the rest is on sale.\n"
        "What to do: check the stock and send a new level; with enough it resumes by itself, unless the rule says no.\n"
        "Since 2026-11-11 12:00:00 UTC, rule oversell, opening 1.\n"
        "Evidence: o1"
    )


def test_a_return_spike() -> None:
    assert ZH.text(notice(RETURNS)).sentences[0] == (
        "1 小时内退货 45 件（12 笔），占近期同时长最高销量 300 件的 15.0%；此前最高 3.2%，触发线 13.2%。"
    )
    assert EN.text(notice(RETURNS)).sentences[0] == (
        "45 units came back in 12 returns within 1 h, 15.0% of the 300 units sold in the best such period; the worst "
        "before was 3.2%; the limit is 13.2%."
    )


def test_a_complaint_surge_tells_its_newest_evidence() -> None:
    many = notice(cause={"measured": 1_051, "limit": 50, "window_s": 5400, "evidence": [f"c{i}" for i in range(100)]})
    assert ZH.text(many).sentences[0] == "1 小时 30 分钟内收到 1,051 条不同的投诉，超过上限 50 条。"
    assert ZH.text(many).sentences[-1] == "证据：c95、c96、c97、c98、c99（最近 5 条）"
    assert EN.text(many).sentences[0] == "1,051 different complaints within 1 h 30 min, the limit is 50."
    assert EN.text(many).sentences[-1] == "Evidence: c95, c96, c97, c98, c99 (the newest 5)"


@pytest.mark.parametrize(
    ("cause", "headline", "first"),
    [
        (
            {"measured": 0, "limit": 0, "level": 0, "rate": 0.0, "on_hand": 0},
            "已暂停销售，库存已售罄",
            "剩余可售 0 件，触发线 0 件。",
        ),
        (
            {"measured": -12, "limit": 5, "level": 5, "rate": 1.6667},
            "已暂停销售，已超卖",
            "剩余可售 -12 件，触发线 5 件，当前每秒售出 1.67 件。",
        ),
        (
            {"measured": 500, "limit": 74_214, "level": 74_214, "rate": 24_738.3333},
            "已暂停销售，库存即将售罄",
            "剩余可售 500 件，触发线 74,214 件，当前每秒售出 24,738 件，约 1 秒后售罄。",
        ),
    ],
)
def test_what_is_left_is_told_as_it_is(cause: dict[str, Any], headline: str, first: str) -> None:
    text = ZH.text(notice(rule="oversell", cause=cause))
    assert text.summary.endswith(f"：{headline}")
    assert text.sentences[0] == first


@pytest.mark.parametrize("sku_id", [None, "p42"])
def test_the_unnamed_sku_has_no_name(sku_id: str | None) -> None:
    assert EN.summary(notice(sku_id=sku_id)) == "[warning] Product p42 (room r1): paused, many complaints"


def test_a_product_without_a_room() -> None:
    assert EN.summary(notice(room_id=None)) == "[warning] Product p42: paused, many complaints"


def test_what_an_operator_allows_is_not_called_paused() -> None:
    zh, en = ZH.text(notice(ON_SALE)), EN.text(notice(ON_SALE))
    assert zh.summary.endswith("熔断触发（人工放行中，未暂停），投诉激增")
    assert zh.sentences[1:3] == ("运营已放行该商品，此次熔断不会使其暂停。", "主播：该商品正常销售，可继续讲解。")
    assert en.sentences[1:3] == (
        "An operator allows the sale, so this fuse does not pause it.",
        "For the host: the product is on sale, go on.",
    )


def test_a_rule_in_shadow_pauses_nothing() -> None:
    text = EN.text(notice(ON_SALE, shadow=True))
    assert text.summary.endswith("a rule in shadow tripped (nothing is paused), many complaints")
    assert "The rule is in shadow and pauses nothing." in text.sentences
    assert "What to do: nothing; it shows whether the rule suits you." in text.sentences


def test_many_paused_skus_are_counted() -> None:
    paused = {"product": False, "skus": [f"s{number}" for number in range(8)]}
    assert "主播：规格 s0、s1、s2、s3、s4 等 8 个已暂停，请勿推荐；其余规格照常销售。" in said(
        ZH.text(notice(OVERSELL, paused=paused))
    )
    assert "SKU s0, s1, s2, s3, s4 and 3 more paused" in said(EN.text(notice(OVERSELL, paused=paused)))


@pytest.mark.parametrize(
    ("changes", "zh", "en"),
    [
        (
            {"type": "fuse.acknowledged", **BY_ZHANG},
            ["zhang 已确认熔断", "zhang 已确认。", "理由：checked by hand", "主播：该商品已暂停销售"],
            [
                "fuse acknowledged by zhang",
                "zhang has acknowledged it.",
                "Reason: checked by hand",
                "product is paused",
            ],
        ),
        (
            {"type": "fuse.probation", "to": "probation", **BY_ZHANG, **ON_SALE},
            ["熔断进入观察期，正常销售", "zhang 已恢复，进入观察期：期间限值更严", "距触发 12 分钟 3 秒。"],
            [
                "fuse on probation, on sale",
                "zhang has resumed it. On probation its limit",
                "12 min 3 s after the opening.",
            ],
        ),
        (
            {"type": "fuse.probation", "to": "probation", "actor": "timer", "cause": {}},
            ["熔断进入观察期，商品仍暂停", "冷却时间已到，进入观察期"],
            ["fuse on probation, still paused", "Its cool-down is over."],
        ),
        (
            {**CLOSED, "cause": {"measured": 1_200, "limit": 498, "as_of": OPENED_MS}},
            ["熔断已解除，正常销售", "剩余可售 1,200 件，高于恢复线 498 件，熔断自动解除。", "距触发 12 分钟 3 秒。"],
            ["fuse closed, on sale", "1,200 left to sell, more than the 498 it takes", "12 min 3 s after the opening."],
        ),
        (
            {**CLOSED, "actor": "timer", "from": "probation"},
            ["观察期内未再触发，熔断自动解除。"],
            ["All was quiet on probation: the fuse closed by itself."],
        ),
        (
            {**CLOSED, "actor": "rules", "rule_version": 4, "cause": {"rules_version": 4}},
            ["规则已更新至版本 4，该规则不再适用，熔断解除。"],
            ["By version 4 of the rules this one does not hold any more"],
        ),
        (
            {**CLOSED, **BY_ZHANG, "paused": {"product": False, "skus": ["blue"]}},
            ["熔断已解除，部分规格仍暂停", "zhang 已恢复，熔断解除。", "规格 blue 已暂停"],
            ["fuse closed, some SKUs still paused", "zhang has resumed it: the fuse closed.", "SKU blue paused"],
        ),
        ({**CLOSED, "actor": "rule"}, ["熔断已解除。"], ["The fuse closed."]),
        (
            {
                **NO_FUSE,
                "type": "override.set",
                "actor": "operator:zhang",
                "reason": "price",
                "cause": {"action": "pause"},
            },
            ["【提示】", "人工暂停", "zhang 暂停了该商品，直至人工结束。", "理由：price"],
            ["[info]", "paused by an operator", "zhang has paused the product until released.", "Reason: price"],
        ),
        (
            {
                **NO_FUSE,
                **ON_SALE,
                "type": "override.set",
                "actor": "operator:zhang",
                "cause": {"action": "allow", "expires_at": "2026-11-11T13:00:00.000Z"},
            },
            ["人工放行", "zhang 放行了该商品，至 2026-11-11 21:00:00 UTC+8；期间熔断不会使其暂停。"],
            ["allowed by an operator", "until 2026-11-11 13:00:00 UTC; no fuse pauses it meanwhile."],
        ),
        (
            {**NO_FUSE, **ON_SALE, "type": "override.cleared", "actor": "timer", "cause": {}},
            ["人工干预已结束，正常销售", "人工干预已到期。"],
            ["override ended, on sale", "The override has expired."],
        ),
        (
            {**NO_FUSE, "type": "override.cleared", "actor": "operator:zhang", "cause": {"action": "release"}},
            ["人工干预已结束，商品仍暂停", "zhang 结束了人工干预。"],
            ["override ended, still paused", "zhang has ended the override."],
        ),
        (
            {
                **NO_FUSE,
                "type": "command.rejected",
                "actor": "operator:zhang",
                "cause": {"action": "resume", "rejected": "nothing_open"},
            },
            ["“恢复”指令未执行", "zhang 的“恢复”指令未执行：没有符合条件的熔断。"],
            ["command “resume” changed nothing", "of zhang changed nothing: no open fuse matches."],
        ),
        (
            {
                **NO_FUSE,
                "type": "command.rejected",
                "actor": "operator:zhang",
                "cause": {"action": "pause", "rejected": "new_reason"},
            },
            ["未执行：new_reason。"],
            ["changed nothing: new_reason."],
        ),
    ],
)
def test_every_other_event_says_who_why_and_what_holds_now(
    changes: dict[str, Any], zh: list[str], en: list[str]
) -> None:
    told = Notice.of(event(changes), opened_at=OPENED_MS - 723_000)
    for wording, parts in ((ZH, zh), (EN, en)):
        text = said(wording.text(told))
        assert [part for part in parts if part not in text] == [], text
        assert "2026-11-11" in text.splitlines()[-1]


@pytest.mark.parametrize(
    "rejected",
    [
        "conflict",
        "expired",
        "expiry_missing",
        "expiry_too_far",
        "nothing_to_release",
        "nothing_open",
        "already_acknowledged",
    ],
)
def test_every_rejection_has_words(rejected: str) -> None:
    told = notice(NO_FUSE, type="command.rejected", actor="operator:z", cause={"action": "allow", "rejected": rejected})
    assert f"：{rejected}。" not in said(ZH.text(told))
    assert f": {rejected}." not in said(EN.text(told))


def test_what_nobody_acknowledged_says_for_how_long_and_claims_nothing_about_now() -> None:
    told = Notice.unacknowledged(event(OVERSELL), timedelta(minutes=5))
    zh, en = ZH.text(told), EN.text(told)
    assert zh.summary == "【严重】商品 p42 规格 red（直播间 r1）：熔断 5 分钟无人确认，库存即将售罄"
    assert en.summary == "[critical] Product p42 SKU red (room r1): fuse not acknowledged for 5 min, almost sold out"
    assert "处理：请立即在控制台确认，并安排人员处理。" in zh.sentences
    assert "paused" not in said(en)


@pytest.mark.parametrize(
    "changes", [OVERSELL, CLOSED, {**NO_FUSE, "type": "override.set", "cause": {"action": "pause"}}]
)
@pytest.mark.parametrize("language", ["zh", "en", "both"])
def test_a_drill_says_so_before_all_else(changes: dict[str, Any], language: Language) -> None:
    text = Wording(language).text(Notice.of(event(changes), drill=True))
    assert text.summary.startswith(("【演练】", "[DRILL]"))
    assert text.sentences[0] in ("这是一次演练。", "This is an exercise.")


def test_the_severity_of_complaints_decides_how_urgent_they_are() -> None:
    assert "look at the complaints at once" in said(EN.text(notice(severity="critical")))
    assert "look at the complaints soon" in said(EN.text(notice()))
    assert "立即查看投诉" in said(ZH.text(notice(severity="critical")))


@pytest.mark.parametrize("cause", [{}, {"measured": 3}, {"measured": 3.5, "limit": 2}, {"R": 4}, {"level": 3}])
def test_an_opening_that_tells_less_still_has_words(cause: dict[str, Any]) -> None:
    for wording in (ZH, EN):
        text = said(wording.text(notice(rule="new-kind", cause=cause)))
        assert "None" not in text
        assert "new-kind" in text


def test_what_comes_from_outside_is_one_line_that_hides_nothing() -> None:
    told = notice(
        type="override.set",
        product_id="a\u202egpj\u200b.b",
        actor="operator:\u2028z",
        reason="one\r\n\ttwo\x07\u2066 " + "x" * 2_000,
        cause={"action": "pause"},
    )
    for wording in (ZH, EN):
        text = wording.text(told)
        assert all(len(sentence.splitlines()) == 1 for sentence in (text.summary, *text.sentences))
        assert "a gpj .b" in text.summary
        reason = next(sentence for sentence in text.sentences if "one two xxx" in sentence)
        assert reason.endswith("x…")
        assert len(reason) < 320


def test_times_are_told_in_the_zone_with_its_offset() -> None:
    india, nepal = timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-3, minutes=-30))
    assert "2026-11-11 17:30:00 UTC+5:30" in said(Wording("en", india).text(notice()))
    assert "2026-11-11 08:30:00 UTC-3:30" in said(Wording("en", nepal).text(notice()))
    assert "2026-11-11 12:00:00 UTC," in said(Wording("en").text(notice()))


def test_both_languages_say_both() -> None:
    text = Wording("both").text(notice())
    zh, en = Wording("zh").text(notice()), Wording("en").text(notice())
    assert text == Text(zh.summary, (*zh.sentences, en.summary, *en.sentences))
    assert Wording("both").summary(notice()) == f"{zh.summary} / {en.summary}"
    assert Wording("en").description(notice()) == "\n".join(en.sentences)


def test_a_title_counts_by_severity() -> None:
    several = [notice(), notice(OVERSELL), notice(severity="info"), notice()]
    assert Wording("zh").title(several) == "livefuse：4 条通知（严重 1 · 警告 2 · 提示 1）"
    assert Wording("en").title(several) == "livefuse: 4 notices (critical 1 · warning 2 · info 1)"
