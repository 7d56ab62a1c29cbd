"""What an Alertmanager is told of an alert: labels are identity and never change, annotations are facts.

    FuseOpen               from the opening of a fuse to its end
    FuseNotAcknowledged    the same labels otherwise, while nobody has answered for `escalate_after`
    LivefuseWatchdog       always, while the pager and its Kafka work

What fires is valid for four minutes and is said again every minute; so it ends by itself when nobody says it any more.
"""

from datetime import UTC, tzinfo
from typing import Any, Final
from urllib.parse import quote

from alerts.pager.alert import RESOLVED_FOR_MS, Alert, AlertName, Identity, Span
from alerts.pager.drill import is_drill
from alerts.pager.notice import Notice
from alerts.pager.wording import Wording
from schemas.durations import MILLISECOND
from schemas.times import from_ms

VALID_MS: Final = 4 * 60_000
AGAIN_MS: Final = 60_000


class Links:
    """Where people find more. Both addresses may be None; `runbook_url` is that of the directory."""

    def __init__(self, console_url: str | None = None, runbook_url: str | None = None) -> None:
        self._console_url = console_url.rstrip("/") if console_url else None
        self._runbook_url = runbook_url.rstrip("/") if runbook_url else None

    def product(self, product_id: str) -> str | None:
        """Return the page of a product in the console."""
        if self._console_url is None:
            return None
        # No path ends with these two: browsers take them for the folder, and the one above it.
        page = f"?id={product_id}" if product_id in {".", ".."} else quote(product_id, safe="")
        return f"{self._console_url}/products/{page}"

    def runbook(self, alert: str) -> str | None:
        """Return the page that says what to do about an alert."""
        return f"{self._runbook_url}/{alert}" if self._runbook_url else None


class Payloads:
    """Makes the JSON objects of alerts. `escalate_after_ms`: None escalates nothing. Texts tell times in `zone`."""

    def __init__(self, application: str, links: Links, *, escalate_after_ms: int | None, zone: tzinfo = UTC) -> None:
        self._application = application
        self._links = links
        self._english, self._chinese = Wording("en", zone), Wording("zh", zone)
        self._escalate_after_ms = escalate_after_ms

    def of(self, alert: Alert, now_ms: int) -> list[dict[str, Any]]:
        """Return what is to be said about an opening now: nothing, one alert or two."""
        said = []
        for name, span in self._spans(alert, now_ms):
            fires_until = max(now_ms, span.start) + VALID_MS
            ends_at = fires_until if span.end is None else max(span.start, min(span.end, now_ms))
            said.append(self._alert(name, alert, span.start, ends_at))
        return said

    def next_ms(self, alert: Alert, now_ms: int) -> int | None:
        """Return when to speak of an opening again; None when everything is said."""
        if alert.ended_ms is not None and alert.ended_ms <= now_ms - RESOLVED_FOR_MS:
            return None
        if self._escalate_after_ms is not None and alert.acknowledged_ms is None and alert.ended_ms is None:
            escalation_ms = alert.escalation_ms(self._escalate_after_ms)
            if escalation_ms > now_ms:
                return min(escalation_ms, now_ms + AGAIN_MS)
        return now_ms + AGAIN_MS

    def watchdog(self, since_ms: int, now_ms: int) -> dict[str, Any]:
        """Return the alert that always fires, and whose silence is the alarm."""
        annotations = {
            "summary": "livefuse and its Kafka work: this alert always fires",
            "summary_zh": "livefuse 与 Kafka 工作正常：此告警始终触发",
            "description": "When it stops, the pager or its Kafka is down and nobody is paged. Route it to a service "
            "that calls when it falls silent.",
            "description_zh": "此告警一旦停止，说明告警服务或 Kafka 已中断，无人会被呼叫。"
            "请将其路由到心跳监测服务，由该服务在静默时通知值班人员。",
        }
        return {
            "labels": {"alertname": "LivefuseWatchdog", "severity": "none", "application": self._application},
            "annotations": annotations | _given(runbook_url=self._links.runbook("LivefuseWatchdog")),
            "startsAt": from_ms(since_ms),
            "endsAt": from_ms(now_ms + VALID_MS),
        }

    def test(self, now_ms: int) -> dict[str, Any]:
        """Return the alert of `livefuse pager --check`. It ends after a minute."""
        return {
            "labels": {"alertname": "LivefuseTest", "severity": "info", "application": self._application},
            "annotations": {
                "summary": "A test of livefuse's pager. Nothing has happened.",
                "summary_zh": "livefuse 告警测试，并无实际事件。",
            },
            "startsAt": from_ms(now_ms),
            "endsAt": from_ms(now_ms + AGAIN_MS),
        }

    def _spans(self, alert: Alert, now_ms: int) -> list[tuple[AlertName, Span]]:
        spans: list[tuple[AlertName, Span]] = [("FuseOpen", alert.open_span())]
        if self._escalate_after_ms is not None:
            unanswered = alert.unanswered_span(self._escalate_after_ms)
            if unanswered is not None and unanswered.start <= now_ms:
                spans.append(("FuseNotAcknowledged", unanswered))
        return [
            (name, span) for name, span in spans if span.end_known is None or span.end_known > now_ms - RESOLVED_FOR_MS
        ]

    def _alert(self, name: AlertName, alert: Alert, starts_at: int, ends_at: int) -> dict[str, Any]:
        console_url = self._links.product(alert.opening.product_id)
        said = {
            "labels": self._labels(name, alert.identity),
            "annotations": self._facts(self._notice(name, alert))
            | _given(runbook_url=self._links.runbook(name), console_url=console_url),
            "startsAt": from_ms(starts_at),
            "endsAt": from_ms(ends_at),
        }
        return said | _given(generatorURL=console_url)

    def _facts(self, notice: Notice) -> dict[str, str]:
        return {
            "summary": self._english.summary(notice),
            "summary_zh": self._chinese.summary(notice),
            "description": self._english.description(notice),
            "description_zh": self._chinese.description(notice),
        }

    def _labels(self, name: AlertName, identity: Identity) -> dict[str, str]:
        labels = {
            "alertname": name,
            "severity": identity.severity,
            "rule": identity.rule,
            "product_id": identity.product_id,
            "application": self._application,
        }
        # An empty label is none to an Alertmanager.
        return (
            labels
            | _given(sku_id=identity.sku_id, room_id=identity.room_id)
            | _given(drill="true" if is_drill(identity.product_id) else None)
        )

    def _notice(self, name: AlertName, alert: Alert) -> Notice:
        event = alert.opening
        console_url, runbook_url = self._links.product(event.product_id), self._links.runbook(name)
        drill = is_drill(event.product_id)
        if name == "FuseNotAcknowledged":
            waited = (self._escalate_after_ms or 0) * MILLISECOND
            return Notice.unacknowledged(event, waited, console_url=console_url, runbook_url=runbook_url, drill=drill)
        return Notice.of(event, console_url=console_url, runbook_url=runbook_url, drill=drill)


def _given(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
