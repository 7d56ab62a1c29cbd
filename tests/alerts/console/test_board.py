from typing import Any

import orjson
import pytest

from alerts.console.board import GAP_MS, KEPT_MS, MOST_PRODUCTS, Board
from alerts.console.entry import PHASES
from alerts.console.models import Product, ProductDetail, Watched
from schemas.events import FuseEvent, FuseState, Watchlist
from schemas.times import from_ms
from tests.alerts.pager.examples import CLOSED, NO_FUSE, OVERSELL, RETURNS, event

NOON_MS = 1_794_398_400_123
ON_SALE = {"product": False, "skus": []}
PAUSED = {"product": True, "skus": []}


def state(product_id: str = "p42", sequence: int = 7, *fuses: dict[str, Any], **changes: Any) -> FuseState:
    """Return a state; without fuses, the one after a complaint surge."""
    return FuseState.model_validate(
        {
            "product_id": product_id,
            "sequence": sequence,
            "room_id": "r1",
            "paused": PAUSED,
            "override": None,
            "fuses": fuses or (fuse(),),
            **changes,
        }
    )


def fuse(**changes: Any) -> dict[str, Any]:
    return {
        "rule": "complaint-surge",
        "sku_id": None,
        "state": "open",
        "epoch": 1,
        "shadow": False,
        "severity": "warning",
        "since": NOON_MS,
        "acknowledged_by": None,
        "due": None,
        "cause": event().cause.model_dump(),
        **changes,
    }


def override(name: str, **changes: Any) -> dict[str, Any]:
    given = {"state": name, "until": None, "actor": "operator:mei", "reason": "price", "since": NOON_MS, **changes}
    return {"override": given}


def watchlist(at_ms: int, *products: tuple[str, float]) -> Watchlist:
    entries = [
        {"product_id": product_id, "sku_id": None, "rule": "complaint-surge", "nearness": near,
         "measured": int(50 * near), "limit": 50}
        for product_id, near in products
    ]  # fmt: skip
    return Watchlist.model_validate({"as_of": at_ms, "partition": 0, "products": entries})


def shown(board: Board, product_id: str = "p42") -> Product:
    product = board.product(product_id)
    assert product is not None
    return product


def take(board: Board, *events: FuseEvent, known_ms: int = NOON_MS) -> list[bool]:
    return [board.take_event(each, known_ms) for each in events]


def listed(board: Board) -> list[str]:
    return [orjson.loads(each)["product_id"] for each in board.products()]


def test_an_event_pauses_at_once_and_the_state_makes_it_sure() -> None:
    board = Board()
    take(board, event())
    assert shown(board).paused.product
    assert not shown(board).sure
    assert shown(board).fuses == ()
    board.take_state("p42", state())
    product = shown(board)
    assert product.sure
    assert product.sequence == 7
    (only,) = product.fuses
    assert (only.kind, only.opened_at, only.room_id) == ("complaint_surge", event().occurred_at, "r1")
    assert only.last is not None
    assert only.last.type == "fuse.opened"


def test_a_state_that_comes_before_its_event_counts_and_the_event_changes_nothing_of_it() -> None:
    board = Board()
    board.take_state("p42", state())
    take(board, event())
    assert shown(board).sure
    assert shown(board).paused.product


def test_an_old_event_does_not_pause_again_what_its_state_has_released() -> None:
    board = Board()
    board.take_state("p42", state("p42", 8, fuse(state="closed"), paused=ON_SALE))
    take(board, event(sequence=7))
    assert board.product("p42") is None
    take(board, event(CLOSED, sequence=8))
    assert board.product("p42") is None
    assert len(board.feed) == 2


def test_an_older_state_never_wins() -> None:
    board = Board()
    board.take_state("p42", state("p42", 9))
    board.take_state("p42", state("p42", 8, fuse(state="closed"), paused=ON_SALE))
    assert shown(board).sequence == 9
    assert shown(board).paused.product
    take(board, event(sequence=10, type="fuse.acknowledged"))
    board.take_state("p42", state("p42", 9, fuse(), paused=ON_SALE))
    # What the event says is paused holds until a state that knows of it.
    assert shown(board).paused.product
    assert not shown(board).sure


def test_a_product_that_an_event_releases_is_gone_before_its_state_comes() -> None:
    board = Board()
    board.take_state("p42", state("p42", 1, **override("paused"), fuses=()))
    board.take_changes()
    take(board, event(NO_FUSE, type="override.cleared", sequence=2, paused=ON_SALE))
    board.take_state("p42", None)
    assert board.take_changes().gone == ["p42"]
    assert board.sequence("p42") == 2


def test_repeats_are_left_out() -> None:
    board = Board()
    assert take(board, event(), event(), event(CLOSED, sequence=8), event()) == [True, False, True, False]
    assert board.repeats == 2
    assert [line.type for line in board.events()] == ["fuse.opened", "fuse.closed"]
    assert len(board.take_changes().lines) == 2


def test_a_gap_is_told_until_the_state_is_there_and_five_minutes_more() -> None:
    board = Board()
    take(board, event(sequence=7), event(CLOSED, sequence=10))
    assert board.gaps == 2
    assert board.gap(NOON_MS) == (1, NOON_MS)
    assert board.gap(NOON_MS + GAP_MS + 1) == (1, NOON_MS)
    board.take_state("p42", state("p42", 10))
    assert board.gap(NOON_MS + GAP_MS) == (1, NOON_MS)
    assert board.gap(NOON_MS + GAP_MS + 1) is None
    board.forget(NOON_MS + GAP_MS + 1)
    assert board.gap(NOON_MS) is None


@pytest.mark.parametrize(("sequence", "missing"), [(3, 0), (7, 0), (8, 0), (9, 1)])
def test_the_state_tells_which_events_can_be_missing_before_the_first(sequence: int, missing: int) -> None:
    board = Board()
    board.take_state("p42", state("p42", 7))
    take(board, event(sequence=sequence))
    assert board.gaps == missing


def test_what_came_before_the_first_event_of_an_unknown_product_is_no_gap() -> None:
    board = Board()
    take(board, event(sequence=7))
    assert board.gaps == 0


def test_a_tombstone_removes_but_not_what_a_newer_event_pauses() -> None:
    board = Board()
    board.take_state("p42", state("p42", 7))
    take(board, event(sequence=8))
    board.take_state("p42", None)
    assert shown(board).paused.product
    assert not shown(board).sure
    board.take_state("p42", state("p42", 9, fuse(state="closed"), paused=ON_SALE))
    assert board.product("p42") is None
    board.take_state("p42", None)
    board.take_state("unknown", None)
    assert len(board) == 0
    assert board.sequence("p42") == 9
    assert board.sequence("unknown") is None


def test_products_are_listed_by_what_matters_first() -> None:
    board = Board()
    later = NOON_MS + 1000
    for each in (
        state("shadow", 1, fuse(shadow=True), paused=ON_SALE),
        state("probation", 1, fuse(state="probation"), paused=ON_SALE),
        state("allowed", 1, fuse(), paused=ON_SALE, **override("allowed")),
        state("partly", 1, fuse(sku_id="red", severity="critical"), paused={"product": False, "skus": ["red"]}),
        state("info", 1, fuse(severity="info", since=later)),
        state("old warning", 1, fuse()),
        state("new warning", 1, fuse(since=later)),
        state("by hand", 1, paused=PAUSED, **override("paused", since=later + 1), fuses=()),
        state("critical", 1, fuse(severity="critical")),
        state("closed", 1, fuse(state="closed"), paused=ON_SALE),
    ):
        board.take_state(each.product_id, each)
    assert listed(board) == [
        "critical", "by hand", "new warning", "old warning", "info", "partly", "allowed", "probation", "shadow",
    ]  # fmt: skip
    phases = [entry.phase for entry in board.listed()]
    assert phases == ["paused"] * 5 + ["partly", "allowed", "probation", "shadow"]
    assert set(phases) < set(PHASES)
    assert board.counts() == {each: phases.count(each) for each in PHASES}


def test_all_are_counted_however_many_a_snapshot_holds() -> None:
    board = Board()
    with board.in_bulk():
        for number in range(MOST_PRODUCTS + 7):
            board.take_state(f"p{number}", state(f"p{number}", 1, fuse()))
    assert len(board.products()) == MOST_PRODUCTS
    assert board.counts()["paused"] == len(board) == MOST_PRODUCTS + 7
    board.take_state("p1", state("p1", 2, fuse(state="probation"), paused=ON_SALE))
    board.take_state("p2", None)
    assert board.counts() == {**dict.fromkeys(PHASES, 0), "paused": MOST_PRODUCTS + 5, "probation": 1}


def test_a_fuse_keeps_the_room_and_time_of_its_opening() -> None:
    board = Board()
    take(board, event(room_id="opened in"))
    take(board, event(type="fuse.acknowledged", sequence=8, room_id="moved to", actor="operator:mei"))
    board.take_state("p42", state("p42", 8, room_id="moved to"))
    (only,) = shown(board).fuses
    assert shown(board).room_id == "moved to"
    assert only.room_id == "opened in"
    assert only.opened_at == event().occurred_at
    assert only.last is not None
    assert only.last.actor == "operator:mei"
    take(board, event(CLOSED, to="probation", type="fuse.probation", sequence=9))
    board.take_state("p42", state("p42", 9, fuse(state="probation", since=NOON_MS + 5), paused=ON_SALE))
    (only,) = shown(board).fuses
    assert only.opened_at == event().occurred_at
    take(board, event(sequence=10, epoch=2, occurred_at=NOON_MS + 9, room_id="third"))
    board.take_state("p42", state("p42", 10, fuse(epoch=2, since=NOON_MS + 9)))
    (only,) = shown(board).fuses
    assert (only.epoch, only.opened_at, only.room_id) == (2, NOON_MS + 9, "third")


def test_an_opening_that_was_not_read_is_told_by_the_state() -> None:
    board = Board()
    board.take_state("p42", state("p42", 7, fuse(since=NOON_MS - 5), fuse(state="probation", rule="other")))
    first, second = shown(board).fuses
    assert first.opened_at == NOON_MS - 5
    assert second.opened_at is None


@pytest.mark.parametrize(
    ("example", "kind"), [({}, "complaint_surge"), (OVERSELL, "oversell"), (RETURNS, "return_spike")]
)
def test_the_kind_of_a_rule_shows_in_what_it_measured(example: dict[str, Any], kind: str) -> None:
    board = Board()
    cause = event(example).cause.model_dump()
    board.take_state("p42", state("p42", 7, fuse(cause=cause)))
    assert shown(board).fuses[0].kind == kind
    assert shown(board).fuses[0].cause["measured"] == cause["measured"]


def test_a_restarted_board_comes_to_the_same() -> None:
    before, after = Board(), Board()
    take(before, event(), event(sequence=8, type="fuse.acknowledged"))
    for each in (state("p42", 7), state("p42", 8, fuse(acknowledged_by="operator:mei"))):
        before.take_state("p42", each)
    after.take_state("p42", state("p42", 8, fuse(acknowledged_by="operator:mei")))
    take(after, event(), event(sequence=8, type="fuse.acknowledged"))
    assert before.products() == after.products()
    assert (after.gaps, after.repeats) == (0, 0)


def test_changes_are_told_once_and_what_came_and_went_in_between_is_not() -> None:
    board = Board()
    assert not board.is_changed
    board.take_state("p42", state())
    take(board, event(product_id="brief"), event(CLOSED, product_id="brief", sequence=8))
    changes = board.take_changes()
    assert [orjson.loads(each)["product_id"] for each in changes.products] == ["p42"]
    assert changes.gone == []
    assert len(changes.lines) == 2
    assert not board.is_changed
    assert not board.take_changes()
    board.take_state("p42", None)
    assert board.take_changes().gone == ["p42"]


def test_memory_is_that_of_the_last_hour_and_of_what_is_open() -> None:
    board = Board()
    for number in range(300):
        at_ms = NOON_MS + number * 60_000
        product_id = f"p{number}"
        take(board, event(product_id=product_id, sequence=1), event(CLOSED, product_id=product_id, sequence=2),
             known_ms=at_ms)  # fmt: skip
        board.take_watchlist(0, watchlist(at_ms, (f"near{number}", 0.5)))
        board.take_changes()
        board.forget(at_ms)
    now_ms = NOON_MS + 299 * 60_000
    assert len(board.feed) == 2 * 61
    assert board.known == 61
    assert board.watched.points <= 2 * 62
    assert len(board) == 0
    board.forget(now_ms + KEPT_MS + 60_000)
    assert board.known == 0
    assert len(board.feed) == 0
    assert board.watched.points == 0


def test_of_a_closed_product_only_the_sequence_is_kept() -> None:
    board = Board()
    board.take_state("p42", state("p42", 8, fuse(state="closed"), paused=ON_SALE))
    board.take_changes()
    board.forget(NOON_MS + 2 * KEPT_MS)
    assert board.sequence("p42") == 8
    assert board.room("p42") == "r1"
    take(board, event(sequence=9))
    assert board.gaps == 0


def test_the_chart_has_what_the_watch_lists_said_and_then_the_opening() -> None:
    board = Board()
    for seconds, near in ((0, 0.5), (5, 0.7), (10, 0.9)):
        board.take_watchlist(0, watchlist(NOON_MS + seconds * 1000, ("p42", near), ("other", 0.1)))
    take(board, event(occurred_at=NOON_MS + 12_000))
    detail = ProductDetail.model_validate_json(orjson.dumps(board.detail("p42")))
    (series,) = detail.series
    assert [(each.measured, each.limit) for each in series.points] == [(25, 50), (35, 50), (45, 50), (51, 50)]
    assert series.points[-1].at == NOON_MS + 12_000
    assert detail.sequence == 7
    assert detail.product == board.product("p42")
    nothing = ProductDetail.model_validate_json(orjson.dumps(board.detail("nothing is known of it")))
    assert (nothing.product, nothing.sequence, nothing.series, nothing.watched) == (None, 0, (), ())


def test_the_watch_list_is_the_newest_of_each_partition_the_nearest_first() -> None:
    board = Board()
    board.take_state("b", state("b"))
    board.take_watchlist(0, watchlist(NOON_MS, ("gone", 0.9)))
    board.take_watchlist(0, watchlist(NOON_MS + 5000, ("a", 0.4), ("b", 0.2)))
    board.take_watchlist(1, watchlist(NOON_MS + 1000, ("c", 0.3), ("b", 0.8)))
    entries = [Watched.model_validate(each) for each in orjson.loads(board.watchlist())]
    assert [(each.product_id, each.nearness) for each in entries] == [("a", 0.4), ("c", 0.3), ("b", 0.2)]
    assert [each.room_id for each in entries] == [None, None, "r1"]
    board.take_watchlist(0, None)
    assert [each["product_id"] for each in orjson.loads(board.watchlist())] == ["b", "c"]


def test_ids_of_any_kind_go_through() -> None:
    board = Board()
    strange = ("</script><script>alert(1)</script>", 'quote" \\ back', "Ünïcode/☕?%2e\u2028", "x" * 128)
    for product_id in strange:
        board.take_state(product_id, state(product_id))
    assert sorted(listed(board)) == sorted(strange)
    assert b"\n" not in b"".join(board.products())


def test_times_are_text_in_utc() -> None:
    board = Board()
    board.take_state("p42", state("p42", 7, fuse(due=NOON_MS + 1)))
    made = orjson.loads(board.products()[0])
    assert made["fuses"][0]["due"] == from_ms(NOON_MS + 1)
