"""Who is compared: versions, guarantees, what runs them, and the code that somebody has to write for the job."""

import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

from tests.bench.compare import installed
from tests.bench.compare.job import COMMIT_S
from tests.kafka.cluster import PROJECT

_RULES: Final = (installed.HERE / "rules.py", installed.HERE / "job.py")
# A container's share. Without it Java would take a quarter of the machine before it collects anything.
_JVM: Final = ("-Xmx512m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")


class Contender(NamedTuple):
    """A program for the job: `prepare` and `run` are its command lines for a directory of its own.

    `topics` are those that it does not create itself; `slow` says that it gets a smaller backlog.
    """

    name: str
    version: str
    guarantee: str
    files: tuple[Path, ...]
    run: Callable[[Path], list[str]]
    prepare: Callable[[Path], list[str]] | None = None
    topics: tuple[str, ...] = ()
    slow: bool = False


def contenders() -> dict[str, Callable[[], Contender]]:
    """Return by a short name how to install and describe each."""
    return {
        "kafka-streams": lambda: _kafka_streams("at_least_once"),
        "kafka-streams-eos": lambda: _kafka_streams("exactly_once_v2"),
        "quix": _quix,
        "bytewax": _bytewax,
        "faust": _faust,
    }


def code_of_livefuse() -> tuple[Path, ...]:
    """Return what of livefuse does the job: its detection and its contract."""
    return tuple(sorted(file for package in ("schemas", "streams") for file in (PROJECT / package).rglob("*.py")))


def _kafka_streams(guarantee: str) -> Contender:
    classes = installed.kafka_streams()
    return Contender(
        "Kafka Streams" if guarantee == "at_least_once" else "Kafka Streams, exactly once",
        "4.1.0",
        guarantee,
        tuple(sorted(installed.SOURCES.rglob("*.java"))),
        lambda _: ["java", *_JVM, "-cp", classes, "compare.Main", guarantee],
    )


def _quix() -> Contender:
    python = str(installed.python())
    return Contender(
        "Quix Streams",
        installed.version_of("quixstreams"),
        "at_least_once",
        (installed.HERE / "quix_app.py", *_RULES),
        lambda _: [python, "-m", "tests.bench.compare.quix_app"],
    )


def _bytewax() -> Contender:
    python = str(installed.python())
    options = ("-s", str(int(COMMIT_S)), "-b", "0", "-w", "1")
    return Contender(
        "Bytewax",
        installed.version_of("bytewax"),
        "at_least_once",
        (installed.HERE / "bytewax_app.py", *_RULES),
        lambda data: [python, "-m", "bytewax.run", "tests.bench.compare.bytewax_app:flow", "-r", str(data), *options],
        prepare=lambda data: [python, "-m", "bytewax.recovery", str(data), "1"],
    )


def _faust() -> Contender:
    return Contender(
        "Faust",
        version("faust-streaming"),
        "at_least_once",
        (installed.HERE / "faust_app.py", *_RULES),
        lambda _: [sys.executable, "-m", "tests.bench.compare.faust_app", "worker", "--loglevel", "warn"],
        # Faust creates them itself, but does not wait until it knows how many partitions they have.
        topics=("-facts", "-states-changelog"),
        slow=True,
    )
