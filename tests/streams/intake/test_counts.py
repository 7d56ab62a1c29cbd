from prometheus_client import CollectorRegistry, generate_latest

from streams.intake.counts import IntakeCollector, IntakeCounts


def test_prometheus_sees_the_counts() -> None:
    counts = IntakeCounts(signals=5, frames=2, behind=False, passed=1_500, lag={"live.orders/0": 7})
    counts.records["live.orders"] += 3
    counts.dead_letters["live.orders", "not_json"] += 1
    registry = CollectorRegistry()
    registry.register(IntakeCollector(counts))
    lines = generate_latest(registry).decode().splitlines()
    for line in (
        'livefuse_intake_records_total{topic="live.orders"} 3.0',
        'livefuse_intake_dead_letters_total{reason="not_json",topic="live.orders"} 1.0',
        "livefuse_intake_signals_total 5.0",
        "livefuse_intake_frames_total 2.0",
        "livefuse_intake_behind 0.0",
        "livefuse_intake_passed_seconds 1.5",
        'livefuse_intake_lag_records{source="live.orders/0"} 7.0',
    ):
        assert line in lines
