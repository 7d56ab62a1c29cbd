"""A Dockerfile read as its builder reads it, and done without one: every instruction, each stage in a root of its own.

    stages = read(Path("deploy/container/Dockerfile"))
    image = built(stages, context, base, directory)      # as root; image.root is what a container would see

`base` stands for the image of `FROM`. RUN is done by chroot, as an engine would: the same commands at the same places,
with this machine's network, certificates and proxy.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

_NETWORK: Final = re.compile(r"(?i).*_proxy|.*_CERTS?|SSL_CERT_\w+|.*_CA_BUNDLE")
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""As an engine has it where the image says nothing."""
_CERTIFICATES: Final = "/etc/ssl/certs/ca-certificates.crt"


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


@dataclass
class Image:
    """A root directory, and how something is run in it."""

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": _PATH})
    user: str = "0:0"
    directory: str = "/"
    entrypoint: list[str] = field(default_factory=list)

    def below(self, path: str) -> Path:
        """Return where a path of the image lies on this machine."""
        return self.root / path.lstrip("/")


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


def built(stages: Mapping[str, Stage], context: Path, base: Path, directory: Path) -> Image:
    """Build all stages; return the last. RuntimeError tells which command failed."""
    images: dict[str, Image] = {}
    for name, stage in stages.items():
        root = directory / (name or "image")
        copied(base, root)
        images[name] = Image(root)
        for step in stage.steps:
            _do(step, images[name], context, images)
    return images[""]


def pinned(lock: Path) -> set[str]:
    """Return what a lock names, as `name==version`."""
    lines = lock.read_text().splitlines()
    return {line.partition(" ")[0] for line in lines if "==" in line and line[0] not in " #"}


def copied(source: Path, target: Path) -> None:
    """Copy a directory with owners, links and devices as they are."""
    command = ["cp", "--archive", str(source), str(target)]
    subprocess.run(command, check=True)


def _do(step: Step, image: Image, context: Path, images: Mapping[str, Image]) -> None:
    match step.instruction:
        case "RUN":
            _run(step.arguments, image)
        case "COPY":
            _copy(step.arguments, image, context, images)
        case "WORKDIR":
            image.directory = step.arguments
            image.below(image.directory).mkdir(parents=True, exist_ok=True)
        case "ENV":
            image.environment |= dict(each.split("=", 1) for each in shlex.split(step.arguments))
        case "USER":
            image.user = step.arguments
        case "ENTRYPOINT":
            image.entrypoint = json.loads(step.arguments)
        case "LABEL" | "CMD":
            pass
        case _:
            raise AssertionError(step)


def _run(command: str, image: Image) -> None:
    given = {name: value for name, value in os.environ.items() if _NETWORK.fullmatch(name)}
    for path in ("/etc/resolv.conf", _CERTIFICATES):
        shutil.copyfile(path, image.below(path))
    inside = f"cd {image.directory} && {command}"
    root = str(image.root)
    unshared = ["unshare", "--mount", "--pid", "--fork", f"--mount-proc={root}/proc"]
    done = subprocess.run(
        [*unshared, "chroot", root, "/bin/sh", "-c", inside],
        env={**given, **image.environment, "HOME": "/root", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"RUN {command}: {done.stdout[-1000:]}{done.stderr[-3000:]}")


def _copy(arguments: str, image: Image, context: Path, images: Mapping[str, Image]) -> None:
    words = shlex.split(arguments)
    options = dict(word.removeprefix("--").split("=", 1) for word in words if word.startswith("--"))
    *sources, target = (word for word in words if not word.startswith("--"))
    place = image.below(target if target.startswith("/") else f"{image.directory}/{target}")
    if "from" in options:
        (source,) = sources
        place.parent.mkdir(parents=True, exist_ok=True)
        copied(images[options["from"]].below(source), place)
    else:
        taken, ignored = _given(context)
        for name in taken if sources == ["."] else sources:
            assert name in taken, f"{name} is not in .dockerignore"
            if (context / name).is_dir():
                shutil.copytree(context / name, place / name, ignore=shutil.ignore_patterns(*ignored))
            else:
                shutil.copy(context / name, place)
    if "chown" in options:
        command = ["chown", "--recursive", options["chown"], str(place)]
        subprocess.run(command, check=True)


def _given(context: Path) -> tuple[list[str], list[str]]:
    """Return what .dockerignore lets through, and the names that it keeps back below that."""
    lines = [line for line in (context / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    rest = lines[1:]
    assert all(line.startswith(("!", "**/")) for line in rest)
    return [line[1:] for line in rest if line[0] == "!"], [line[3:] for line in rest if line[0] == "*"]


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
