"""What livefuse is compared with, installed below .cache/compare on the first use and never part of its own lock.

python()          the environment of requirements.lock, for Bytewax and Quix Streams
kafka_streams()   the class path of the Java application, with the jars that Maven fetched
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.bench.report import tell
from tests.kafka.cluster import PROJECT

HERE: Final = Path(__file__).parent
_CACHE: Final = PROJECT / ".cache" / "compare"
_LOCK: Final = HERE / "requirements.lock"
_POM: Final = HERE / "kafka-streams" / "pom.xml"
SOURCES: Final = HERE / "kafka-streams" / "src"


def python() -> Path:
    """Return the Python that has Bytewax and Quix Streams."""
    directory = _CACHE / "python"
    program = directory / "bin" / "python"
    with _made(directory, [_LOCK]) as missing:
        if missing:
            tell("Bytewax and Quix Streams are installed")
            venv.create(directory, with_pip=False)
            pip = [sys.executable, "-m", "pip", "--python", str(program), "--quiet", "--disable-pip-version-check"]
            _run([*pip, "install", "--require-hashes", "--requirement", str(_LOCK)])
    return program


def kafka_streams() -> str:
    """Return the class path of the application. RuntimeError when there is no Maven or no Java compiler."""
    directory = _CACHE / "kafka-streams"
    sources = sorted(SOURCES.rglob("*.java"))
    with _made(directory, [_POM, *sources]) as missing:
        if missing:
            tell("Kafka Streams is fetched and its application compiled")
            jars, classes = directory / "jars", directory / "classes"
            copy = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={jars}")
            _run([_program("mvn"), "--quiet", "--batch-mode", "--file", str(_POM), *copy])
            _run([_program("javac"), "-d", str(classes), "-cp", f"{jars}/*", *map(str, sources)])
    return f"{directory}/classes{os.pathsep}{directory}/jars/*"


def version_of(package: str) -> str:
    """Return the version of a Python package that the lock names."""
    found = re.search(rf"^{package}==(\S+)", _LOCK.read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{_LOCK} names no {package}")
    return found[1]


@contextmanager
def _made(directory: Path, sources: list[Path]) -> Iterator[bool]:
    """Say whether the directory has to be made of the sources; afterwards it is stamped with them."""
    stamp = directory / ".made-of"
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    missing = not stamp.exists() or stamp.read_text() != digest
    if missing:
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
    yield missing
    stamp.write_text(digest)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is missing (Debian: default-jdk-headless maven)")
    return found


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-4000:]}")
