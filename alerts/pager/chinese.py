"""Notices in Chinese."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from alerts.pager.facts import Facts, number, percent, units_of

SEVERITIES: Final = {"critical": "严重", "warning": "警告", "info": "提示"}
MORE: Final = "另有 {count} 条通知未能列出，详见控制台。"
CUT: Final = "内容过长，已截断，详见控制台。"
TITLE: Final = "livefuse：{count} 条通知（{severities}）"
CONSOLE: Final = "打开控制台"

_UNITS: Final = {"d": "天", "h": "小时", "m": "分钟", "s": "秒"}
_ACTIONS: Final = {"pause": "暂停", "allow": "放行", "release": "结束人工干预", "resume": "恢复", "acknowledge": "确认"}
_REJECTIONS: Final = {
    "conflict": "期间商品状态已有变化，请刷新后再试",
    "expired": "指令在处理前已过期",
    "expiry_missing": "放行必须指定结束时间",
    "expiry_too_far": "放行最长 24 小时",
    "nothing_to_release": "当前没有人工干预",
    "nothing_open": "没有符合条件的熔断",
    "already_acknowledged": "已有人确认",
}
_SALES: Final = {"paused": "商品仍暂停", "some_paused": "部分规格仍暂停", "on_sale": "正常销售"}
_CAUSES: Final = {"oversell": "库存即将售罄", "return_spike": "退货率突增", "complaint_surge": "投诉激增"}


def duration(time: timedelta) -> str:
    """Write a duration."""
    return " ".join(f"{count} {_UNITS[unit]}" for count, unit in units_of(time))


def summary(facts: Facts) -> str:
    """Say in one line what happened, to what, and how bad it is."""
    sku = f" 规格 {facts.sku}" if facts.sku else ""
    room = f"（直播间 {facts.room}）" if facts.room else ""
    drill = "【演练】" if facts.notice.drill else ""
    return f"{drill}【{SEVERITIES[facts.severity]}】商品 {facts.product}{sku}{room}：{_headline(facts)}"


def _headline(facts: Facts) -> str:
    match facts.kind:
        case "opened":
            return f"{_effect(facts)}，{_why(facts)}"
        case "unacknowledged":
            waited = f" {duration(facts.notice.waited)}" if facts.notice.waited is not None else ""
            return f"熔断{waited}无人确认，{_why(facts)}"
        case "acknowledged":
            return f"{facts.operator} 已确认熔断"
        case "probation":
            return f"熔断进入观察期，{_SALES[facts.sale]}"
        case "closed":
            return f"熔断已解除，{_SALES[facts.sale]}"
        case "override_set":
            return "人工暂停" if facts.cause.action == "pause" else "人工放行"
        case "override_cleared":
            return f"人工干预已结束，{_SALES[facts.sale]}"
        case "rejected":
            return f"{_action(facts)}指令未执行"


def _effect(facts: Facts) -> str:
    if facts.event.shadow:
        return "试运行规则触发（未暂停）"
    if facts.sale == "on_sale":
        return "熔断触发（人工放行中，未暂停）"
    return "规格已暂停" if facts.sku and facts.sale == "some_paused" else "已暂停销售"


def _why(facts: Facts) -> str:
    left = facts.cause.measured
    if facts.rule_kind == "oversell" and left is not None and left <= 0:
        return "已超卖" if left < 0 else "库存已售罄"
    return _CAUSES[facts.rule_kind] if facts.rule_kind else f"规则 {facts.rule}"


def sentences(facts: Facts) -> Iterator[str]:
    """Say the rest, the most important first."""
    if facts.notice.drill:
        yield "这是一次演练。"
    match facts.kind:
        case "opened" | "unacknowledged":
            yield from _opening(facts)
            return
        case "acknowledged":
            yield f"{facts.operator} 已确认。"
        case "probation":
            begin = f"{facts.operator} 已恢复" if facts.by == "operator" else "冷却时间已到"
            yield f"{begin}，进入观察期：期间限值更严，再次触发会立即熔断。"
        case "closed":
            yield _closing(facts)
        case "override_set" | "override_cleared":
            yield _override(facts)
        case "rejected":
            why = _REJECTIONS.get(facts.cause.rejected or "", facts.cause.rejected or "原因不明")
            yield f"{facts.operator} 的{_action(facts)}指令未执行：{why}。"
    if facts.reason:
        yield f"理由：{facts.reason}"
    if facts.lasted is not None and facts.kind in ("acknowledged", "probation", "closed"):
        yield f"距触发 {duration(facts.lasted)}。"
    yield _state(facts)
    rule = f"，规则 {facts.rule}" if facts.rule else ""
    yield f"时间：{facts.moment(facts.event.occurred_at)}{rule}。"


def _opening(facts: Facts) -> Iterator[str]:
    yield from _measured(facts)
    # What held when the fuse opened may not hold any more when nobody has acknowledged it.
    if facts.kind == "opened":
        if facts.event.shadow:
            yield "该规则处于试运行，不会暂停任何商品。"
        elif facts.sale == "on_sale":
            yield "运营已放行该商品，此次熔断不会使其暂停。"
        yield _state(facts)
    yield f"处理：{_advice(facts)}"
    times = f"，第 {facts.event.epoch} 次触发" if facts.event.epoch is not None else ""
    yield f"时间：{facts.moment(facts.event.occurred_at)}，规则 {facts.rule}{times}。"
    if facts.evidence:
        newest = f"（最近 {len(facts.evidence)} 条）" if facts.more_evidence else ""
        yield f"证据：{'、'.join(facts.evidence)}{newest}"


def _measured(facts: Facts) -> Iterator[str]:
    cause = facts.cause
    if cause.measured is None or cause.limit is None:
        return
    window = duration(timedelta(seconds=cause.window_s or 0))
    match facts.rule_kind:
        case "oversell":
            rate = f"，当前每秒售出 {number(cause.rate)} 件" if cause.rate else ""
            left = f"，约 {facts.seconds_left:,} 秒后售罄" if facts.seconds_left is not None else ""
            yield f"剩余可售 {number(cause.measured)} 件，触发线 {number(cause.limit)} 件{rate}{left}。"
            if cause.on_hand is not None and cause.as_of is not None:
                yield f"库存依据：{facts.moment(cause.as_of)} 在库 {number(cause.on_hand)} 件。"
        case "return_spike":
            units, sold = number(cause.R or 0), f" {number(cause.N)} 件" if cause.N is not None else ""
            returns = f"（{number(cause.k)} 笔）" if cause.k is not None else ""
            before = f"；此前最高 {percent(cause.b)}" if cause.b is not None else ""
            yield (
                f"{window}内退货 {units} 件{returns}，占近期同时长最高销量{sold}的 {percent(cause.measured)}{before}，"
                f"触发线 {percent(cause.limit)}。"
            )
        case "complaint_surge":
            yield f"{window}内收到 {number(cause.measured)} 条不同的投诉，超过上限 {number(cause.limit)} 条。"
        case None:
            yield f"测得 {number(cause.measured)}，限值 {number(cause.limit)}。"


def _state(facts: Facts) -> str:
    if facts.sale == "paused":
        return "主播：该商品已暂停销售，请先讲其他商品。"
    if facts.sale == "some_paused":
        more = f" 等 {len(facts.event.paused.skus)} 个" if facts.more_paused_skus else " "
        return f"主播：规格 {'、'.join(facts.paused_skus)}{more}已暂停，请勿推荐；其余规格照常销售。"
    return "主播：该商品正常销售，可继续讲解。"


def _advice(facts: Facts) -> str:
    if facts.kind == "unacknowledged":
        return "请立即在控制台确认，并安排人员处理。"
    if facts.event.shadow:
        return "无需操作；可据此判断规则是否合适。"
    match facts.rule_kind:
        case "oversell":
            return "核对实际库存并上报新库存；库存足够后自动恢复（规则另有设定的除外）。"
        case "return_spike":
            return "查明退货原因，核实商品质量与描述；确认无碍后再恢复，恢复后有观察期。"
        case "complaint_surge":
            urgent = "立即" if facts.severity == "critical" else "尽快"
            return f"{urgent}查看投诉并核实；确认无碍后再恢复，恢复后有观察期。"
        case None:
            return "在控制台确认，查明原因后再恢复。"


def _closing(facts: Facts) -> str:
    match facts.by:
        case "rule" if facts.cause.measured is not None and facts.cause.limit is not None:
            left, enough = number(facts.cause.measured), number(facts.cause.limit)
            return f"剩余可售 {left} 件，高于恢复线 {enough} 件，熔断自动解除。"
        case "timer":
            return "观察期内未再触发，熔断自动解除。"
        case "rules":
            return f"规则已更新至版本 {facts.event.rule_version}，该规则不再适用，熔断解除。"
        case "operator":
            return f"{facts.operator} 已恢复，熔断解除。"
        case _:
            return "熔断已解除。"


def _override(facts: Facts) -> str:
    if facts.kind == "override_cleared":
        return f"{facts.operator} 结束了人工干预。" if facts.by == "operator" else "人工干预已到期。"
    end = f"至 {facts.moment(facts.cause.expires_at)}" if facts.cause.expires_at is not None else "直至人工结束"
    if facts.cause.action == "pause":
        return f"{facts.operator} 暂停了该商品，{end}。"
    return f"{facts.operator} 放行了该商品，{end}；期间熔断不会使其暂停。"


def _action(facts: Facts) -> str:
    return f"“{_ACTIONS.get(facts.cause.action or '', facts.cause.action or '未知')}”"
