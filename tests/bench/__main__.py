"""`python -m tests.bench [part ...]`: measure on a real Kafka, which it starts itself. Without a part, all of them."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import orjson

from tests.bench import comparator, console, failover, latency, memory, paging, throughput
from tests.bench.calibration import Conditions
from tests.bench.report import Figure, Result, as_json, as_text, machine, tell
from tests.compiled import wheel
from tests.kafka.broker import KafkaBroker, KafkaUnavailableError

PARTS: Final = ("throughput", "plain", "faust", "latency", "paging", "console", "failover", "memory")

# The broker gets what it needs to be no bottleneck; its CPU time is not counted.
_JVM: Final = ("-Xmx1g", "-Xms1g", "-XX:+UseSerialGC")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for; 1 when a result is worthless."""
    options = _parser().parse_args(arguments)
    parts = PARTS if "all" in options.parts else [part for part in PARTS if part in options.parts]
    if options.compiled:
        parts = [each for part in parts for each in ((part, "compiled") if part == "throughput" else (part,))]
    on = machine()
    with tempfile.TemporaryDirectory(prefix="livefuse-bench-") as temporary:
        directory = options.keep or Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        tell("a Kafka broker starts")
        try:
            with KafkaBroker(directory / "kafka", jvm=_JVM) as broker:
                results = asyncio.run(_measure(broker.bootstrap, directory, parts, options))
        except KafkaUnavailableError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    document = orjson.dumps(as_json(on, results), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    if options.out:
        options.out.write_text(document)
    sys.stdout.write(document if options.json else as_text(results, on))
    return 1 if any(result.failed for result in results) else 0


async def _measure(bootstrap: str, directory: Path, parts: Sequence[str], options: argparse.Namespace) -> list[Result]:
    results = []
    for part in parts:
        tell(f"--- {part}")
        before = Conditions.now()
        if part == "throughput":
            result = await throughput.measure(bootstrap, directory, options.records, sale=options.sale)
        elif part == "compiled":
            python = wheel.install(wheel.built(), directory / "compiled")
            program = (*wheel.alone(python), "-m", "deploy.cli")
            result = await throughput.measure(bootstrap, directory, options.records, sale=options.sale, program=program)
            result = result._replace(benchmark="compiled")
        elif part == "plain":
            result = await comparator.measure(bootstrap, directory, comparator.PLAIN, options.records)
        elif part == "faust":
            result = await comparator.measure(bootstrap, directory, comparator.FAUST, options.faust_records)
        elif part == "latency":
            result = await latency.measure(bootstrap, directory, options.probes, realtime=options.realtime)
        elif part == "paging":
            result = await paging.measure(bootstrap, directory, options.surges)
        elif part == "console":
            result = await console.measure(bootstrap, directory, options.open_fuses, realtime=options.realtime)
        elif part == "failover":
            result = await failover.measure(bootstrap, directory, options.rounds, timedelta(seconds=options.session))
        else:
            result = await memory.measure(bootstrap, directory, options.products)
        result = result._replace(figures=result.figures + before.figures("before") + Conditions.now().figures("after"))
        tell(as_text([result]))
        results.append(result)
    return results + _ratios(results)


def _ratios(results: Sequence[Result]) -> list[Result]:
    """Return livefuse's records a CPU second in those of what else was measured in the same run."""
    found = {result.benchmark: result for result in results}
    ours = found.get("throughput")
    if ours is None:
        return []
    ratios = [
        Figure(f"{one} / {other}, {name}", ours.value(name) / found[other].value(name))
        for one, ours in (("livefuse", ours), ("compiled", found.get("compiled")))
        if ours is not None
        for other in ("faust", "plain", *(["throughput"] if one == "compiled" else []))
        if other in found
        for name in ("records per CPU second", "records per CPU second, start-up apart")
    ]
    return [Result("ratios", tuple(ratios))] if ratios else []


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure livefuse on a real Kafka.")
    parser.add_argument("parts", nargs="*", default="all", choices=(*PARTS, "all"), metavar="part",
                        help=f"any of {', '.join(PARTS)} [all]; ratios need throughput and plain or faust")  # fmt: skip
    parser.add_argument("--records", type=int, default=600_000, help="backlog of throughput and plain [600,000]")
    parser.add_argument("--sale", action="store_true", help="throughput with a sale of `livefuse simulate`")
    parser.add_argument("--compiled", action="store_true", help="throughput also with compiled modules (make wheel)")
    parser.add_argument("--probes", type=int, default=300, help="of latency [300]")
    parser.add_argument("--surges", type=int, default=50, help="products of paging [50]")
    parser.add_argument("--open-fuses", type=int, default=1_000, help="of console [1,000]")
    parser.add_argument("--rounds", type=int, default=3, help="of failover [3]")
    parser.add_argument("--session", type=float, default=10.0, metavar="SECONDS", help="timeout of failover [10]")
    parser.add_argument("--realtime", action="store_true", help="latency and console undisturbed by others (as root)")
    parser.add_argument("--products", type=int, default=1_000_000, help="of memory [1,000,000]")
    parser.add_argument("--faust-records", type=int, default=40_000, help="backlog of faust [40,000]")
    parser.add_argument("--json", action="store_true", help="write JSON to standard output")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write JSON to a file as well")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the logs of all processes here")
    return parser


if __name__ == "__main__":
    sys.exit(main())
