"""The three rule kinds, read from the specification word by word: lists of what a rule saw, and sums over them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from math import ceil, floor
from typing import Any

from schemas.limits import ComplaintSurgeLimits, OversellLimits, ReturnSpikeLimits

ORDER, CANCELLATION, RETURN, COMPLAINT, STOCK, COMMAND, RULES = range(7)

Signal = Sequence[Any]
Cause = dict[str, Any]

BEFORE_ALL_TIMES = -1
"""The mark of a fuse that has never been in probation or closed."""


def ms(length: timedelta) -> int:
    return length // timedelta(milliseconds=1)


def exact(number: Decimal | float) -> Fraction:
    """Return the number that the decimal text of a limit says."""
    return Fraction(str(number))


def rounded(number: Fraction) -> float:
    return round(float(number), 4)


def seconds(length: timedelta) -> int | float:
    return ms(length) // 1000 if ms(length) % 1000 == 0 else ms(length) / 1000


@dataclass
class Complaints:
    """What one `complaint_surge` rule has kept of one product: (time, complaint_id), in order of arrival."""

    kept: list[tuple[int, str]] = field(default_factory=list)

    def see(self, signal: Signal, clock: int, limits: ComplaintSurgeLimits) -> str:
        """Add a complaint; the answer says what it was: counted, or why it was not."""
        time, complaint_id = signal[3], signal[5]
        window, lateness = ms(limits.window), ms(limits.lateness)
        if time < clock - (window + lateness):
            return "late"
        if complaint_id in [other for _, other in self.kept]:
            return "known"
        self.kept.append((time, complaint_id))
        self.kept = [one for one in self.kept if one[0] >= clock - (2 * window + lateness)]
        while len(self.kept) > max(256, 4 * (limits.more_than + 1)):
            self.kept.remove(min(self.kept, key=lambda one: one[0]))
        return "counted" if (time, complaint_id) in self.kept else "cut"

    def verdict(self, signal: Signal, mark: int, limits: ComplaintSurgeLimits, factor: Fraction) -> Cause | None:
        """Look at every window that holds the new complaint."""
        limit = floor(limits.more_than * factor)
        new = (signal[3], signal[5])
        fullest: list[tuple[int, str]] = []
        starts = {time for time, _ in self.kept if time <= signal[3] < time + ms(limits.window)}
        for start in sorted(starts):
            inside = [one for one in self.kept if mark < one[0] and start <= one[0] < start + ms(limits.window)]
            if new in inside and len(inside) > len(fullest):
                fullest = inside
        if len(fullest) <= limit:
            return None
        newest = sorted(fullest, key=lambda one: one[0])[-100:]
        return {
            "measured": len(fullest),
            "limit": limit,
            "window_s": seconds(limits.window),
            "evidence": [complaint_id for _, complaint_id in newest],
        }


@dataclass
class Sales:
    """What one `return_spike` rule has kept of one product: order lines and returns, in order of arrival."""

    facts: list[Signal] = field(default_factory=list)
    window: timedelta | None = None

    def see(self, signal: Signal, clock: int, limits: ReturnSpikeLimits) -> str:
        """Add an order line or a return; the answer says what it was."""
        restarted = self.window not in (None, limits.window)
        if restarted:
            self.facts = []
        self.window = limits.window
        reach = _last_period(clock, limits) - 2 * limits.history + 2
        if signal[3] // ms(limits.window) < reach:
            return "late"
        self.facts.append(signal)
        self.facts = [fact for fact in self.facts if fact[3] // ms(limits.window) >= reach]
        return "restarted" if restarted else "counted"

    def verdict(
        self, signal: Signal, clock: int, mark: int, limits: ReturnSpikeLimits, factor: Fraction
    ) -> Cause | None:
        """Compare the returns of the window with those of the history."""
        window = ms(limits.window)
        first = (clock // (window // 60) - 59) * (window // 60)
        if signal[3] < first or signal[3] <= mark:
            return None
        inside = [fact for fact in self.facts if fact[3] >= first and fact[3] > mark]
        returns = [fact for fact in inside if fact[0] == RETURN]
        k = len(returns)
        returned = sum(units(fact) for fact in returns)

        last = _last_period(clock, limits)
        history = range(last - limits.history + 1, last + 1)
        orders_of = Counter[int]()
        returns_of = Counter[int]()
        for fact in self.facts:
            (returns_of if fact[0] == RETURN else orders_of)[fact[3] // window] += units(fact)
        sold = max(
            sum(units(fact) for fact in inside if fact[0] == ORDER),
            *(orders_of[p] for p in history),
        )
        rates = [
            Fraction(
                returns_of[p],
                max(limits.min_units, *(orders_of[q] for q in range(p - limits.history + 1, p + 1))),
            )
            for p in history
        ]
        prior = Fraction(limits.prior_units, sum(orders_of[p] for p in history) + limits.prior_units)
        b = max(*rates, exact(limits.prior_rate) * prior)
        rise = exact(limits.rise) * factor
        if k < limits.min_returns or sold < limits.min_units:
            return None
        r = Fraction(returned, sold)
        if r - b < rise or not _exceeds(returned, limits.z, b * sold):
            return None
        return {
            "measured": rounded(r),
            "limit": rounded(b + rise),
            "window_s": seconds(limits.window),
            "b": rounded(b),
            "R": returned,
            "N": sold,
            "k": k,
            "evidence": [fact[5] for fact in returns[-20:]],
        }


def units(fact: Signal) -> int:
    """Return the quantity of an order line, a cancellation or a return."""
    quantity: int = fact[6] if fact[0] == RETURN else fact[8]
    return quantity


def _last_period(clock: int, limits: ReturnSpikeLimits) -> int:
    bucket = ms(limits.window) // 60
    return (clock // bucket - 59) * bucket // ms(limits.window) - 1


def _exceeds(count: int, z: float, expected: Fraction) -> bool:
    """Tell whether Byar's lower bound of a Poisson count lies above what was expected."""
    with localcontext() as context:
        context.prec = 60
        number = Decimal(count)
        bound = number * (1 - 1 / (9 * number) - Decimal(str(z)) / (3 * number.sqrt())) ** 3
        return bound > Decimal(expected.numerator) / Decimal(expected.denominator)


@dataclass
class Sku:
    """What one `oversell` rule has kept of one SKU.

    `ledger` holds (second, net units) of the order lines and cancellations within its reach, `counted` the net units
    that are to be subtracted from the present stock level.
    """

    ledger: list[tuple[int, int]] = field(default_factory=list)
    stock: Signal | None = None
    counted: list[int] = field(default_factory=list)
    armed: bool = True

    def see(self, signal: Signal, clock: int, limits: OversellLimits) -> str:
        """Add an order line, a cancellation or a stock level; the answer says what it was."""
        if signal[3] < clock - ms(limits.history):
            return "late"
        if signal[0] == STOCK and self.stock is not None and signal[3] < self.stock[3]:
            return "older"
        if signal[0] == STOCK:
            self.stock = signal
            self.counted = [net for second, net in self.ledger if second >= signal[3] // 1000]
        else:
            entry = (signal[3] // 1000, units(signal) if signal[0] == ORDER else -units(signal))
            self.ledger.append(entry)
            if self.stock is not None and entry[0] >= self.stock[3] // 1000:
                self.counted.append(entry[1])
        oldest = (clock - ms(limits.history)) // 1000
        self.ledger = [entry for entry in self.ledger if entry[0] >= oldest]
        return "counted"

    def available(self) -> int:
        """Return the units left; only for a SKU with a known stock level."""
        if self.stock is None:
            raise LookupError
        on_hand, reserved = self.stock[6], self.stock[7]
        left: int = on_hand - reserved - sum(self.counted)
        return left

    def rate(self, clock: int, windows: Sequence[timedelta]) -> Fraction:
        """Return the largest net sales of all windows, in units a second."""
        return max(self._rates(clock, windows))

    def _rates(self, clock: int, windows: Sequence[timedelta]) -> Iterator[Fraction]:
        for window in windows:
            length = ms(window) // 1000
            for end in (clock // 1000, clock // 1000 - 1):
                net = sum(net for second, net in self.ledger if end - length < second <= end)
                yield Fraction(max(0, net), length)

    def level(self, clock: int, limits: OversellLimits) -> int:
        """Return what will be sold before a pause takes effect."""
        reaction = Fraction(ms(limits.reaction_time), 1000)
        return max(limits.floor, ceil(self.rate(clock, limits.rate_windows) * reaction))

    def is_hot(self, clock: int, limits: OversellLimits) -> bool:
        """Tell whether it sells well enough for a replenishment request."""
        since = (clock - ms(limits.history)) // 1000
        return sum(net for second, net in self.ledger if second >= since) >= limits.hot_units


@dataclass
class Shelf:
    """What one `oversell` rule knows of one product: its SKUs (None: the unnamed one)."""

    skus: dict[str | None, Sku] = field(default_factory=dict)
    order_seen: bool = False


Evidence = Complaints | Sales | Shelf
