"""The API fuzzed from its own OpenAPI document, by people who have signed in and by somebody who has not: no 5xx.

Every answer must also be one that the document lists, in the form that it lists.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from alerts.console import desk
from alerts.console.sessions import COOKIE
from tests.alerts.console.doorway import doorway, password_of
from tests.kafka.broker import KafkaBroker
from tests.kafka.cluster import Cluster

pytestmark = [
    pytest.mark.kafka,
    # The console runs beside the fuzz, and its clients draw random numbers while it draws examples.
    pytest.mark.filterwarnings("ignore:Do not use the `random` module"),
]

EXAMPLES: Final = 12
WITHIN_S: Final = 60
ENDLESS: Final = {"stream"}
"""Operations whose answers do not end."""

CHECKS: Final = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@contextmanager
def console(bootstrap: str, folder: Path) -> Iterator[str]:
    """Run a console in a thread of its own, as requests would hold its loop up; yield its address."""
    address: list[str] = []
    began, over = threading.Event(), threading.Event()

    async def run() -> None:
        with Cluster(bootstrap, f"t{uuid4().hex[:10]}", folder) as cluster:
            async with doorway(cluster, folder) as door:
                address.append(door.url)
                began.set()
                await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    try:
        assert began.wait(60), "the console runs"
        yield address[0]
    finally:
        over.set()
        thread.join(30)


def headers_of(url: str, name: str | None) -> dict[str, str]:
    """Return the headers of a page: of somebody who has signed in, or of nobody."""
    ours = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
    if name is None:
        return ours
    asked = {"name": name, "password": password_of(name)}
    answer = requests.post(f"{url}/api/v1/login", json=asked, headers=ours, timeout=WITHIN_S)
    assert answer.status_code == 200, answer.text
    return ours | {"Cookie": f"{COOKIE}={answer.cookies[COOKIE]}", "X-CSRF-Token": answer.json()["csrf"]}


def fuzz(operation: Any, url: str, people: list[dict[str, str]]) -> None:
    """Send what fits the document and what does not, as each of these people."""
    modes = [operation.as_strategy(mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
        deadline=None,
        derandomize=True,
    )
    @given(case=st.one_of(modes), who=st.sampled_from(people))
    def send(case: Any, who: dict[str, str]) -> None:
        headers = {**(case.headers or {}), **who}
        answer = case.call(base_url=url, headers=headers, timeout=WITHIN_S, allow_redirects=False)
        case.validate_response(answer, checks=CHECKS)

    send()


def test_no_request_makes_the_console_fail(kafka: KafkaBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "ANSWER_WITHIN_S", 0.005)
    with console(kafka.bootstrap, tmp_path) as url:
        document: dict[str, Any] = requests.get(f"{url}/api/v1/openapi.json", timeout=WITHIN_S).json()
        schema = schemathesis.openapi.from_dict(document)
        people = [headers_of(url, name) for name in ("ann", "mei", "vic", None)]
        seen = set()
        for found in schema.get_all_operations():
            operation: Any = found.ok()  # type: ignore[union-attr]
            name = operation.definition.raw["operationId"]
            if name in ENDLESS:
                continue
            fuzz(operation, url, people[-1:] if name == "logout" else people)
            seen.add(name)
        assert {"order", "order_many", "login", "audit", "audit_csv", "session"} <= seen
        # It goes on as if nothing had been.
        assert (
            requests.get(f"{url}/api/v1/session", headers=people[0], timeout=WITHIN_S).json()["user"]["name"] == "ann"
        )
