"""`python -m tests.bench [throughput|latency|memory|faust|all]`: measure on a real Kafka, which it starts itself."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import orjson

from tests.bench import faust_ratio, latency, memory, throughput
from tests.bench.report import Figure, Result, as_json, as_text, machine, tell
from tests.kafka.broker import KafkaBroker, KafkaUnavailableError

BENCHMARKS: Final = ("throughput", "latency", "memory", "faust")

# The broker gets what it needs to be no bottleneck; its CPU time is not counted.
_JVM: Final = ("-Xmx1g", "-Xms1g", "-XX:+UseSerialGC")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for; 1 when a result is worthless."""
    options = _parser().parse_args(arguments)
    wanted = BENCHMARKS if options.benchmark == "all" else (options.benchmark,)
    on = machine()
    with tempfile.TemporaryDirectory(prefix="livefuse-bench-") as temporary:
        directory = options.keep or Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        tell("a Kafka broker starts")
        try:
            with KafkaBroker(directory / "kafka", jvm=_JVM) as broker:
                results = asyncio.run(_measure(broker.bootstrap, directory, wanted, options))
        except KafkaUnavailableError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    document = orjson.dumps(as_json(on, results), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    if options.out:
        options.out.write_text(document)
    sys.stdout.write(document if options.json else as_text(on, results))
    return 1 if any(result.failed for result in results) else 0


async def _measure(bootstrap: str, directory: Path, wanted: Sequence[str], options: argparse.Namespace) -> list[Result]:
    results = []
    for name in wanted:
        tell(f"--- {name}")
        if name == "throughput":
            results.append(await throughput.measure(bootstrap, directory, options.records, sale=options.sale))
        elif name == "latency":
            results.append(await latency.measure(bootstrap, directory, options.probes))
        elif name == "memory":
            results.append(await memory.measure(bootstrap, directory, options.products))
        else:
            results.append(await faust_ratio.measure(bootstrap, directory, options.faust_records))
    return results + _ratios(results)


def _ratios(results: Sequence[Result]) -> list[Result]:
    """Return how many times more records a CPU second we do than Faust, where both were measured."""
    found = {result.benchmark: result for result in results}
    if not {"throughput", "faust"} <= found.keys():
        return []
    names = ("records per CPU second", "records per CPU second, start-up apart")
    ratios = [Figure(name, found["throughput"].value(name) / found["faust"].value(name), "times") for name in names]
    return [Result("livefuse against Faust", tuple(ratios))]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure livefuse on a real Kafka.")
    parser.add_argument("benchmark", nargs="?", default="all", choices=(*BENCHMARKS, "all"))
    parser.add_argument("--records", type=int, default=600_000, help="backlog of throughput [600,000]")
    parser.add_argument("--sale", action="store_true", help="throughput with a sale of `livefuse simulate`")
    parser.add_argument("--probes", type=int, default=300, help="of latency [300]")
    parser.add_argument("--products", type=int, default=1_000_000, help="of memory [1,000,000]")
    parser.add_argument("--faust-records", type=int, default=30_000, help="backlog of faust [30,000]")
    parser.add_argument("--json", action="store_true", help="write JSON to standard output")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write JSON to a file as well")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the logs of all processes here")
    return parser


if __name__ == "__main__":
    sys.exit(main())
