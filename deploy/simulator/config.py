"""What kind of sale is simulated."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, Self

from schemas.errors import ConfigurationError

Programme = Literal["show", "demo", "none"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST: Final = timedelta(days=31)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleConfig:
    """A sale. It ends after `duration` or after exactly `records` records, whichever comes first; with neither, never.

    `start` is event time, cut to the second. `orders_per_second` is what sells between the rushes; the opening of each
    show multiplies it by `peak_factor`. `partitions` holds for each of the four input topics.

    `programme` says which incidents and traps there are: "show" spreads them over two hours (over `duration` where that
    is shorter), "demo" has one of each kind of incident within the first 80 seconds, "none" has none at all.

    Without `disorder` no record is late, and with it go the traps that are about lateness. Without `repeats` nothing
    is sent twice, likewise. Raises ConfigurationError when a value makes no sense.
    """

    seed: int = 1
    # Twenty minutes before a full hour: the sales of the opening are history of the return spike two hours later.
    start: datetime = datetime(2026, 11, 11, 11, 40, tzinfo=UTC)
    duration: timedelta | None = timedelta(hours=2)
    records: int | None = None
    products: int = 2_000
    rooms: int = 3
    orders_per_second: float = 10.0
    peak_factor: float = 8.0
    flash_every: timedelta = timedelta(minutes=5)
    partitions: int = 4
    programme: Programme = "show"
    disorder: bool = True
    repeats: bool = True

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise ConfigurationError("the start of a sale needs a time zone")
        if self.duration is not None and not timedelta(seconds=1) <= self.duration <= _LONGEST:
            raise ConfigurationError(f"a sale lasts from a second to {_LONGEST.days} days, not {self.duration}")
        if not timedelta(seconds=1) <= self.flash_every:
            raise ConfigurationError(f"there is a second at least between flash deals, not {self.flash_every}")
        if self.records is not None and self.records < 1:
            raise ConfigurationError(f"a sale has at least 1 record, not {self.records}")
        for name, least, value, most in (
            ("products", 10, self.products, 1_000_000),
            ("rooms", 1, self.rooms, 1_000),
            ("orders_per_second", 0.01, self.orders_per_second, 1_000_000),
            ("peak_factor", 1, self.peak_factor, 1_000),
            ("partitions", 1, self.partitions, 1_000),
        ):
            if not least <= value <= most:
                raise ConfigurationError(f"{name} of a sale is {least:,} to {most:,}, not {value:,}")

    @classmethod
    def demo(cls, start: datetime, *, seed: int = 1) -> Self:
        """Return the endless sale of `livefuse up`: real limits, dense incidents, a fuse opens after ten seconds."""
        return cls(
            seed=seed,
            start=start,
            duration=None,
            products=1_000,
            orders_per_second=20.0,
            peak_factor=6.0,
            flash_every=timedelta(seconds=45),
            programme="demo",
        )

    @property
    def show_ms(self) -> int:
        """How long a show is; the next one opens when it ends. Milliseconds."""
        return (20 if self.programme == "demo" else 120) * 60_000

    @property
    def start_ms(self) -> int:
        """The start, in milliseconds since 1970, a whole second."""
        return (self.start - _EPOCH) // timedelta(seconds=1) * 1000

    @property
    def end_ms(self) -> int | None:
        """The end by `duration`, which no record reaches; None when only `records` ends the sale, or nothing does."""
        return None if self.duration is None else self.start_ms + self.duration // timedelta(milliseconds=1)
