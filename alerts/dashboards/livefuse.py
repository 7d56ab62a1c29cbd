"""livefuse itself: throughput, lag, latency, errors, lanes, telling people, and the processes, each per process."""

from typing import Final

from alerts.dashboards.board import Board
from alerts.dashboards.panels import GREEN, PER_SECOND, RED, alarm, bars, lines, number, states
from alerts.dashboards.queries import RANGE, SPARSE, Query, increase, or_zero, page_delays, quantile, quantiles, rate
from alerts.dashboards.tables import Column, cells

_HERE: Final = 'instance=~"$instance"'
_ONLY: Final = f"{{{_HERE}}}"
"""Leaves the processes that are chosen at the top of the dashboard."""

_INTAKES: Final = 'count(livefuse_build_info{role="intake"})'


# Times are 0 until there is one, and no panel should say that this was in 1970: hence `> 0` below.


def livefuse(board: Board) -> None:
    """Fill the dashboard of livefuse's own health."""
    board.variable("instance", "label_values(livefuse_build_info, instance)", several=True)
    _now(board)
    _throughput(board)
    _lag(board)
    _latency(board)
    _errors(board)
    _lanes(board)
    _telling(board)
    _console(board)
    _processes(board)


def _now(board: Board) -> None:
    board.row("now")
    processes = [
        Column(board.word("role"), label="role"),
        Column(board.word("version"), label="version"),
        Column(board.word("processes"), expr="count by (role, version) (livefuse_build_info)"),
    ]
    board.panel("processes", cells(processes, board.word("role")), 6, 5)
    board.panel("behind", number("s", [Query("max(livefuse_log_lag_seconds)")]), 3, 5)
    passed = "time() - min(livefuse_intake_passed_timestamp_seconds > 0)"
    board.panel("passed", number("s", [Query(passed)]), 3, 5)
    board.panel("unflushed", number("s", [Query("max(livefuse_unflushed_seconds)")]), 3, 5)
    letters = or_zero(increase("livefuse_dead_letters_total", window=RANGE), _INTAKES)
    board.panel("dead_letters_in_range", alarm("short", [Query(letters)]), 3, 5)
    board.panel("channels_failing", alarm("short", [Query("sum(livefuse_channel_failing)")]), 3, 5)
    board.panel("rules_version", number("none", [Query("min(livefuse_rules_version)")]), 3, 5)


def _throughput(board: Board) -> None:
    board.row("throughput")
    records = rate(f"livefuse_records_total{_ONLY}", "topic, outcome")
    board.panel("records", lines(PER_SECOND, [Query(records, "{{topic}} {{outcome}}")]), 8)
    signals = rate(f"livefuse_signals_total{_ONLY}", "kind, outcome")
    board.panel("signals", lines(PER_SECOND, [Query(signals, "{{kind}} {{outcome}}")]), 8)
    by_worker = rate(f"livefuse_signals_total{_ONLY}", "instance")
    board.panel("signals_by_worker", lines(PER_SECOND, [Query(by_worker, "{{instance}}")]), 8)
    written = [
        Query(rate(f"livefuse_frames_written_total{_ONLY}", "instance"), f"{board.word('frames')} {{{{instance}}}}"),
        Query(rate(f"livefuse_ticks_written_total{_ONLY}", "instance"), f"{board.word('ticks')} {{{{instance}}}}"),
    ]
    board.panel("frames", lines(PER_SECOND, written), 8)
    evaluations = rate(f"livefuse_rule_evaluations_total{_ONLY}", "rule")
    board.panel("evaluations", lines(PER_SECOND, [Query(evaluations, "{{rule}}")]), 8)
    transitions = increase(f"livefuse_fuse_transitions_total{_ONLY}", "rule, from, to")
    board.panel("transitions", bars("short", [Query(transitions, "{{rule}} {{from}} → {{to}}")]), 8)


def _lag(board: Board) -> None:
    board.row("lag")
    source = f"sum by (topic) (livefuse_source_lag_records{_ONLY})"
    board.panel("source_lag", lines("short", [Query(source, "{{topic}}")]), 8)
    last = f"time() - max by (topic) (livefuse_source_last_record_timestamp_seconds{_ONLY})"
    board.panel("source_age", lines("s", [Query(last, "{{topic}}")]), 8)
    passed = f"time() - (livefuse_intake_passed_timestamp_seconds{_ONLY} > 0)"
    board.panel("passed_age", lines("s", [Query(passed, "{{instance}}")]), 8)
    for key, unit in (("event_time_lag_seconds", "s"), ("log_lag_seconds", "s"), ("lane_behind_frames", "short")):
        lag = f"max by (partition) (livefuse_{key}{_ONLY})"
        board.panel(key, lines(unit, [Query(lag, "{{partition}}")]), 8)
    waiting = f"max by (instance) (livefuse_intake_unacknowledged_seconds{_ONLY})"
    board.panel("unacknowledged", lines("s", [Query(waiting, "{{instance}}")]), 12)
    behind = f"max by (instance) (livefuse_intake_behind{_ONLY})"
    names = {"0": (board.word("caught_up"), GREEN), "1": (board.word("reading"), "yellow")}
    board.panel("intake_behind", states([Query(behind, "{{instance}}")], names), 12)


def _latency(board: Board) -> None:
    board.row("latency")
    for key in ("flush_seconds", "apply_seconds"):
        board.panel(key, lines("s", quantiles(f"livefuse_{key}", _ONLY)), 6)
    for key in ("flush_seconds", "apply_seconds"):
        slowest = quantile(0.99, f"livefuse_{key}", _ONLY, by="instance")
        board.panel(f"{key}_by_worker", lines("s", [Query(slowest, "{{instance}}")]), 6)
    unflushed = f"max by (instance) (livefuse_unflushed_seconds{_ONLY})"
    board.panel("unflushed_by_worker", lines("s", [Query(unflushed, "{{instance}}")]), 8)
    board.panel("frame_signals", lines("short", quantiles("livefuse_frame_signals", _ONLY)), 8)
    board.panel("frame_bytes", lines("bytes", quantiles("livefuse_frame_bytes", _ONLY)), 8)


def _errors(board: Board) -> None:
    board.row("errors")
    letters = increase(f"livefuse_dead_letters_total{_ONLY}", "topic, reason")
    board.panel("dead_letters", bars("short", [Query(letters, "{{topic}} {{reason}}")]), 8)
    late = rate(f"livefuse_late_signals_total{_ONLY}", "kind")
    board.panel("late", lines(PER_SECOND, [Query(late, "{{kind}}")]), 8)
    repeated = [
        Query(rate(f'livefuse_signals_total{{outcome="duplicate",{_HERE}}}', "kind"), "{{kind}}"),
        Query(rate(f"livefuse_signals_repeated_total{_ONLY}"), board.word("redelivered")),
    ]
    board.panel("duplicates", lines(PER_SECOND, repeated), 8)
    flushes = rate(f"livefuse_flushes_total{_ONLY}", "outcome")
    board.panel("flushes", lines(PER_SECOND, [Query(flushes, "{{outcome}}")]), 8)
    lost = [
        Query(increase(f"livefuse_gap_frames_total{_ONLY}"), board.word("gap_frames")),
        Query(increase(f"livefuse_commands_rejected_total{_ONLY}"), board.word("commands_rejected")),
    ]
    board.panel("gaps_and_rejections", bars("short", lost), 8)
    rebalances = increase(f"livefuse_intake_rebalances_total{_ONLY}", "instance")
    board.panel("rebalances", bars("short", [Query(rebalances, "{{instance}}")]), 8)


def _lanes(board: Board) -> None:
    board.row("lanes")
    lanes = f"sum by (instance, state) (livefuse_lanes{_ONLY})"
    board.panel("lanes_by_worker", lines("short", [Query(lanes, "{{instance}} {{state}}")]), 8)
    recovered = f"min by (partition) (livefuse_recovery_ratio{_ONLY})"
    board.panel("recovery", lines("percentunit", [Query(recovered, "{{partition}}")]).max(1), 8)
    restored = f"max by (partition) (livefuse_recovery_states{_ONLY})"
    board.panel("recovery_states", lines("short", [Query(restored, "{{partition}}")]), 8)
    products = f"sum by (instance) (livefuse_products{_ONLY})"
    board.panel("products", lines("short", [Query(products, "{{instance}}")]), 8)
    fuses = f"sum by (instance, rule) (livefuse_fuses_open{_ONLY})"
    board.panel("fuses_by_worker", lines("short", [Query(fuses, "{{instance}} {{rule}}")]), 8)
    held = f"sum by (partition) (livefuse_held_signals{_ONLY})"
    board.panel("held", lines("short", [Query(held, "{{partition}}")]), 8)


def _telling(board: Board) -> None:
    board.row("telling")
    told = increase("livefuse_notifications_total", "channel, outcome")
    board.panel("notifications", bars("short", [Query(told, "{{channel}} {{outcome}}")]), 8)
    slow = quantile(0.99, "livefuse_notification_seconds", by="channel", window=SPARSE)
    board.panel("notification_seconds", lines("s", [Query(slow, "{{channel}}")]), 8)
    board.panel("page_delay", lines("s", page_delays(board.word("target"))), 8)
    failing = Query("max by (channel) (livefuse_channel_failing)", "{{channel}}")
    names = {"0": (board.word("works"), GREEN), "1": (board.word("fails"), RED)}
    board.panel("channel_failing", states([failing], names), 8)
    queue = Query("max by (channel) (livefuse_channel_queue)", "{{channel}}")
    board.panel("channel_queue", lines("short", [queue]), 8)
    success = Query("time() - (max by (channel) (livefuse_channel_last_success_timestamp_seconds) > 0)", "{{channel}}")
    board.panel("channel_success", lines("s", [success]), 8)
    events = Query(increase("livefuse_pager_events_total", "type"), "{{type}}")
    board.panel("pager_events", bars("short", [events]), 12)
    progress = Query("time() - (livefuse_pager_progress_timestamp_seconds > 0)", "{{instance}}")
    board.panel("pager_progress", lines("s", [progress]), 12)


def _console(board: Board) -> None:
    board.row("console")
    streams = f"sum by (instance) (livefuse_console_streams{_ONLY})"
    board.panel("console_streams", lines("short", [Query(streams, "{{instance}}")]), 8)
    board.panel("console_delay", lines("s", quantiles("livefuse_console_delta_seconds", _ONLY, window=SPARSE)), 8)
    lost = [
        Query(increase(f"livefuse_console_streams_dropped_total{_ONLY}", "reason"), "{{reason}}"),
        Query(increase(f"livefuse_console_sequence_gaps_total{_ONLY}"), board.word("missing_events")),
    ]
    board.panel("console_lost", bars("short", lost), 8)
    orders = increase(f"livefuse_console_commands_total{_ONLY}", "action, outcome")
    board.panel("console_orders", bars("short", [Query(orders, "{{action}} {{outcome}}")]), 8)
    refused = increase(f"livefuse_console_refused_total{_ONLY}", "reason")
    board.panel("console_refused", bars("short", [Query(refused, "{{reason}}")]), 8)
    logins = increase(f"livefuse_console_logins_total{_ONLY}", "outcome")
    board.panel("console_logins", bars("short", [Query(logins, "{{outcome}}")]), 8)


def _processes(board: Board) -> None:
    def ours(expr: str) -> str:
        """Return a measure of processes for those that are livefuse's, with their role."""
        roles = f"max by (job, instance, role) (livefuse_build_info{_ONLY})"
        return f"{expr} * on (job, instance) group_left (role) {roles}"

    board.row("machines")
    legend = "{{role}} {{instance}}"
    board.panel("cpu", lines("none", [Query(ours("rate(process_cpu_seconds_total[$__rate_interval])"), legend)]), 8)
    board.panel("memory", lines("bytes", [Query(ours("process_resident_memory_bytes"), legend)]), 8)
    board.panel("files", lines("short", [Query(ours("process_open_fds"), legend)]), 8)
