"""A Dockerfile read as its builder reads it, and done without one: the same commands, below a directory of one's own.

    stages = read(Path("deploy/container/Dockerfile"))
    run(stages["build"], context, root)      # /opt/livefuse is root/opt/livefuse, and so on

What needs a machine of its own (`apt-get`) is left out: what it installs has to be there.
"""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

PLACES: Final = ("/opt/livefuse", "/opt/tools", "/wheels", "/src", "/var/lib/livefuse")
"""The directories of the image that are ours."""


class Step(NamedTuple):
    """An instruction and what follows it."""

    instruction: str
    arguments: str


class Stage(NamedTuple):
    """What it begins with, its name ("" for the last), and its steps."""

    base: str
    name: str
    steps: list[Step]

    def of(self, instruction: str) -> list[str]:
        """Return the arguments of all steps with this instruction."""
        return [step.arguments for step in self.steps if step.instruction == instruction]


def read(path: Path) -> dict[str, Stage]:
    """Return the stages by name."""
    stages: list[Stage] = []
    for line in _joined(path.read_text().splitlines()):
        instruction, _, arguments = line.partition(" ")
        if instruction == "FROM":
            base, _, name = arguments.partition(" AS ")
            stages.append(Stage(base, name, []))
        elif stages:
            stages[-1].steps.append(Step(instruction, arguments.strip()))
    return {stage.name: stage for stage in stages}


def run(stage: Stage, context: Path, root: Path, python: str, environment: Mapping[str, str]) -> None:
    """Do the steps of a stage below `root`. `python` stands for the image's own. RuntimeError tells which failed."""
    for place in PLACES:
        (root / place[1:]).mkdir(parents=True, exist_ok=True)
    where = root
    for instruction, arguments in stage.steps:
        if instruction == "WORKDIR":
            where = Path(_moved(arguments, root))
        elif instruction == "COPY":
            *sources, target = shlex.split(arguments)
            _copy(context, sources, where / target)
        elif instruction == "RUN" and not arguments.startswith("apt-get"):
            command = _moved(arguments, root).replace("python3.11 ", f"{python} ", 1)
            done = subprocess.run(
                ["/bin/sh", "-c", command],
                cwd=where,
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise RuntimeError(f"RUN {arguments}: {done.stdout[-1000:]}{done.stderr[-3000:]}")


def _copy(context: Path, sources: Iterable[str], target: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "node_modules", ".*", "tests", "docs", "dist")
    for source in sources:
        if source == ".":
            shutil.copytree(context, target, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy(context / source, target)


def _moved(text: str, root: Path) -> str:
    for place in PLACES:
        text = text.replace(place, str(root / place[1:]))
    return text


def _joined(lines: Iterable[str]) -> Iterable[str]:
    """Yield instructions, each in one line and without comments."""
    whole = ""
    for line in lines:
        if line.lstrip().startswith("#") or not (line.strip() or whole):
            continue
        whole += line.rstrip().removesuffix("\\").strip() + " "
        if not line.rstrip().endswith("\\"):
            yield whole.strip()
            whole = ""
