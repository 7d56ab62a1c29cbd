"""Run by either Python: apply what stands in a file, print all that comes out and all that is stored.

    transcript.py FILE        {"rules": ..., "sources": [...], "frames": [[signal, ...] | tick, ...]} in each line

It imports nothing from the tests, so the compiled modules can be the only ones in sight.
"""

import sys
from pathlib import Path
from typing import Any

import orjson

from schemas.rules import RuleSet
from streams.engine.partition import Partition


def main(file: Path) -> None:
    """Print the transcript of every line."""
    out = sys.stdout.buffer
    for line in file.read_bytes().splitlines():
        told = orjson.loads(line)
        rules = RuleSet.model_validate(told["rules"])
        stored: dict[str, bytes] = {}
        partition = Partition(0, rules)
        for number, frame in enumerate(told["frames"]):
            outputs = partition.tick(frame) if isinstance(frame, int) else partition.apply(told["sources"], frame)
            out.writelines(b"%s %s\n" % (output.topic.encode(), output.value) for output in outputs)
            if number % 3 == 0:
                changed = partition.take_dirty()
                stored.update(changed)
                lists: list[tuple[str, Any]] = [*changed, *partition.take_fuse_states()]
                out.writelines(b"%s %s\n" % (product_id.encode(), value or b"") for product_id, value in lists)
                out.write(b"%s\n%s\n" % (partition.watchlist() or b"", partition.snapshot()))
            if number % 12 == 0:
                partition = _restarted(partition, stored, rules)
        counts = partition.counts
        out.write(repr((counts.applied, counts.duplicates, counts.late, counts.repeated)).encode() + b"\n")


def _restarted(partition: Partition, stored: dict[str, bytes], rules: RuleSet) -> Partition:
    successor = Partition(0, rules, partition.counts)
    successor.restore(partition.snapshot())
    for product_id, state in stored.items():
        successor.load(product_id, state)
    successor.loaded()
    return successor


if __name__ == "__main__":
    main(Path(sys.argv[1]))
