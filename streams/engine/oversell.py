"""Rule kind ``oversell``: less stock is available than will be sold before a pause takes effect.

Evidence, per SKU: the newest stock level by as-of time, what is available of it now, and net units (ordered -
cancelled) per second of the history, so that the rate of sales is known and a stock level that arrives late still
subtracts what was ordered after it. ``None`` names the unnamed SKU of a product without variants.
"""

from bisect import bisect_left
from math import ceil
from typing import Any, Final

from schemas.durations import milliseconds
from schemas.rules import OversellLimits, Rule
from schemas.times import from_ms
from streams.engine.evidence import Evidence
from streams.engine.fuse import OPEN, Fuse
from streams.engine.signals import Signal
from streams.engine.verdicts import LATE, Close, Nearness, Replenish, Trip, Verdict

_FEW: Final = 32
"""Seconds of a SKU that may be kept whether or not they are forgotten."""


class Limits:
    """The limits of one rule for one scope; times in milliseconds, rate windows in seconds."""

    def __init__(self, rule: Rule, limits: OversellLimits) -> None:
        self.floor = limits.floor
        self.reaction = milliseconds(limits.reaction_time)
        self.rate_windows = sorted(milliseconds(window) // 1000 for window in limits.rate_windows)
        self.shortest_window_ms = self.rate_windows[0] * 1000
        self.history = milliseconds(limits.history)
        self.resume_above = limits.resume_above
        self.safety_stock = limits.safety_stock
        self.hot_units = limits.hot_units
        self.cover = milliseconds(limits.cover)
        self.closes_by_evidence = rule.recovery == "evidence"
        self.replenishes = rule.mode == "enforce"


class Sku:
    """What is known of one SKU.

    ``available`` is None until a stock level is known; ``gross`` bounds the units of any window. Seconds before
    ``oldest`` are forgotten, even while they still stand in ``seconds``: they go many at a time, when there are
    ``most``. ``newest`` is the last second, -1 without any.
    """

    __slots__ = (
        "armed", "as_of", "available", "gross", "most", "name", "nets", "newest", "oldest", "on_hand", "reserved",
        "safety_stock", "seconds",
    )  # fmt: skip

    def __init__(self, name: str | None, seconds: list[int], nets: list[int]) -> None:
        self.name = name
        self.on_hand = 0
        self.reserved = 0
        self.as_of = 0
        self.available: int | None = None
        self.safety_stock: int | None = None
        self.armed = True
        self.seconds = seconds
        self.nets = nets
        self.oldest = 0
        gross = 0
        for net in nets:
            if net > 0:
                gross += net
        self.gross = gross
        self.newest = seconds[-1] if seconds else -1
        self.most = _FEW + 2 * len(seconds)

    def sell(self, second: int, units: int, oldest: int) -> None:
        """Add net ``units`` (negative: cancelled) to a second; forget the seconds before ``oldest``."""
        seconds, nets = self.seconds, self.nets
        if second > self.newest:
            self.newest = second
            seconds.append(second)
            nets.append(units)
            if units > 0:
                self.gross += units
        else:
            place = len(seconds) - 1 if second == self.newest else bisect_left(seconds, second)
            if seconds[place] == second:
                before = nets[place]
                nets[place] = after = before + units
            else:
                seconds.insert(place, second)
                nets.insert(place, units)
                before, after = 0, units
            self.gross += max(0, after) - max(0, before)
        if oldest > self.oldest:
            self.oldest = oldest
            if len(seconds) > self.most:
                self.tidy()
        if self.available is not None and second >= self.as_of // 1000:
            self.available -= units

    def forget(self, oldest: int) -> None:
        """Forget the seconds before ``oldest``. What was subtracted for them stays subtracted."""
        self.oldest = max(self.oldest, oldest)

    def tidy(self) -> None:
        """Let go of what is forgotten."""
        cut = bisect_left(self.seconds, self.oldest)
        if cut:
            self.gross -= sum(net for net in self.nets[:cut] if net > 0)
            del self.seconds[:cut]
            del self.nets[:cut]
            if not self.seconds:
                self.newest = -1
        self.most = _FEW + 2 * len(self.seconds)

    def units_from(self, second: int) -> int:
        """Return the net units of ``second`` and all later ones."""
        return sum(self.nets[bisect_left(self.seconds, max(second, self.oldest)) :])

    def units(self, window: int, now: int) -> int:
        """Return the net units of ``window`` seconds, ending with ``now`` or the second before: the larger, or 0."""
        seconds, nets = self.seconds, self.nets
        if not seconds:
            return 0
        first = bisect_left(seconds, max(now - window + 1, self.oldest))
        current = sum(nets[first:])
        previous = current - nets[-1] if first < len(nets) and seconds[-1] == now else current
        if first and seconds[first - 1] == now - window >= self.oldest:
            previous += nets[first - 1]
        return max(current, previous, 0)


class Oversell(Evidence):
    """Evidence of one product for one rule."""

    __slots__ = ("limits", "ordered", "skus")
    limits: Limits

    def __init__(self, since: int) -> None:
        super().__init__(since)
        self.ordered = False
        self.skus: dict[str | None, Sku] = {}

    def arm(self, limits: Limits, fuses: dict[str | None, Fuse]) -> None:
        """Take the limits in force and the fuses of this rule."""
        for sku in self.skus.values():
            # Under a longer history than before what was forgotten stays so, and what comes in its place counts.
            sku.tidy()
            sku.oldest = 0
        self.limits = limits
        self.fuses = fuses

    def on_order(self, signal: Signal, clock: int) -> tuple[Verdict, ...] | None:
        """Subtract an order line; trip when too little is left."""
        time: int = signal[3]
        name: str | None = signal[9]
        limits = self.limits
        sku = self.skus.get(name) or self._sku(name, signal[4])
        oldest = clock - limits.history
        if time < oldest:
            return LATE
        sku.sell(time // 1000, signal[8], oldest // 1000)
        self.ordered = True
        available = sku.available
        # Plenty: neither a trip nor a request nor its rearming can follow, whatever the rate. Most end here.
        if available is None or (
            sku.armed
            and available > (limits.safety_stock if sku.safety_stock is None else sku.safety_stock)
            and available > limits.floor
            and (available - 1) * limits.shortest_window_ms >= sku.gross * limits.reaction
        ):
            return None
        return self._evaluate(sku, signal[4], clock, signal[6], may_close=False)

    def on_cancellation(self, signal: Signal, clock: int) -> tuple[Verdict, ...] | None:
        """Give back a cancelled order line; close when enough is left."""
        _, _, _, time, product_id, _, order_id, _, quantity, name, _, _ = signal
        sku = self._sku(name, product_id)
        if time < clock - self.limits.history:
            return LATE
        sku.sell(time // 1000, -quantity, (clock - self.limits.history) // 1000)
        return self._evaluate(sku, product_id, clock, order_id, may_close=True)

    def on_stock(self, signal: Signal, clock: int) -> tuple[Verdict, ...] | None:
        """Take a stock level, unless it is older than the current one; close or trip."""
        _, _, _, as_of, product_id, name, on_hand, reserved, safety_stock, _, snapshot_id = signal
        sku = self._sku(name, product_id)
        if as_of < clock - self.limits.history or (sku.available is not None and as_of < sku.as_of):
            return LATE
        sku.on_hand, sku.reserved, sku.as_of, sku.safety_stock = on_hand, reserved, as_of, safety_stock
        sku.forget((clock - self.limits.history) // 1000)
        sku.available = on_hand - reserved - sku.units_from(as_of // 1000)
        return self._evaluate(sku, product_id, clock, snapshot_id, may_close=True)

    def stocked(self) -> list[str | None]:
        """Name the SKUs with a known stock level."""
        return [name for name, sku in self.skus.items() if sku.available is not None]

    def forget_until(self, mark: int) -> None:
        """Nothing to do: over-sell is judged anew, from all that is known, at each new signal."""

    def _sku(self, name: str | None, product_id: str) -> Sku:
        if name == product_id:
            name = None
        sku = self.skus.get(name)
        if sku is None:
            sku = self.skus[name] = Sku(name, [], [])
        return sku

    def _fuse_sku(self, sku: Sku, product_id: str) -> str | None:
        """Name the fuse of a SKU: the unnamed SKU's is the product's own, unless other SKUs came first."""
        if sku.name is not None:
            return sku.name
        if None in self.fuses or (len(self.skus) == 1 and product_id not in self.fuses):
            return None
        return product_id

    def _evaluate(
        self, sku: Sku, product_id: str, clock: int, fact: str | None, *, may_close: bool
    ) -> tuple[Verdict, ...] | None:
        available = sku.available
        if available is None:
            return None
        limits, now = self.limits, clock // 1000
        units = {window: sku.units(window, now) for window in limits.rate_windows}
        level = max(limits.floor, *(ceil_div(units[w] * limits.reaction, w * 1000) for w in units))
        fastest = max(units, key=lambda window: units[window] / window)
        name = self._fuse_sku(sku, product_id)
        fuse = self.fuses.get(name)
        verdicts: tuple[Verdict, ...] = ()
        if fuse is not None and fuse.state == OPEN:
            enough = max(limits.resume_above, 2 * fuse.level)
            if may_close and limits.closes_by_evidence and available > enough:
                cause = {"measured": available, "limit": enough, "as_of": from_ms(sku.as_of)}
                verdicts = (Close(name, cause),)
        elif self.ordered and available <= level:
            cause = {
                "measured": available,
                "limit": level,
                "level": level,
                "rate": round(units[fastest] / fastest, 4),
                "on_hand": sku.on_hand,
                "as_of": from_ms(sku.as_of),
                "evidence": [] if fact is None else [fact],
            }
            verdicts = (Trip(name, cause, level),)
        request = self._replenish(sku, available, units, fastest, clock)
        if request is not None:
            verdicts = (*verdicts, request)
        return verdicts or None

    def _replenish(self, sku: Sku, available: int, units: dict[int, int], fastest: int, clock: int) -> Replenish | None:
        limits = self.limits
        safety = limits.safety_stock if sku.safety_stock is None else sku.safety_stock
        if 5 * available > 6 * safety:
            sku.armed = True
        if available > safety or not sku.armed:
            return None
        if sku.safety_stock is None and sku.units_from((clock - limits.history) // 1000) < limits.hot_units:
            return None
        if not limits.replenishes:
            return None
        sku.armed = False
        longest = limits.rate_windows[-1]
        cover = ceil_div(units[longest] * limits.cover, longest * 1000)
        sold = units[fastest]
        seconds_left = round(max(0, available) * fastest / sold, 1) if sold else None
        return Replenish(
            sku.name, available, safety, round(sold / fastest, 4), seconds_left, max(2 * safety, cover) - available
        )

    def nearness(self, clock: int) -> Nearness | None:
        """Tell how near the SKU nearest to its level is, and when it will be sold out."""
        best: Nearness | None = None
        limits, now = self.limits, clock // 1000
        for sku in self.skus.values() if self.ordered else ():
            if sku.available is None:
                continue
            rate = max(sku.units(window, now) / window for window in limits.rate_windows)
            level = max(limits.floor, ceil(rate * limits.reaction / 1000))
            near = 1.0 if sku.available <= level else max(level, 1) / sku.available
            if best is None or near > best.nearness:
                seconds_left = round(max(0, sku.available) / rate, 1) if rate else None
                more = {"available": sku.available, "seconds_left": seconds_left}
                best = Nearness(near, sku.available, level, sku.name, more)
        return best

    def encode(self, clock: int) -> list[Any] | None:
        """Return what is known of each SKU: times and seconds as ages."""
        if not self.skus:
            return None
        now = clock // 1000
        for sku in self.skus.values():
            sku.tidy()
        skus = [
            [
                sku.name, sku.on_hand, sku.reserved, clock - sku.as_of if sku.as_of else None, sku.available,
                sku.safety_stock, int(sku.armed), [now - second for second in sku.seconds], sku.nets,
            ]
            for sku in self.skus.values()
        ]  # fmt: skip
        return [int(self.ordered), skus]

    def decode(self, data: list[Any], clock: int) -> None:
        """Take back what :meth:`encode` returned."""
        now = clock // 1000
        ordered, skus = data
        self.ordered = bool(ordered)
        stored: list[Any]
        for stored in skus:
            name, on_hand, reserved, as_of_age, available, safety_stock, armed, ages, nets = stored
            sku = self.skus[name] = Sku(name, [now - age for age in ages], nets)
            sku.on_hand, sku.reserved, sku.available = on_hand, reserved, available
            sku.as_of = 0 if as_of_age is None else clock - as_of_age
            sku.safety_stock, sku.armed = safety_stock, bool(armed)


def ceil_div(dividend: int, divisor: int) -> int:
    """Divide, rounding up."""
    return -(-dividend // divisor)
