"""`python -m tests.bench [part ...]`: measure on a real Kafka, which it starts itself. Without a part, all of them."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import orjson

from tests.bench import (
    comparator,
    console,
    failover,
    latency,
    memory,
    page,
    paging,
    products,
    soak,
    throughput,
    workers,
)
from tests.bench.calibration import Conditions
from tests.bench.compare import comparing
from tests.bench.compare.table import table
from tests.bench.report import Figure, Result, as_json, as_text, machine, tell
from tests.compiled import wheel
from tests.kafka.broker import KafkaBroker, KafkaUnavailableError
from tests.kafka.cluster import LIVEFUSE

PARTS: Final = ("throughput", "plain", "faust", "latency", "paging", "console", "page", "failover", "memory")

# What takes long, or says something only where nobody else is at work, runs when it is named.
ALONE: Final = ("workers", "products", "soak", "compare")

# The broker gets what it needs to be no bottleneck; its CPU time is not counted.
_JVM: Final = ("-Xmx1g", "-Xms1g", "-XX:+UseSerialGC")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for; 1 when a result is worthless."""
    options = _parser().parse_args(arguments)
    parts = PARTS if "all" in options.parts else [part for part in (*PARTS, *ALONE) if part in options.parts]
    if options.compiled:
        parts = [each for part in parts for each in ((part, "compiled") if part == "throughput" else (part,))]
    on = machine()
    with tempfile.TemporaryDirectory(prefix="livefuse-bench-") as temporary:
        directory = options.keep or Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        tell("a Kafka broker starts")
        try:
            with KafkaBroker(directory / "kafka", jvm=_JVM) as broker:
                results = asyncio.run(_measure(broker, directory, parts, options))
        except KafkaUnavailableError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    document = orjson.dumps(as_json(on, results), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    if options.out:
        options.out.write_text(document)
    sys.stdout.write(document if options.json else as_text(results, on) + table(results))
    return 1 if any(result.failed for result in results) else 0


async def _measure(
    broker: KafkaBroker, directory: Path, parts: Sequence[str], options: argparse.Namespace
) -> list[Result]:
    results = []
    measures = _measures(broker, directory, options)
    for part in parts:
        tell(f"--- {part}")
        if part == "compare":
            # It has a result for each program.
            extent = comparing.Extent(options.records, options.faust_records, options.compare_probes)
            results += await comparing.compare(
                broker.bootstrap, directory, options.of, extent, _programs(directory, options)
            )
            continue
        before = Conditions.now()
        result = await measures[part]()
        result = result._replace(figures=result.figures + before.figures("before") + Conditions.now().figures("after"))
        tell(as_text([result]))
        results.append(result)
    return results + _ratios(results)


def _measures(
    broker: KafkaBroker, directory: Path, options: argparse.Namespace
) -> Mapping[str, Callable[[], Awaitable[Result]]]:
    """Return how each part is measured."""
    bootstrap, records, realtime = broker.bootstrap, options.records, options.realtime
    program = _compiled(directory) if options.compiled else LIVEFUSE

    async def compiled() -> Result:
        found = await throughput.measure(bootstrap, directory, records, sale=options.sale, program=program)
        return found._replace(benchmark="compiled")

    return {
        "throughput": lambda: throughput.measure(bootstrap, directory, records, sale=options.sale),
        "compiled": compiled,
        "plain": lambda: comparator.measure(bootstrap, directory, comparator.PLAIN, records),
        "faust": lambda: comparator.measure(bootstrap, directory, comparator.FAUST, options.faust_records),
        "latency": lambda: latency.measure(bootstrap, directory, options.probes, program, realtime=realtime),
        "paging": lambda: paging.measure(bootstrap, directory, options.surges),
        "console": lambda: console.measure(bootstrap, directory, options.open_fuses, realtime=realtime),
        "page": lambda: page.measure(bootstrap, directory),
        "failover": lambda: failover.measure(bootstrap, directory, options.rounds, timedelta(seconds=options.session)),
        "memory": lambda: memory.measure(bootstrap, directory, options.products),
        "workers": lambda: workers.measure(bootstrap, directory, records, program),
        "products": lambda: products.measure(bootstrap, directory, program),
        "soak": lambda: soak.measure(broker, directory, options.rate, options.minutes, options.soak_products, program),
    }


def _programs(directory: Path, options: argparse.Namespace) -> Mapping[str, Sequence[str]]:
    return {"livefuse": LIVEFUSE} | ({"livefuse compiled": _compiled(directory)} if options.compiled else {})


def _compiled(directory: Path) -> tuple[str, ...]:
    """Return the command line of a livefuse with compiled modules."""
    python = wheel.install(wheel.built(), directory / "compiled")
    return (*wheel.alone(python), "-m", "deploy.cli")


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
    parser.add_argument("parts", nargs="*", default="all", choices=(*PARTS, *ALONE, "all"), metavar="part",
                        help=f"any of {', '.join((*PARTS, *ALONE))} [all but {', '.join(ALONE)}]; ratios need "
                        "throughput and plain or faust")  # fmt: skip
    parser.add_argument("--records", type=int, default=600_000, help="backlog of throughput, plain, compare [600,000]")
    parser.add_argument("--sale", action="store_true", help="throughput with a sale of `livefuse simulate`")
    parser.add_argument(
        "--compiled",
        action="store_true",
        help="throughput and compare also with compiled modules (make wheel); latency, workers, products, soak only so",
    )
    parser.add_argument("--probes", type=int, default=300, help="of latency [300]")
    parser.add_argument("--surges", type=int, default=50, help="products of paging [50]")
    parser.add_argument("--open-fuses", type=int, default=1_000, help="of console [1,000]")
    parser.add_argument("--rounds", type=int, default=3, help="of failover [3]")
    parser.add_argument("--session", type=float, default=10.0, metavar="SECONDS", help="timeout of failover [10]")
    parser.add_argument("--realtime", action="store_true", help="latency and console undisturbed by others (as root)")
    parser.add_argument("--products", type=int, default=1_000_000, help="of memory [1,000,000]")
    parser.add_argument("--faust-records", type=int, default=40_000, help="backlog of faust, also in compare [40,000]")
    parser.add_argument("--rate", type=float, default=1_500.0, help="orders a second of soak [1,500]")
    parser.add_argument("--minutes", type=float, default=30.0, help="of soak [30]")
    parser.add_argument("--soak-products", type=int, default=2_000, help="that are sold in soak [2,000]")
    parser.add_argument("--of", type=_chosen, default=comparing.NAMES, metavar="NAME,...",
                        help=f"what compare measures: any of {', '.join(comparing.NAMES)} [all]")  # fmt: skip
    parser.add_argument("--compare-probes", type=int, default=200, help="probes of compare [200]")
    parser.add_argument("--json", action="store_true", help="write JSON to standard output")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write JSON to a file as well")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the logs of all processes here")
    return parser


def _chosen(text: str) -> list[str]:
    names = text.split(",")
    unknown = set(names) - set(comparing.NAMES)
    if unknown:
        raise argparse.ArgumentTypeError(f"not known: {', '.join(sorted(unknown))}")
    return names


if __name__ == "__main__":
    sys.exit(main())
