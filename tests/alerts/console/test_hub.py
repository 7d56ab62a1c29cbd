import asyncio
import math
from collections.abc import Callable
from time import monotonic as now
from typing import Any

import orjson
import pytest

from alerts.console import hub as hub_module
from alerts.console.board import Board
from alerts.console.hub import MOST_UNSENT, MOST_WHILE_JOINING, PING_S, STALLED_S, Client, Frame, Hub
from alerts.console.models import Delta, Snapshot
from tests.alerts.console.test_board import NOON_MS, PAUSED, fuse, state, watchlist
from tests.alerts.pager.examples import CLOSED, event

HEALTH = orjson.dumps(
    {
        "heard_at": None,
        "looked_at": None,
        "intakes": None,
        "workers": None,
        "intake_lag": 0,
        "worker_lag": 0,
        "behind_s": 0.0,
        "inputs": [],
        "problems": [],
    }
)


class Wire(asyncio.Transport):
    """A connection to a page that takes `takes` bytes at once, and no more until it is emptied."""

    def __init__(self, takes: int = 2**30) -> None:
        super().__init__()
        self.takes = takes
        self.written = bytearray()
        self.writes = 0
        self.buffered = 0
        self.ended = ""
        self.arrived = asyncio.Event()

    def write(self, data: Any) -> None:
        self.writes += 1
        self.written += data
        self.arrived.set()
        self.buffered += max(0, len(data) - self.takes)

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def is_closing(self) -> bool:
        return bool(self.ended)

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"

    @property
    def messages(self) -> list[tuple[str, str, dict[str, Any]]]:
        """What was written, as (event, id, data)."""
        found = []
        for block in self.written.decode().split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            found.append((fields["event"], fields.get("id", ""), orjson.loads(fields["data"])))
        return found


class Show:
    """A board with a hub, and pages that come to it."""

    def __init__(self) -> None:
        self.board = Board()
        self.dropped: list[str] = []
        self.delays: list[int] = []
        self.hub = Hub(
            self.board, lambda: HEALTH, lambda: NOON_MS / 1000, dropped=self.dropped.append, written=self.delays.append
        )

    def join(
        self,
        last_id: str | None = None,
        *,
        takes: int = 2**30,
        allowed: Callable[[], bool] = lambda: True,
        until: float = math.inf,
    ) -> tuple[Wire, Client]:
        wire = Wire(takes)
        client = Client(wire, chunked=False, session_id="s", allowed=allowed, until=until)
        self.hub.join(client, last_id)
        self.hub.flush()
        self.hub.pump()
        return wire, client

    def change(self, product_id: str = "p42", sequence: int = 7) -> None:
        self.board.take_event(event(product_id=product_id, sequence=sequence), NOON_MS)
        self.board.take_state(product_id, state(product_id, sequence))
        self.hub.flush()


@pytest.fixture
async def show() -> Show:
    return Show()


async def test_a_page_gets_a_snapshot_and_then_deltas(show: Show) -> None:
    show.change("before")
    wire, _ = show.join()
    show.change()
    show.board.take_watchlist(0, watchlist(NOON_MS, ("near", 0.5)))
    show.board.take_state("before", None)
    show.hub.flush()
    (first, first_id, snapshot), (second, second_id, delta), (_, _, last) = wire.messages
    assert (first, second) == ("snapshot", "delta")
    assert first_id != second_id
    made = Snapshot.model_validate_json(orjson.dumps(snapshot))
    assert (made.id, made.now, made.counts.paused) == (first_id, NOON_MS, 1)
    assert [each.product_id for each in made.products] == ["before"]
    assert [each.product_id for each in made.events] == ["before"]
    changes = Delta.model_validate_json(orjson.dumps(delta))
    assert changes.products == (show.board.product("p42"),)
    assert changes.counts is not None
    assert changes.counts.paused == 2
    assert changes.watchlist is None
    assert changes.health is None
    changes = Delta.model_validate_json(orjson.dumps(last))
    assert changes.gone == ("before",)
    assert changes.watchlist is not None
    assert changes.events == ()


async def test_nothing_is_written_when_nothing_has_changed(show: Show) -> None:
    wire, _ = show.join()
    before = len(wire.written)
    show.hub.flush()
    assert len(wire.written) == before


async def test_health_goes_out_when_it_is_told(show: Show) -> None:
    wire, _ = show.join()
    show.hub.wake(health=True)
    show.hub.flush()
    assert Delta.model_validate_json(orjson.dumps(wire.messages[-1][2])).health is not None


async def test_a_page_resumes_where_it_was(show: Show) -> None:
    wire, client = show.join()
    show.change("one")
    last_id = wire.messages[-1][1]
    show.hub.leave(client)
    show.change("two")
    show.change("three")
    again, _ = show.join(last_id)
    assert [[each["product_id"] for each in data["products"]] for _, _, data in again.messages] == [["two"], ["three"]]
    show.change("four")
    assert again.messages[-1][2]["products"][0]["product_id"] == "four"
    nothing_missed, _ = show.join(again.messages[-1][1])
    assert nothing_missed.messages == []


@pytest.mark.parametrize(
    "last_id", ["", "x", "other-3", "{instance}-999", "{instance}--1", "{instance}-²", "{instance}-", "a" * 5000]
)
async def test_an_id_that_is_not_known_gives_a_snapshot(show: Show, last_id: str) -> None:
    show.change()
    wire, _ = show.join(last_id.format(instance=show.hub.instance))
    assert [each[0] for each in wire.messages] == ["snapshot"]


async def test_what_is_too_old_to_resume_gives_a_snapshot(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "RING_BYTES", 10_000)
    show.change("first")
    old = show.hub.id
    for number in range(30):
        show.change(f"p{number}")
    wire, _ = show.join(old)
    assert [each[0] for each in wire.messages] == ["snapshot"]
    recent = show.hub.id
    show.change("last")
    wire, _ = show.join(recent)
    assert [each[0] for each in wire.messages] == ["delta"]


async def test_very_many_changes_are_a_new_snapshot_for_all(show: Show) -> None:
    wire, _ = show.join()
    before = show.hub.id
    for number in range(1_500):
        show.board.take_state(f"p{number}", state(f"p{number}"))
    show.hub.flush()
    show.hub.pump()
    assert [each[0] for each in wire.messages] == ["snapshot", "snapshot"]
    assert len(wire.messages[-1][2]["products"]) == sum(wire.messages[-1][2]["counts"].values()) == 1_500
    again, _ = show.join(before)
    assert [each[0] for each in again.messages] == ["snapshot"]
    show.board.take_state("p7", None)
    show.hub.flush()
    assert wire.messages[-1][2]["gone"] == ["p7"]


async def test_pages_that_come_together_share_their_bytes(show: Show) -> None:
    for number in range(50):
        show.board.take_state(f"p{number}", state(f"p{number}"))
    wires = [Wire() for _ in range(3)]
    for wire in wires:
        show.hub.join(Client(wire, chunked=False, session_id="s", allowed=lambda: True), None)
    show.hub.flush()
    show.hub.pump()
    assert wires[0].written == wires[1].written == wires[2].written
    assert len(wires[0].messages[0][2]["products"]) == 50


async def test_a_page_that_takes_little_at_once_gets_everything_in_order(show: Show) -> None:
    for number in range(400):
        show.board.take_state(f"p{number}", state(f"p{number}"))
    wire, _ = show.join(takes=10_000)
    show.change("after")
    for _ in range(100):
        wire.buffered = 0
        show.hub.pump()
    assert [each[0] for each in wire.messages] == ["snapshot", "delta"]
    assert len(wire.messages[0][2]["products"]) == 400
    assert wire.messages[1][2]["products"][0]["product_id"] == "after"


async def test_a_page_that_takes_nothing_is_dropped_and_not_waited_for(show: Show) -> None:
    stuck, client = show.join(takes=0)
    fine, _ = show.join()
    show.hub.inspect(now(), ask=False)
    show.change()
    show.hub.inspect(now() + STALLED_S - 1, ask=False)
    assert stuck.ended == ""
    show.hub.inspect(now() + STALLED_S + 1, ask=False)
    assert stuck.ended == "aborted"
    assert client.done.done()
    assert fine.ended == ""
    assert show.dropped == ["stalled"]
    assert len(show.hub.clients) == 1


async def test_a_page_that_takes_a_little_all_the_time_is_not_stalled(show: Show) -> None:
    wire, client = show.join(takes=0)
    began = now()
    for step in range(10):
        show.hub.inspect(began + step * (STALLED_S - 1), ask=False)
        wire.buffered -= 1
    assert not client.done.done()


async def test_a_page_that_is_too_far_behind_is_dropped(show: Show) -> None:
    wire, client = show.join()
    wire.takes = 0
    show.change()
    assert client.limit == MOST_UNSENT
    frame = Frame.of("delta", b"x" * (MOST_UNSENT + 1))
    client.give(frame)
    show.hub.inspect(now(), ask=False)
    assert wire.ended == "aborted"
    assert show.dropped == ["behind"]


async def test_a_snapshot_that_is_being_taken_does_not_count_as_being_behind(show: Show) -> None:
    for number in range(2_000):
        show.board.take_state(f"p{number}", state(f"p{number}", 7, fuse(rule="x" * 128)))
    wire, client = show.join(takes=0)
    assert client.unsent > MOST_UNSENT
    assert client.limit > MOST_WHILE_JOINING
    show.hub.inspect(now(), ask=False)
    assert wire.ended == ""


async def test_a_session_that_is_over_ends_its_streams(show: Show) -> None:
    good = [True]
    wire, client = show.join(allowed=lambda: good[0])
    show.hub.inspect(now(), ask=True)
    good[0] = False
    show.hub.inspect(now(), ask=False)
    assert wire.ended == ""
    show.hub.inspect(now(), ask=True)
    assert wire.ended == "closed"
    assert client.done.done()
    assert show.dropped == ["session"]


async def test_who_is_let_in_for_a_time_is_sent_to_ask_again_after_it(show: Show) -> None:
    wire, client = show.join(until=now() + 60)
    show.hub.inspect(now(), ask=True)
    assert wire.ended == ""
    show.hub.inspect(now() + 61, ask=False)
    assert wire.messages[-1][:2] == ("again", "")
    assert wire.ended == "closed"
    assert client.done.done()
    assert show.dropped == []


async def test_a_page_that_has_left_is_forgotten(show: Show) -> None:
    wire, client = show.join()
    wire.ended = "by the peer"
    show.hub.inspect(now(), ask=False)
    assert client.done.done()
    assert not show.hub.clients
    assert show.dropped == ["gone"]


async def test_pings_bear_no_id(show: Show) -> None:
    wire, _ = show.join()
    show.hub.ping()
    assert wire.messages[-1][:2] == ("ping", "")
    assert PING_S == 15.0


async def test_chunks_of_http_hold_the_same_bytes() -> None:
    frame = Frame.of("delta", b'{"a":1}', "x-1")
    length, _, rest = frame.chunk.partition(b"\r\n")
    assert int(length, 16) == len(frame.plain)
    assert rest == frame.plain + b"\r\n"


async def test_delays_are_told_once_for_each_event(show: Show) -> None:
    show.change()
    show.hub.flush()
    assert show.delays == [NOON_MS]


async def test_changes_go_out_by_themselves_and_all_streams_end_with_the_hub(show: Show) -> None:
    running = asyncio.create_task(show.hub.run())
    wire = Wire()
    client = Client(wire, chunked=False, session_id="s", allowed=lambda: True)
    show.hub.join(client, None)
    async with asyncio.timeout(60):
        await wire.arrived.wait()
        wire.arrived.clear()
        show.board.take_event(event(paused=PAUSED), NOON_MS)
        show.hub.wake()
        await wire.arrived.wait()
        wire.arrived.clear()
        show.board.take_event(event(CLOSED, sequence=8), NOON_MS)
        show.hub.wake()
        await wire.arrived.wait()
    assert wire.messages[2][2]["gone"] == ["p42"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert wire.ended == "closed"
    assert client.done.done()
