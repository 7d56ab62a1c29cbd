"""The words of a report's page, in English and Chinese. What an event says is said by the words of the pager."""

from dataclasses import dataclass
from typing import Final, Literal

Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class Words:
    """Headings, labels and sentences in one language. Those with braces are filled in by the page."""

    title: str
    of_product: str
    of_room: str
    summary: str
    counts: str
    nothing: str
    apart: str
    columns: tuple[str, ...]
    all_rules: str
    times: str
    how: tuple[str, ...]
    incidents: str
    product: str
    sku: str
    room: str
    opening: str
    open_before: str
    gone: str
    still_open: str
    evidence: str
    more_evidence: str
    measured_by: tuple[str, str, str]
    detected: str
    paged: str
    acknowledged: str
    ended: str
    not_known: str
    not_told: str
    answered: str
    not_yet: str
    timeline: tuple[str, str, str]
    reason: str
    actions: str
    no_actions: str
    overrides: str
    override_columns: tuple[str, ...]
    holds: str
    actors: dict[str, str]
    shadows: str
    shadows_note: str
    drills: str
    drills_note: str
    short_columns: tuple[str, ...]
    second: str


ENGLISH: Final = Words(
    title="Fuses from {begin} to {end}",
    of_product="Only product {product}.",
    of_room="Only room {room}.",
    summary="Summary",
    counts="Incidents: {count}, of which {open} still open and {before} opened before the period.",
    nothing="No fuse was open in this period.",
    apart="Apart from them: in shadow {shadows}, exercises {drills}, overrides by operators {overrides}.",
    columns=("rule", "incidents", "still open", "detected", "acknowledged", "ended"),
    all_rules="all",
    times="{median} (worst {worst}; {count})",
    how=(
        "Times in the table: median, worst, and of how many incidents.",
        (
            "Detected: from the time of the fact that tripped the fuse, by the shop's clock, to the fuse event in "
            "Kafka. When the fact itself came to Kafka does not stand in the fuse events, so the shop's own delay is "
            "in this time."
        ),
        (
            "Paged: when somebody was told does not stand in the fuse events either. The pager measures it over all "
            "incidents (`livefuse_page_delay_seconds`), `livefuse drill` for one."
        ),
        "Acknowledged and ended: from the opening, by the timestamps of the fuse events in Kafka.",
    ),
    incidents="Incidents",
    product="product {product}",
    sku="SKU {sku}",
    room="room {room}",
    opening="opening {epoch}",
    open_before="It opened before the period.",
    gone="Its opening is gone: Kafka has deleted the event. What is left is told.",
    still_open="It is still open.",
    evidence="Evidence ({count}): {ids}",
    more_evidence="{ids} and {more} older ones (all are in --json)",
    measured_by=("from the opening", "by event time", "by Kafka timestamps"),
    detected="detected (from the fact that tripped it)",
    paged="paged",
    acknowledged="acknowledged by {who}",
    ended="ended by {who}",
    not_known="not known",
    not_told="not in the fuse events",
    answered="acknowledged",
    not_yet="not yet",
    timeline=("event", "by", "what"),
    reason="Reason: {reason}",
    actions="Who did what",
    no_actions="No operator did anything.",
    overrides="Overrides",
    override_columns=("product", "what", "by", "reason", "lasted", "ended by"),
    holds="holds",
    actors={"rule": "its rule", "timer": "its timer", "rules": "new rules"},
    shadows="In shadow",
    shadows_note="Rules on trial. Nothing was paused, nobody was told.",
    drills="Exercises",
    drills_note="Products that do not exist. In no figure above.",
    short_columns=("product", "rule", "opening", "detected", "acknowledged", "ended"),
    second="s",
)

CHINESE: Final = Words(
    title="熔断报告：{begin} 至 {end}",
    of_product="仅商品 {product}。",
    of_room="仅直播间 {room}。",
    summary="概要",
    counts="事件 {count} 起，其中 {open} 起尚未结束，{before} 起在本时段之前触发。",
    nothing="本时段内没有熔断。",
    apart="另计：试运行 {shadows} 次，演练 {drills} 次，人工干预 {overrides} 次。",
    columns=("规则", "事件", "未结束", "发现", "确认", "结束"),
    all_rules="全部",
    times="{median}（最长 {worst}；{count} 起）",
    how=(
        "表中时间：中位数、最长，以及所依据的事件数。",
        (
            "发现：从触发熔断的业务事实发生（以业务系统时钟为准）到熔断事件写入 Kafka。"
            "业务事实何时写入 Kafka 不在熔断事件中，因此其中包含业务系统自身的延迟。"
        ),
        (
            "呼叫：何时通知到人也不在熔断事件中。总体情况见告警服务的指标 `livefuse_page_delay_seconds`，"
            "单次情况可用 `livefuse drill` 测量。"
        ),
        "确认与结束：从触发算起，以熔断事件在 Kafka 中的时间戳为准。",
    ),
    incidents="事件",
    product="商品 {product}",
    sku="规格 {sku}",
    room="直播间 {room}",
    opening="第 {epoch} 次触发",
    open_before="在本时段之前触发。",
    gone="触发事件已被 Kafka 删除，以下为其余记录。",
    still_open="尚未结束。",
    evidence="证据（{count} 条）：{ids}",
    more_evidence="{ids}，另有更早的 {more} 条（--json 中列出全部）",
    measured_by=("从触发算起", "按业务时间", "按 Kafka 时间戳"),
    detected="发现（从触发熔断的业务事实算起）",
    paged="呼叫",
    acknowledged="确认：{who}",
    ended="结束：{who}",
    not_known="未知",
    not_told="不在熔断事件中",
    answered="确认",
    not_yet="尚无",
    timeline=("类型", "操作者", "内容"),
    reason="理由：{reason}",
    actions="人工操作",
    no_actions="没有人工操作。",
    overrides="人工干预",
    override_columns=("商品", "内容", "操作者", "理由", "持续", "结束者"),
    holds="仍有效",
    actors={"rule": "规则", "timer": "定时", "rules": "新规则"},
    shadows="试运行",
    shadows_note="试运行的规则：未暂停任何商品，未通知任何人。",
    drills="演练",
    drills_note="商品并不存在，不计入以上数字。",
    short_columns=("商品", "规则", "触发", "发现", "确认", "结束"),
    second="秒",
)

WORDS: Final[dict[Language, Words]] = {"en": ENGLISH, "zh": CHINESE}
