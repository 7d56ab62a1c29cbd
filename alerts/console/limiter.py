"""How often one may try a password: so often per name and address, so often per address, in windows that slide.

A name alone is never locked: whoever knows it could keep an operator out in the middle of a show. Guessing from many
addresses is held up by how few passwords are looked at at once (`accounts`).
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Final, NamedTuple


class Limit(NamedTuple):
    """So many attempts within so many seconds."""

    attempts: int
    within_s: float


PER_NAME: Final = (Limit(5, 60), Limit(20, 900))
PER_ADDRESS: Final = (Limit(30, 60), Limit(100, 900))

_MOST_KEYS: Final = 20_000
_NETWORK_BITS: Final = 64


class Limiter:
    """Counts attempts when they begin, so that many at once are many. One that succeeds is taken back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._attempts: OrderedDict[tuple[str, ...], deque[float]] = OrderedDict()

    def begin(self, name: str, address: str) -> float | None:
        """Count an attempt and return None; or count nothing and return for how many seconds there may be none."""
        now = self._clock()
        waits = [self._wait(key, limits, now) for key, limits in _keys(name, address)]
        if (wait := max(waits)) > 0:
            return wait
        for key, limits in _keys(name, address):
            tried = self._attempts.setdefault(key, deque(maxlen=max(each.attempts for each in limits)))
            tried.append(now)
            self._attempts.move_to_end(key)
        while len(self._attempts) > _MOST_KEYS:
            self._attempts.popitem(last=False)
        return None

    def succeeded(self, name: str, address: str) -> None:
        """Forget the attempts of this name at this address, and the last one of the address."""
        for key, limits in _keys(name, address):
            if limits is PER_NAME:
                self._attempts.pop(key, None)
            elif tried := self._attempts.get(key):
                tried.pop()

    def _wait(self, key: tuple[str, ...], limits: tuple[Limit, ...], now: float) -> float:
        tried = self._attempts.get(key, ())
        wait = 0.0
        for limit in limits:
            if len(tried) >= limit.attempts:
                wait = max(wait, tried[-limit.attempts] + limit.within_s - now)
        return wait


def _keys(name: str, address: str) -> tuple[tuple[tuple[str, ...], tuple[Limit, ...]], ...]:
    network = _network(address)
    return ((network, name), PER_NAME), ((network,), PER_ADDRESS)


def _network(address: str) -> str:
    """Return what stands for one customer: of IPv6 the first half, of which everybody has a whole."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return f"{int(found) >> _NETWORK_BITS:x}/64"
    return address
