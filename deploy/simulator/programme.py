"""The programme: which incidents and traps a show has, and when."""

from collections.abc import Callable, Iterator
from itertools import count
from random import Random
from typing import Final, Literal, NamedTuple

from deploy.simulator import incidents, traps
from deploy.simulator.catalogue import Catalogue
from deploy.simulator.config import SaleConfig
from deploy.simulator.scene import Episode, Scene, Slot


class _Act(NamedTuple):
    """An episode in a show. Start and span are seconds from the opening.

    `needs` names the setting of the sale without which the act is left out.
    """

    start_s: int
    span_s: int
    category: str
    play: Callable[[Scene], Episode]
    needs: Literal["disorder", "repeats"] | None = None


_SHOW: Final = (
    _Act(60, 900, "apparel", traps.returns_after_show),
    _Act(120, 2880, "electronics", incidents.return_spike),
    _Act(300, 600, "food", incidents.flash_deal_oversold),
    _Act(540, 360, "home", traps.whale_order),
    _Act(600, 3000, "electronics", traps.fiftieth_complaint),
    _Act(720, 480, "food", incidents.critical_complaints),
    _Act(900, 2400, "home", incidents.complaint_surge),
    _Act(1200, 2640, "electronics", incidents.surge_completed_late, "disorder"),
    _Act(1500, 600, "food", traps.stock_feed_glitch, "disorder"),
    _Act(1800, 1200, "food", traps.five_critical),
    _Act(2100, 240, "home", traps.repeated_orders, "repeats"),
    _Act(2280, 1200, "beauty", traps.repeated_complaints, "repeats"),
    _Act(2700, 1800, "home", traps.repeated_returns, "repeats"),
    _Act(3000, 2400, "home", traps.few_sales),
    _Act(3600, 1500, "food", traps.late_complaints, "disorder"),
    _Act(4800, 60, "apparel", incidents.one_size_oversold),
)

_DEMO: Final = (
    _Act(3, 300, "food", incidents.flash_deal_oversold),
    _Act(5, 90, "electronics", incidents.return_spike),
    _Act(5, 120, "apparel", traps.returns_after_show),
    _Act(12, 9, "beauty", incidents.critical_complaints),
    _Act(22, 20, "home", incidents.complaint_surge),
    _Act(30, 60, "home", traps.whale_order),
    _Act(50, 20, "food", traps.five_critical),
    _Act(60, 60, "food", traps.stock_feed_glitch, "disorder"),
    _Act(90, 600, "electronics", traps.fiftieth_complaint),
    _Act(100, 60, "home", traps.repeated_orders, "repeats"),
    _Act(120, 60, "electronics", incidents.surge_completed_late, "disorder"),
    _Act(130, 60, "beauty", traps.repeated_complaints, "repeats"),
    _Act(150, 90, "home", traps.repeated_returns, "repeats"),
    _Act(200, 60, "apparel", incidents.one_size_oversold),
    _Act(240, 60, "food", traps.late_complaints, "disorder"),
    _Act(260, 60, "home", traps.few_sales),
    _Act(420, 60, "food", incidents.critical_complaints),
    _Act(540, 180, "home", incidents.return_spike),
    _Act(720, 240, "electronics", incidents.flash_deal_oversold),
    _Act(900, 120, "apparel", incidents.complaint_surge),
)

_ACTS: Final = {"show": _SHOW, "demo": _DEMO, "none": ()}


def shows(config: SaleConfig, catalogue: Catalogue) -> Iterator[tuple[int, tuple[Episode, ...]]]:
    """Yield for each show of the sale when it opens (ms) and its episodes; without end where the sale has none.

    What would reach past the end of the sale is left out.
    """
    for number in count():
        opens_ms = config.start_ms + number * config.show_ms
        if config.end_ms is not None and opens_ms >= config.end_ms:
            return
        yield opens_ms, tuple(_episodes(config, catalogue, number))


def _episodes(config: SaleConfig, catalogue: Catalogue, show: int) -> Iterator[Episode]:
    acts = _ACTS[config.programme]
    opens_ms = config.start_ms + show * config.show_ms
    for number, act in enumerate(acts, show * len(acts)):
        if (act.needs == "disorder" and not config.disorder) or (act.needs == "repeats" and not config.repeats):
            continue
        rng = Random(f"{config.seed}/{act.play.__name__}/{number}")  # noqa: S311 (as in the catalogue)
        start_ms, span_ms = (round(seconds * 1000 * _scale(config)) for seconds in (act.start_s, act.span_s))
        slot = Slot(opens_ms, opens_ms + start_ms, span_ms, config.end_ms)
        product = catalogue.newcomer(number, act.category, rng)
        episode = act.play(Scene(act.play.__name__.replace("_", "-"), product, slot, rng))
        if config.end_ms is None or episode.messages[-1].ts_ms < config.end_ms:
            yield episode


def _scale(config: SaleConfig) -> float:
    """Return by how much a show is shortened so that it fits into the sale."""
    if config.programme == "demo" or config.end_ms is None:
        return 1.0
    return min(1.0, (config.end_ms - config.start_ms) / config.show_ms)
