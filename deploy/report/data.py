"""A report for programs: JSON objects, times in UTC, spans in milliseconds."""

from typing import Any

from deploy.report.incident import Incident, Known, Span
from deploy.report.report import Override, Report, Row, Times
from schemas.times import from_ms


def as_json(report: Report) -> dict[str, Any]:
    """Return all of a report."""
    period = report.period
    return {
        "from": from_ms(period.begin_ms),
        "to": from_ms(period.end_ms),
        "product_id": period.product_id,
        "room_id": period.room_id,
        "summary": {
            "incidents": len(report.incidents),
            "open": sum(each.end is None for each in report.incidents),
            "shadows": len(report.shadows),
            "drills": len(report.drills),
            "rules": [_row(each) for each in report.rows],
        },
        "incidents": [_incident(each, report) for each in report.incidents],
        "overrides": [_override(each) for each in report.overrides],
        "actions": [_event(each) for each in report.actions],
        "shadows": [_incident(each, report) for each in report.shadows],
        "drills": [_incident(each, report) for each in report.drills],
    }


def _row(row: Row) -> dict[str, Any]:
    times = {"detected": row.detected, "acknowledged": row.acknowledged, "ended": row.ended}
    return {
        "rule": row.rule,
        "incidents": row.number,
        "open": row.open,
        **{name: _times(each) for name, each in times.items()},
    }


def _times(times: Times) -> dict[str, Any]:
    return {"incidents": times.number, "median_ms": times.median_ms, "worst_ms": times.worst_ms}


def _incident(incident: Incident, report: Report) -> dict[str, Any]:
    opening, first = incident.opening, incident.first
    opened_at = None if opening is None else opening.event.occurred_at
    return {
        "product_id": first.product_id,
        "sku_id": first.sku_id,
        "room_id": first.room_id,
        "rule": first.rule,
        "rule_version": first.rule_version,
        "epoch": first.epoch,
        "severity": first.severity,
        "opened_at": None if opened_at is None else from_ms(opened_at),
        "opened_before": opened_at is None or opened_at < report.period.begin_ms,
        "is_open": incident.end is None,
        "cause": None if opening is None else opening.event.cause.model_dump(mode="json"),
        "times": {
            "detected_ms": incident.detected_ms,
            # Fuse events do not tell when somebody was paged.
            "paged_ms": None,
            "acknowledged": _span(incident.until_acknowledged),
            "ended": _span(incident.until_end),
        },
        "acknowledged_by": incident.acknowledged.event.actor if incident.acknowledged else None,
        "ended_by": incident.end.event.actor if incident.end else None,
        "timeline": [_event(each) for each in incident.timeline],
    }


def _span(span: Span | None) -> dict[str, int] | None:
    return None if span is None else {"by_event_time_ms": span.event_ms, "by_kafka_time_ms": span.known_ms}


def _override(override: Override) -> dict[str, Any]:
    return {"begin": _event(override.begin), "end": None if override.end is None else _event(override.end)}


def _event(known: Known) -> dict[str, Any]:
    return {"kafka_time": from_ms(known.known_ms), **known.event.model_dump(mode="json")}
