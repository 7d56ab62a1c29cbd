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
        self.window_s = seconds(self.period)


class _Baseline:
    """What the history says. Holds until the window moves on to another period or a late fact changes the past."""

    def __init__(self, best: int, rate: Fraction) -> None:
        self.best = best
        self.rate = rate
        self.rate_float = float(rate)


class ReturnSpike:
    """Evidence of one product for one rule."""

    limits: Limits
    fuses: dict[str | None, Fuse]

    def __init__(self, since: int) -> None:
        self.since = since
        self._start_anew(0)

    def _start_anew(self, period: int) -> None:
        self.period = period
        self.newest = 0
        self.begin = self.end = 0
        self.last_period = 0
        self.oldest = 0
        self.history = 0
        self.returns = self.units_returned = self.units_ordered = 0
        self.buckets: dict[int, list[int]] = {}
        self.periods: dict[int, list[int]] = {}
        self.return_ids: list[tuple[int, str]] = []
        self.baseline: _Baseline | None = None
        self.current: tuple[list[int], list[int]] = ([0, 0, 0], [0, 0])

    def arm(self, limits: Limits, fuses: dict[str | None, Fuse]) -> None:
        """Take the limits in force and the fuses of this rule."""
        self.limits = limits
        self.fuses = fuses
        self.baseline = None
        self.end = 0

    def on_order(self, signal: Signal, clock: int) -> tuple[Verdict, ...] | None:
        """Count an order line."""
        place = self._place(signal[3], clock)
        if place is None:
            return LATE
        bucket, period = place
        period[0] += signal[8]
        if bucket is None:
            return None
        bucket[2] += signal[8]
        self.units_ordered += signal[8]
        return None if self.returns < self.limits.min_returns else self._evaluate()

    def on_return(self, signal: Signal, clock: int) -> tuple[Verdict, ...] | None:
        """Count a return."""
        place = self._place(signal[3], clock)
        if place is None:
            return LATE
        bucket, period = place
        period[1] += signal[6]
        if bucket is None:
            return None
        bucket[0] += 1
        bucket[1] += signal[6]
        self.returns += 1
        self.units_returned += signal[6]
        self.return_ids = [*self.return_ids[1 - EVIDENCE :], (signal[3] // self.limits.bucket, signal[5])]
        return None if self.returns < self.limits.min_returns else self._evaluate()

    def _place(self, time: int, clock: int) -> tuple[list[int] | None, list[int]] | None:
        """Return the bucket (None: not in the window) and the period that count an event of ``time``; None: late."""
        limits = self.limits
        if clock >= self.end or limits.period != self.period:
            if limits.period != self.period:
                # Another window has other buckets.
                self._start_anew(limits.period)
            self._advance(clock // limits.bucket)
        fuse = self.fuses.get(None)
        if time >= self.begin and (fuse is None or time > fuse.mark):
            return self.current
        number = time // limits.period
        oldest = self.last_period - 2 * limits.history + 2
        if number < oldest:
            return None
        if number <= self.last_period:
            self.baseline = None
        period = self._period(number)
        index = time // limits.bucket
        if index <= self.newest - BUCKETS or (fuse is not None and time <= fuse.mark):
            return None, period
        return self._bucket(index), period

    def _bucket(self, index: int) -> list[int]:
        bucket = self.buckets.get(index)
        if bucket is None:
            bucket = self.buckets[index] = [0, 0, 0]
        return bucket

    def _period(self, number: int) -> list[int]:
        period = self.periods.get(number)
        if period is None:
            period = self.periods[number] = [0, 0]
        return period

    def _advance(self, now: int) -> None:
        """Let the window end with bucket ``now``, and forget what lies before twice the history."""
        limits = self.limits
        first = now - BUCKETS + 1
        for index in [index for index in self.buckets if index < first]:
            returns, units_returned, units_ordered = self.buckets.pop(index)
            self.returns -= returns
            self.units_returned -= units_returned
            self.units_ordered -= units_ordered
        last = first * limits.bucket // limits.period - 1
        if last != self.last_period:
            self.last_period = last
            self.baseline = None
        periods = self.periods
        if limits.history != self.history:
            # What was forgotten under the old history stays forgotten: also what a late event put behind newer ones.
            self.history = limits.history
            self.periods = periods = {number: counts for number, counts in periods.items() if number >= self.oldest}
        self.oldest = last - 2 * limits.history + 2
        while periods and (number := next(iter(periods))) < self.oldest:
            del periods[number]
        self.newest = now
        self.begin = now * limits.bucket
        self.end = self.begin + limits.bucket
        self.current = (self._bucket(now), self._period(self.begin // limits.period))

    def _evaluate(self) -> tuple[Verdict, ...] | None:
        limits = self.limits
        baseline = self.baseline
        if baseline is None:
            baseline = self.baseline = self._read_history()
        units = self.units_returned
        best = max(self.units_ordered, baseline.best)
        # No rise that could count: most evaluations end here, in floats.
        if best < limits.min_units or units / best - baseline.rate_float < limits.nearly:
            return None
        fuse = self.fuses.get(None)
        if fuse is not None and fuse.state == OPEN:
            return None
        rise = limits.probation_rise if fuse is not None and fuse.state == PROBATION else limits.rise
        rate = Fraction(units, best)
        if rate - baseline.rate < rise or not _is_significant(units, float(baseline.rate * best), limits.z):
            return None
        first = self.newest - BUCKETS + 1
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

    def _read_history(self) -> _Baseline:
        limits, last = self.limits, self.last_period
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
        self.buckets.clear()
        self.end = 0
        self.return_ids = []
        self.returns = self.units_returned = self.units_ordered = 0

    def nearness(self, clock: int) -> Nearness | None:
        """Tell how much of the rise is there."""
        if self.limits.period != self.period:
            return None
        self._advance(clock // self.limits.bucket)
        baseline = self.baseline = self.baseline or self._read_history()
        best = max(self.units_ordered, baseline.best)
        if self.returns < self.limits.min_returns or best < self.limits.min_units:
            return None
        rate = self.units_returned / best
        limit = baseline.rate_float + float(self.limits.rise)
        near = (rate - baseline.rate_float) / float(self.limits.rise) if self.limits.rise else 1.0
        return Nearness(max(0.0, min(1.0, near)), round(rate, 4), round(limit, 4))

    def encode(self, clock: int) -> list[Any] | None:
        """Return the counts: indexes relative to the newest bucket and the last period of the history."""
        del clock
        if not self.newest:
            return None
        return [
            self.period,
            self.newest,
            self.last_period,
            [[self.newest - index, *counts] for index, counts in self.buckets.items() if any(counts)],
            [
                [self.last_period - number, *counts]
                for number, counts in self.periods.items()
                if any(counts) and number >= self.oldest
            ],
            [[self.newest - index, return_id] for index, return_id in self.return_ids],
        ]

    def decode(self, data: list[Any], clock: int) -> None:
        """Take back what :meth:`encode` returned."""
        del clock
        self.period, self.newest, self.last_period = data[:3]
        for age, *counts in data[3]:
            self.buckets[self.newest - age] = counts
            self.returns += counts[0]
            self.units_returned += counts[1]
            self.units_ordered += counts[2]
        self.periods = {self.last_period - age: counts for age, *counts in data[4]}
        self.return_ids = [(self.newest - age, return_id) for age, return_id in data[5]]


def _is_significant(units: int, expected: float, z: float) -> bool:
    """Tell whether Byar's lower bound of the Poisson count ``units`` exceeds ``expected``."""
    if not units:
        return False
    return units * (1 - 1 / (9 * units) - z / (3 * sqrt(units))) ** 3 > expected
