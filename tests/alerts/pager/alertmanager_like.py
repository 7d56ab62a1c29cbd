"""What an Alertmanager does with the alerts that it is told: checks, merges, times out, and tells of changes once.

Built after Alertmanager 0.27: `api/v2/api.go` (what is refused, and that the valid alerts of a refused request count
all the same) and `types/types.go` (how two tellings of one alert become one).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from schemas.times import to_ms
from tests.alerts.pager.service import Received, says

Labels = frozenset[tuple[str, str]]


@dataclass
class Told:
    """An alert as it stands. Times in milliseconds."""

    starts_at: int
    ends_at: int
    annotations: Mapping[str, str]
    updated_at: int


@dataclass
class AlertmanagerLike:
    """`tell` is the API, `look` the dispatcher; `said` are the notifications: "firing" or "resolved", and labels."""

    clock: Callable[[], float] = time.time
    alerts: dict[Labels, Told] = field(default_factory=dict)
    said: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    _firing: set[Labels] = field(default_factory=set)

    def tell(self, alerts: list[dict[str, Any]]) -> list[str]:
        """Take alerts; return what is wrong with those that are not valid."""
        now = int(self.clock() * 1000)
        problems = []
        for each in alerts:
            labels = frozenset((name, value) for name, value in each["labels"].items() if value)
            told = Told(to_ms(each["startsAt"]), to_ms(each["endsAt"]), each["annotations"], now)
            if told.starts_at > told.ends_at or "alertname" not in dict(labels):
                problems.append("start time must be before end time")
                continue
            old = self.alerts.get(labels)
            if old is not None and (
                old.starts_at < told.ends_at < old.ends_at or old.starts_at < told.starts_at < old.ends_at
            ):
                told.starts_at = min(old.starts_at, told.starts_at)
            self.alerts[labels] = told
        self.look()
        return problems

    def look(self) -> None:
        """Tell of what fires and did not, and of what has ended."""
        now = int(self.clock() * 1000)
        for labels, told in self.alerts.items():
            fires = told.ends_at > now
            if fires != (labels in self._firing):
                self.said.append(("firing" if fires else "resolved", dict(labels)))
                (self._firing.add if fires else self._firing.discard)(labels)

    def notified(self, alertname: str = "FuseOpen") -> list[str]:
        """Return what was said of alerts of a name, in order."""
        return [status for status, labels in self.said if labels["alertname"] == alertname]

    def firing(self, alertname: str = "FuseOpen") -> list[dict[str, str]]:
        """Return the labels of what fires now."""
        self.look()
        return [dict(labels) for labels in self._firing if dict(labels)["alertname"] == alertname]

    def told(self, alertname: str = "FuseOpen") -> Told:
        """Return the one alert of a name."""
        (found,) = [told for labels, told in self.alerts.items() if dict(labels)["alertname"] == alertname]
        return found

    def held(self, matchers: list[str]) -> list[dict[str, Any]]:
        """Return what has not ended and matches, with as much of the form as somebody reads."""
        wanted = {tuple(each.replace('"', "").split("=", 1)) for each in matchers}
        return [
            {"labels": dict(labels), "receivers": [{"name": "duty"}], "status": {"state": "active"}}
            for labels, told in self.alerts.items()
            if told.ends_at > self.clock() * 1000 and wanted <= labels
        ]

    def behave(self, request: Received) -> web.Response:
        """Answer as the API v2 does."""
        if request.path == "/api/v2/status" and request.method == "GET":
            return says({"cluster": {"status": "disabled"}, "config": {}, "uptime": "", "versionInfo": {}})
        if request.path != "/api/v2/alerts":
            return says("not found", 404)
        if request.method == "GET":
            return says(self.held(request.filters))
        problems = self.tell(request.json)
        return says("; ".join(problems), 400) if problems else web.Response()
