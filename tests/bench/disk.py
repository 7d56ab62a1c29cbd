"""What a broker's disk holds of a topic, and how much is appended to it, whatever compaction takes away again."""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class _Active(NamedTuple):
    """The segment of a partition that is appended to: its first offset, as its name has it, and its size."""

    name: str
    size: int


class Log:
    """One topic in the data directory of a broker. Sizes are bytes of its records, keys and Kafka's own included."""

    def __init__(self, data: Path, topic: str) -> None:
        self._data = data
        self._topic = topic
        self._active: dict[str, _Active] = {}
        self.appended()

    @property
    def size(self) -> int:
        """What the topic takes now."""
        return sum(size for partition in self._partitions() for size in _segments(partition).values())

    def appended(self) -> int:
        """Return what was appended since the last call.

        Only the last segment of a partition is appended to and compaction does not touch it; so what it has grown
        counts, and those that are newer than it was. Between two calls there should be no more than a segment.
        """
        total = 0
        for partition in self._partitions():
            sizes = _segments(partition)
            before = self._active.get(partition.name, _Active("", 0))
            total += max(0, sizes.get(before.name, before.size) - before.size)
            total += sum(size for name, size in sizes.items() if name > before.name)
            last = max(sizes)
            self._active[partition.name] = _Active(last, sizes[last])
        return total

    def _partitions(self) -> list[Path]:
        return [each for each in self._data.glob(f"{self._topic}-*") if each.name.rpartition("-")[0] == self._topic]


def _segments(partition: Path) -> dict[str, int]:
    """Return the segments by their names, with their sizes; compaction may just take one away."""
    sizes: dict[str, int] = {}
    for file in partition.glob("*.log"):
        with suppress(FileNotFoundError):
            sizes[file.name] = file.stat().st_size
    return sizes
