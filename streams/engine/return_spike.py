"""Rule kind ``return_spike``: the returns of this hour against the worst hour of a week.

Returns come after orders, so the returns of an hour say nothing against the orders of the same hour. They are
measured against the product's best hour of sales in the history (N), and the rate must exceed the worst rate of the
history (b) by ``rise``.

Evidence: buckets of window / 60 for the window itself, and one count of orders and of returns for each period (as
long as the window) of the history; orders for twice the history, because a past period's returns too are measured
against the orders before it.
"""

from fractions import Fraction
from math import sqrt
from typing import Any, Final

from schemas.durations import milliseconds
from schemas.rules import ReturnSpikeLimits, Rule
from streams.engine.evidence import Evidence
from streams.engine.fuse import OPEN, PROBATION, Fuse
from streams.engine.signals import Signal
from streams.engine.verdicts import LATE, Nearness, Trip, Verdict, seconds

BUCKETS: Final = 60
EVIDENCE: Final = 20
_ROUNDING: Final = 1e-9
"""Far more than the error of a comparison in floats, far less than any limit: what is nearer is compared exactly."""


class Limits:
    """The limits of one rule for one scope; rates as exact fractions, times in milliseconds."""

    def __init__(self, rule: Rule, limits: ReturnSpikeLimits) -> None:
        self.rise = Fraction(limits.rise)
        self.probation_rise = self.rise * Fraction(rule.probation_factor)
        self.nearly = float(self.probation_rise) - _ROUNDING
        self.period = milliseconds(limits.window)
        self.bucket = self.period // BUCKETS
        self.history = limits.history
        self.min_units = limits.min_units
        self.min_returns = limits.min_returns
        self.prior_units = limits.prior_units
        self.prior_returns = Fraction(limits.prior_rate) * limits.prior_units
        self.z = float(limits.z)
        self.window_s: int | float = seconds(self.period)


class _Baseline:
    """What the history says. Holds until the window moves on to another period or a late fact changes the past."""

    def __init__(self, best: int, rate: Fraction) -> None:
        self.best = best
        self.rate = rate
        self.rate_float = float(rate)


class ReturnSpike(Evidence):
    """Evidence of one product for one rule.

    ``ordered`` and ``returned`` are counts by bucket; some may have left the window, so the sums over them
    (``units_ordered``, ``units_returned``, ``returns``) are never too small, and exact after :meth:`_empty`. Orders
    of the product's clock, from ``begin`` until ``end``, go to ``fresh``, the units of the bucket ``place``, without
    a look at anything else; :meth:`_settle` adds them to ``ordered`` and to ``current``, the counts of the running
    period.
    """

    __slots__ = (
        "baseline", "begin", "current", "end", "fresh", "history", "judged", "last_period", "limits", "oldest",
        "ordered", "period", "periods", "place", "return_ids", "returned", "returns", "units_ordered", "units_returned",
    )  # fmt: skip
    limits: Limits

    def __init__(self, since: int) -> None:
        super().__init__(since)
        self._start_anew(0)

    def _start_anew(self, period: int) -> None:
        self.period = period
        self.begin = self.end = 0
        self.judged = self.place = -1
        self.fresh = 0
        self.last_period = 0
        self.oldest = 0
        self.history = 0
        self.returns = self.units_returned = self.units_ordered = 0
        self.ordered: dict[int, int] = {}
        self.returned: dict[int, tuple[int, int]] = {}
        self.periods: dict[int, list[int]] = {}
        self.return_ids: list[tuple[int, str]] = []
        self.baseline: _Baseline | None = None
        self.current: list[int] = []

    def arm(self, limits: Limits, fuses: dict[str | None, Fuse]) -> None:
        """Take the limits in force and the fuses of this rule."""
        self.limits = limits
        self.fuses = fuses
        self.baseline = None
        self.end = 0
        self.judged = -1

    def on_order(self, signal: Signal, clock: int) -> tuple[Verdict, ...] | None:
        """Count an order line."""
        time: int = signal[3]
        units: int = signal[8]
        if time == clock and self.begin <= time < self.end:
            index = time // self.limits.bucket
            if index != self.place:
                self._settle()
                self.place = index
            self.fresh += units
            self.units_ordered += units
            # More orders in the same bucket only make the rate smaller.
            if index == self.judged or self.returns < self.limits.min_returns:
                return None
        else:
            self._settle()
            place = self._place(time, clock)
            if place is None:
                return LATE
            late, period = place
            period[0] += units
            if late is None:
                return None
            ordered = self.ordered
            newest = next(reversed(ordered), late)
            ordered[late] = ordered.get(late, 0) + units
            if late < newest:
                self.ordered = dict(sorted(ordered.items()))
            self.units_ordered += units
        return None if self.returns < self.limits.min_returns else self._evaluate(clock)

    def on_return(self, signal: Signal, clock: int) -> tuple[Verdict, ...] | None:
        """Count a return."""
        time, units = signal[3], signal[6]
        place = self._place(time, clock)
        if place is None:
            return LATE
        index, period = place
        period[1] += units
        if index is None:
            return None
        returned = self.returned
        newest = next(reversed(returned), index)
        count, before = returned.get(index, (0, 0))
        returned[index] = (count + 1, before + units)
        if index < newest:
            self.returned = dict(sorted(returned.items()))
        self.returns += 1
        self.units_returned += units
        self.return_ids = [*self.return_ids[1 - EVIDENCE :], (index, signal[5])]
        return None if self.returns < self.limits.min_returns else self._evaluate(clock)

    def _place(self, time: int, clock: int) -> tuple[int | None, list[int]] | None:
        """Return the bucket (None: not in the window) and the period that count an event of ``time``; None: late."""
        limits = self.limits
        if limits.period != self.period:
            # Another window has other buckets.
            self._start_anew(limits.period)
        if clock >= self.end:
            self._advance(clock)
        number = time // limits.period
        if number < self.oldest:
            return None
        if number <= self.last_period:
            self.baseline = None
            self.judged = -1
        period = self._period(number)
        index = time // limits.bucket
        if index < self._first(clock) or time < self.begin:
            return None, period
        return index, period

    def _period(self, number: int) -> list[int]:
        period = self.periods.get(number)
        if period is None:
            period = self.periods[number] = [0, 0]
        return period

    def _first(self, clock: int) -> int:
        """Return the first bucket of the window."""
        return clock // self.limits.bucket - BUCKETS + 1

    def _advance(self, clock: int) -> None:
        """Go on to the period of ``clock``, or to another history; forget what lies before twice the history."""
        limits = self.limits
        last = self._first(clock) // BUCKETS - 1
        if last != self.last_period or limits.history != self.history:
            self.last_period = last
            self.baseline = None
            periods = self.periods
            if limits.history != self.history:
                # What was forgotten under the old history stays forgotten: also what a late event put behind newer
                # ones.
                self.history = limits.history
                self.periods = periods = {number: counts for number, counts in periods.items() if number >= self.oldest}
            self.oldest = last - 2 * limits.history + 2
            while periods and (number := next(iter(periods))) < self.oldest:
                del periods[number]
        self._empty(self._first(clock))
        number = clock // limits.period
        self.current = self._period(number)
        fuse = self.fuses.get(None)
        self.begin = 0 if fuse is None else fuse.mark + 1
        # The history goes on when the window has left a period, which is a bucket before the next one begins.
        self.end = min((number + 1) * limits.period, ((last + 3) * BUCKETS - 1) * limits.bucket)

    def _settle(self) -> None:
        """Add the fresh orders to their bucket and their period."""
        if self.fresh:
            ordered, place = self.ordered, self.place
            ordered[place] = ordered.get(place, 0) + self.fresh
            self.current[0] += self.fresh
            self.fresh = 0

    def _empty(self, first: int) -> None:
        """Let go of the buckets before ``first``, which have left the window."""
        self._settle()
        ordered, returned = self.ordered, self.returned
        while ordered and (index := next(iter(ordered))) < first:
            self.units_ordered -= ordered.pop(index)
        while returned and (index := next(iter(returned))) < first:
            count, units = returned.pop(index)
            self.returns -= count
            self.units_returned -= units

    def _evaluate(self, clock: int) -> tuple[Verdict, ...] | None:
        limits = self.limits
        first = self._first(clock)
        self._empty(first)
        if self.returns < limits.min_returns:
            return None
        baseline = self.baseline
        if baseline is None:
            baseline = self.baseline = self._read_history(self.last_period)
        units = self.units_returned
        best = max(self.units_ordered, baseline.best)
        if best < limits.min_units:
            return None
        self.judged = clock // limits.bucket
        # No rise that could count: most evaluations end here, in floats.
        if units / best - baseline.rate_float < limits.nearly:
            return None
        fuse = self.fuses.get(None)
        if fuse is not None and fuse.state == OPEN:
            return None
        rise = limits.probation_rise if fuse is not None and fuse.state == PROBATION else limits.rise
        rate = Fraction(units, best)
        if rate - baseline.rate < rise or not _is_significant(units, float(baseline.rate * best), limits.z):
            return None
        cause = {
            "measured": round(float(rate), 4),
            "limit": round(float(baseline.rate + rise), 4),
            "window_s": limits.window_s,
            "b": round(baseline.rate_float, 4),
            "R": units,
            "N": best,
            "k": self.returns,
            "evidence": [return_id for index, return_id in self.return_ids if index >= first],
        }
        return (Trip(None, cause),)

    def _read_history(self, last: int) -> _Baseline:
        """Read the history that ends with period ``last``."""
        limits = self.limits
        first = last - limits.history + 1
        known = sorted(period for period in self.periods if period <= last)
        history = [period for period in known if period >= first]
        ordered = {period: self.periods[period][0] for period in known}
        rate = limits.prior_returns / (sum(ordered[period] for period in history) + limits.prior_units)
        for period in history:
            returned = self.periods[period][1]
            if returned:
                best = max(ordered[other] for other in known if period - limits.history < other <= period)
                rate = max(rate, Fraction(returned, max(best, limits.min_units)))
        return _Baseline(max((ordered[period] for period in history), default=0), rate)

    def forget_until(self, mark: int) -> None:
        """Empty the window: what is known at ``mark`` may not trip the fuse again. The history keeps all."""
        del mark
        self._settle()
        self.ordered.clear()
        self.returned.clear()
        self.end = 0
        self.judged = -1
        self.return_ids = []
        self.returns = self.units_returned = self.units_ordered = 0

    def nearness(self, clock: int) -> Nearness | None:
        """Tell how much of the rise is there. Changes no decision, whenever it is asked."""
        self._settle()
        limits = self.limits
        if limits.period != self.period or self.returns < limits.min_returns:
            return None
        first = self._first(clock)
        within = [counts for index, counts in self.returned.items() if index >= first]
        last = first // BUCKETS - 1
        baseline = self.baseline
        if baseline is None or last != self.last_period:
            baseline = self._read_history(last)
        ordered = sum(units for index, units in self.ordered.items() if index >= first)
        best = max(ordered, baseline.best)
        if sum(count for count, _ in within) < limits.min_returns or best < limits.min_units:
            return None
        rate = sum(units for _, units in within) / best
        limit = baseline.rate_float + float(limits.rise)
        near = (rate - baseline.rate_float) / float(limits.rise) if limits.rise else 1.0
        return Nearness(max(0.0, min(1.0, near)), round(rate, 4), round(limit, 4))

    def encode(self, clock: int) -> list[Any] | None:
        """Return the counts, by age in buckets and in periods."""
        if not self.period:
            return None
        bucket = self.period // BUCKETS
        now = clock // bucket
        self._empty(now - BUCKETS + 1)
        number = clock // self.period
        return [
            self.period,
            [now - index for index in self.ordered],
            list(self.ordered.values()),
            [[now - index, *counts] for index, counts in self.returned.items()],
            [
                [number - period, *counts]
                for period, counts in self.periods.items()
                if any(counts) and period >= self.oldest
            ],
            [[now - index, return_id] for index, return_id in self.return_ids],
        ]

    def decode(self, data: list[Any], clock: int) -> None:
        """Take back what :meth:`encode` returned."""
        self.period, ages, units, returned, periods, return_ids = data
        now = clock // (self.period // BUCKETS)
        self.ordered = {now - age: count for age, count in zip(ages, units, strict=True)}
        self.units_ordered = sum(units)
        for age, count, in_all in returned:
            self.returned[now - age] = (count, in_all)
            self.returns += count
            self.units_returned += in_all
        number = clock // self.period
        stored: list[Any]
        for stored in periods:
            self.periods[number - stored[0]] = stored[1:]
        if return_ids:
            self.return_ids = [(now - age, return_id) for age, return_id in return_ids]


def _is_significant(units: int, expected: float, z: float) -> bool:
    """Tell whether Byar's lower bound of the Poisson count ``units`` exceeds ``expected``."""
    if not units:
        return False
    return units * (1 - 1 / (9 * units) - z / (3 * sqrt(units))) ** 3 > expected
