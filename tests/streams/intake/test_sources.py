"""The source table against a broker that is drawn as a few numbers."""

from dataclasses import dataclass

from aiokafka import TopicPartition

from streams.engine.signals import TICK, Signal
from streams.intake.sources import FRESH_MS, UNREACHABLE_S, Progress, SourceTable

TOPICS = ("stock", "orders")
STOCK = TopicPartition("stock", 0)
ORDERS = TopicPartition("orders", 0)
MARGIN_MS = 1_000
T0 = 1_000_000
"""When the sources are given, wall clock."""


@dataclass
class State:
    """What aiokafka knows about a partition."""

    has_valid_position: bool = True
    position: int = 0
    highwater: int | None = None
    lso: int | None = None
    timestamp: int | None = None

    def answer(self, at: int, *, end: int, lso: int | None = None) -> None:
        """Answer a fetch at a time of the wall clock."""
        self.highwater, self.lso, self.timestamp = end, lso, at


class Shop:
    """Two sources and a wall clock."""

    def __init__(self) -> None:
        self.stock, self.orders = State(), State()
        states = {ORDERS: self.orders, STOCK: self.stock}
        self.table = SourceTable(states, TOPICS, {"stock": 2, "orders": 1}, T0)
        self.seconds = 0.0

    def look(self, now: int, elapsed_s: float = 0.1) -> list[str]:
        """Observe; return what is lost."""
        self.seconds += elapsed_s
        return [source.name for source in self.table.observe(now, self.seconds)]

    def fetched(self, partition: TopicPartition, *signals: Signal) -> None:
        """Hand out signals, one an offset."""
        state = self.stock if partition == STOCK else self.orders
        state.position += len(signals)
        self.table.push(self.table.index[partition], list(signals))

    def taken(self) -> list[int]:
        """Take; return the times."""
        return [signal[3] for signal in self.table.take() if signal[0] != TICK]


def signal(offset: int, time: int) -> Signal:
    return [0, 0, offset * 256, time, "p"]


def test_sources_are_numbered_in_the_order_of_ties_and_others_are_named() -> None:
    table = Shop().table
    assert table.names == ["stock/0", "orders/0"]
    assert table.others == ["stock/1"]
    assert table.index == {STOCK: 0, ORDERS: 1}


def test_nothing_goes_before_every_source_has_answered() -> None:
    shop = Shop()
    shop.orders.answer(T0 + 10, end=1)
    shop.fetched(ORDERS, signal(0, 500))
    shop.look(T0 + 10)
    assert shop.taken() == []
    assert not shop.table.progress(MARGIN_MS).live
    shop.stock.answer(T0 + 20, end=0)
    shop.look(T0 + 20)
    assert shop.taken() == [500]
    assert shop.table.progress(MARGIN_MS).live


def test_a_backlog_is_merged_by_time() -> None:
    shop = Shop()
    shop.orders.answer(T0, end=3)
    shop.stock.answer(T0, end=2)
    shop.fetched(ORDERS, signal(0, 100), signal(1, 300))
    shop.fetched(STOCK, signal(0, 200))
    shop.look(T0)
    assert shop.taken() == [100, 200]
    # Orders have 300 queued, and stock may still bring anything from 200 on.
    assert shop.table.progress(MARGIN_MS) == Progress(199, live=False)
    shop.fetched(STOCK, signal(1, 400))
    shop.look(T0)
    assert shop.taken() == [300]
    assert shop.table.offsets() == {STOCK: 1, ORDERS: 2}


def test_a_caught_up_source_has_passed_what_the_fetch_before_the_last_one_shows() -> None:
    shop = Shop()
    for at in (T0 + 100, T0 + 200, T0 + 300):
        shop.orders.answer(at, end=0)
        shop.stock.answer(at, end=0)
        shop.look(at)
    assert shop.table.progress(MARGIN_MS) == Progress(T0 + 200 - MARGIN_MS, live=True)


def test_after_standing_still_a_source_is_not_caught_up_until_it_has_been_asked_again() -> None:
    shop = Shop()
    for at in (T0 + 100, T0 + 200):
        shop.orders.answer(at, end=0)
        shop.stock.answer(at, end=0)
        shop.look(at)
    # The process stands still for 18 s. An answer of before was waiting in the socket, and it is read only now.
    woken = T0 + 18_200
    shop.orders.answer(woken, end=1)
    shop.stock.answer(woken, end=0)
    shop.fetched(ORDERS, signal(0, T0 + 250))
    shop.look(woken, elapsed_s=18)
    assert shop.taken() == []
    progress = shop.table.progress(MARGIN_MS)
    assert not progress.live
    assert progress.passed <= T0 + 200
    # The next answer tells what happened meanwhile.
    shop.stock.answer(woken + 50, end=1)
    shop.orders.answer(woken + 50, end=1)
    shop.fetched(STOCK, signal(0, T0 + 240))
    shop.look(woken + 50)
    assert shop.taken() == [T0 + 240, T0 + 250]


def test_a_source_that_has_not_answered_for_long_is_not_caught_up() -> None:
    shop = Shop()
    shop.orders.answer(T0, end=0)
    shop.stock.answer(T0, end=0)
    shop.look(T0 + FRESH_MS - 1)
    assert shop.table.progress(MARGIN_MS).live
    shop.look(T0 + FRESH_MS)
    assert not shop.table.progress(MARGIN_MS).live


def test_an_open_transaction_behind_the_last_record_holds_nobody_up() -> None:
    shop = Shop()
    shop.orders.answer(T0 + 10, end=9, lso=0)
    shop.stock.answer(T0 + 10, end=1, lso=1)
    shop.fetched(STOCK, signal(0, 100))
    shop.look(T0 + 10)
    assert shop.taken() == [100]


def test_markers_of_transactions_count_as_read() -> None:
    shop = Shop()
    shop.orders.answer(T0 + 10, end=2, lso=2)
    shop.stock.answer(T0 + 10, end=0, lso=0)
    shop.fetched(ORDERS, signal(0, 100))
    shop.look(T0 + 10)
    assert not shop.table.progress(MARGIN_MS).live
    shop.orders.position = 2
    shop.look(T0 + 20)
    assert shop.table.progress(MARGIN_MS).live
    assert shop.taken() == [100]
    assert shop.table.offsets()[ORDERS] == 2


def test_a_source_without_a_position_is_not_committed() -> None:
    shop = Shop()
    shop.orders.has_valid_position = False
    assert shop.table.offsets() == {STOCK: 0}


def test_a_source_that_cannot_be_reached_is_given_up_for_a_while() -> None:
    shop = Shop()
    now, lost = T0, []
    shop.stock.answer(T0, end=5)
    shop.fetched(STOCK, signal(0, 200))
    shop.look(T0)
    for step in range(round(UNREACHABLE_S / 0.5) + 2):
        now += 500
        shop.orders.answer(now, end=1)
        lost += shop.look(now, elapsed_s=0.5)
        if step == 0:
            shop.fetched(ORDERS, signal(0, 300))
            assert shop.taken() == [200]
    assert lost == ["stock/0"]
    assert shop.taken() == [300]
    # It is known to have more, so nothing later than what it has brought has passed.
    assert shop.table.progress(MARGIN_MS) == Progress(199, live=False)
    shop.stock.answer(now, end=5)
    shop.look(now)
    assert shop.table.progress(MARGIN_MS).passed == 199
    shop.fetched(ORDERS, signal(1, 400))
    assert shop.taken() == []


def test_silence_of_all_is_held_against_none_when_one_is_heard_again_first() -> None:
    shop = Shop()
    shop.stock.answer(T0, end=1)
    shop.orders.answer(T0, end=1)
    shop.look(T0)
    now = T0
    # The cable is cut.
    for _ in range(2 * round(UNREACHABLE_S / 0.5)):
        now += 500
        assert shop.look(now, elapsed_s=0.5) == []
    assert {source.silent_s > UNREACHABLE_S for source in shop.table.sources} == {True}
    # It is put back, and the two come from different brokers.
    shop.orders.answer(now + 100, end=1)
    shop.fetched(ORDERS, signal(0, 300))
    assert shop.look(now + 100) == []
    assert shop.taken() == []
    shop.stock.answer(now + 200, end=1)
    shop.fetched(STOCK, signal(0, 200))
    assert shop.look(now + 200) == []
    assert shop.taken() == [200]


def test_silence_while_the_process_stood_still_is_no_silence() -> None:
    shop = Shop()
    shop.stock.answer(T0, end=5)
    shop.orders.answer(T0, end=0)
    shop.look(T0)
    shop.orders.answer(T0 + 60_000, end=0)
    assert shop.look(T0 + 60_000, elapsed_s=60) == []


def test_only_sources_with_a_short_queue_are_fetched() -> None:
    shop = Shop()
    shop.fetched(ORDERS, signal(0, 1), signal(1, 2))
    assert shop.table.hungry(2) == [STOCK]
    assert shop.table.hungry(3) == [STOCK, ORDERS]


def test_an_intake_without_sources_is_live_and_has_nothing_to_take() -> None:
    table = SourceTable({}, TOPICS, {"stock": 1, "orders": 1}, T0)
    table.observe(T0, 0.0)
    assert table.take() == []
    assert table.others == ["stock/0", "orders/0"]
