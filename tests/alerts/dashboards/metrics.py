"""The metrics that the dashboards may name, with their labels."""

import re
from pathlib import Path
from typing import Final

DOCUMENT: Final = Path(__file__).resolve().parents[3] / "docs/metrics.md"

# Until docs/metrics.md is there. Histograms are named without _bucket, _sum and _count.
_AGREED: Final = """
livefuse_build_info{version,role}
livefuse_records_total{topic,outcome} livefuse_dead_letters_total{topic,reason}
livefuse_frames_written_total livefuse_frame_signals livefuse_frame_bytes livefuse_ticks_written_total
livefuse_source_lag_records{topic} livefuse_source_last_record_timestamp_seconds{topic}
livefuse_intake_passed_timestamp_seconds livefuse_intake_behind livefuse_intake_unacknowledged_seconds
livefuse_intake_rebalances_total livefuse_intake_commits_total
livefuse_signals_total{kind,outcome} livefuse_signals_repeated_total livefuse_late_signals_total{kind}
livefuse_rule_evaluations_total{rule} livefuse_fuse_transitions_total{rule,from,to,shadow}
livefuse_replenishment_requests_total livefuse_commands_rejected_total livefuse_fuses_open{rule,shadow}
livefuse_lanes{state} livefuse_lane_behind_frames{partition} livefuse_event_time_lag_seconds{partition}
livefuse_log_lag_seconds{partition} livefuse_unflushed_seconds livefuse_flush_seconds livefuse_apply_seconds
livefuse_flushes_total{outcome} livefuse_recovery_states{partition} livefuse_recovery_ratio{partition}
livefuse_products livefuse_gap_frames_total livefuse_held_signals{partition}
livefuse_rule_limit{rule,limit} livefuse_rules_version
livefuse_open_fuses{rule,severity,shadow} livefuse_paused_products
livefuse_product_fuse_open{product_id,sku_id,rule,severity,room_id}
livefuse_product_fuse_opened_timestamp_seconds{product_id,sku_id,rule} livefuse_product_override{product_id,state}
livefuse_product_measured{product_id,sku_id,rule} livefuse_product_limit{product_id,sku_id,rule}
livefuse_product_nearness_ratio{product_id,sku_id,rule}
livefuse_product_available{product_id,sku_id} livefuse_product_seconds_left{product_id,sku_id}
livefuse_notifications_total{channel,outcome} livefuse_notification_seconds{channel} livefuse_page_delay_seconds
livefuse_page_target_seconds
livefuse_channel_failing{channel} livefuse_channel_last_success_timestamp_seconds{channel}
livefuse_channel_queue{channel} livefuse_pager_events_total{type} livefuse_pager_progress_timestamp_seconds
"""

# What prometheus-client itself says of every process.
_PROCESS: Final = "process_cpu_seconds_total process_resident_memory_bytes process_open_fds"

# What Prometheus adds to each series.
OF_THE_TARGET: Final = frozenset({"job", "instance"})

_METRIC: Final = re.compile(r"\b((?:livefuse|process)_[a-z_]+)(?:\{([a-z_, ]*)\})?")


def metrics() -> dict[str, frozenset[str]]:
    """Return the labels of each metric, without those of the target."""
    text = f"{_AGREED} {_PROCESS}"
    return {name: frozenset(labels.replace(" ", "").split(",")) - {""} for name, labels in _METRIC.findall(text)}


def documented() -> set[str] | None:
    """Return the names that docs/metrics.md has, or None while there is no such page."""
    if not DOCUMENT.exists():
        return None
    return {name for name, _ in _METRIC.findall(DOCUMENT.read_text(encoding="utf-8"))}
