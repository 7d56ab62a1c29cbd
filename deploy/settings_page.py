"""`python -m deploy.settings_page` writes docs/settings.md: every setting, from the models themselves."""

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin
from zoneinfo import ZoneInfo

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from alerts.pager.route import QuietHours
from deploy.pager_settings import ChannelSettings
from deploy.settings import Settings
from deploy.sources import CONFIG_VARIABLE, variable
from schemas.durations import Between, render_duration
from schemas.topics import TopicNames

PAGE: Final = Path(__file__).parents[1] / "docs" / "settings.md"

_TOPICS: Final = {
    "orders": "The shop's orders.",
    "returns": "The shop's returns.",
    "complaints": "The shop's complaints.",
    "stock_levels": "The shop's stock levels.",
    "prefix": "What the names of livefuse's own topics begin with. Two deployments on one Kafka need two.",
    "dead_letter_prefix": "What stands in front of an input topic's name for the records that cannot be used.",
}

_HEAD: Final = f"""\
# Settings

*Written by `make generate` from the models of `deploy/*settings.py`.*

A setting is an environment variable or a key of a TOML file, which `--config FILE` or `{CONFIG_VARIABLE}` names. Both
may be used; the variable wins. A variable that is set to nothing counts as not set. Unknown names are errors, and a
wrong setting stops the start: all that is wrong is told at once, each with its variable, or its line in the file.

    export LIVEFUSE_BOOTSTRAP_SERVERS=kafka-1:9092,kafka-2:9092    bootstrap_servers = ["kafka-1:9092", "kafka-2:9092"]
    export LIVEFUSE_WORKER__FLUSH_INTERVAL=500ms                   [worker]
                                                                   flush_interval = "500ms"

Durations are a whole number with a unit: `500ms`, `90s`, `15m`, `24h`, `7d`. `livefuse doctor` checks what is set.
"""


def page() -> str:
    """Return the text of the page."""
    listed = [line for name, model in [("", Settings), *_sections(Settings)] for line in _section(name, model)]
    return "\n".join([_HEAD, *listed, *_channel()])


def _sections(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, type]]:
    """Yield the sections of a model, and those inside them."""
    for name, each in model.model_fields.items():
        if each.annotation is TopicNames:
            yield f"{above}{name}", TopicNames
        elif isinstance(each.annotation, type) and issubclass(each.annotation, BaseModel):
            yield f"{above}{name}", each.annotation
            yield from _sections(each.annotation, f"{above}{name}.")


def write() -> bool:
    """Bring the page up to date; tell whether it changed."""
    text = page()
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return False
    PAGE.write_text(text, encoding="utf-8")
    return True


def _section(name: str, model: type) -> Iterator[str]:
    yield f"## `[{name}]`" if name else "## At the top"
    yield ""
    yield "| variable | TOML key | type | default | meaning |"
    yield "|---|---|---|---|---|"
    for field, kind, default, meaning in _topics() if model is TopicNames else _fields(model):
        path = f"{name}.{field}" if name else field
        yield f"| `{variable(path)}` | `{field}` | {kind} | {f'`{default}`' if default else 'none'} | {meaning} |"
    yield ""


def _channel() -> Iterator[str]:
    """Describe a channel of the pager: a table of the file, of which there may be many."""
    yield "## `[[pager.channel]]`"
    yield ""
    yield "One for each channel, in the file only. `min_severity`, `rooms` and `rules` must all hold."
    yield ""
    yield "| TOML key | type | default | meaning |"
    yield "|---|---|---|---|"
    for field, kind, default, meaning in _fields(ChannelSettings):
        yield f"| `{field}` | {kind} | {f'`{default}`' if default else 'none'} | {meaning} |"
    yield ""


def _topics() -> Iterator[tuple[str, str, str, str]]:
    for each in fields(TopicNames):
        yield each.name, "text", str(each.default), _TOPICS[each.name]


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, str, str, str]]:
    meanings = _meanings(model)
    for name, each in model.model_fields.items():
        if name in meanings:
            yield name, _kind(each), _default(each.default), meanings[name]


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """Return what stands under each field. Pydantic could read that too, but in every process, at its start."""
    found = ast.parse(inspect.getsource(model)).body[0]
    meanings = {}
    for field, text in pairwise(found.body if isinstance(found, ast.ClassDef) else ()):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(meaning))):
                meanings[name] = inspect.cleandoc(meaning)
    return meanings


def _kind(field: FieldInfo) -> str:
    """Say what may be written."""
    optional = [each for each in get_args(field.annotation) if each is not type(None)]
    # `Annotated[int, ...] | None` keeps its bounds inside; without the None they are the field's own.
    annotation = optional[0] if type(None) in get_args(field.annotation) else field.annotation
    more = getattr(annotation, "__metadata__", ())
    bounds = [*field.metadata, *more]
    plain: Any = get_args(annotation)[0] if more else annotation
    if get_origin(plain) is Literal:
        return ", ".join(f"`{each}`" for each in get_args(plain))
    if plain is timedelta:
        return f"duration {next(each for each in bounds if isinstance(each, Between))}"
    if plain is int:
        found = {name: getattr(each, name) for each in _flat(bounds) for name in ("ge", "le") if hasattr(each, name)}
        return f"number from {found['ge']:,}" + (f" to {found['le']:,}" if "le" in found else "")
    names = {
        bool: "true or false",
        SecretStr: "secret text",
        Path: "path",
        str: "text",
        ZoneInfo: "name of a time zone",
        QuietHours: "times and a place",
    }
    if get_origin(plain) is tuple:
        return "list of text" if get_args(plain)[0] is str else "list of addresses"
    lists = {frozenset: "list of text", Mapping: "list of name=role"}
    return lists.get(get_origin(plain), "") or names[plain]


def _flat(bounds: list[Any]) -> Iterator[Any]:
    for each in bounds:
        yield from each.metadata if isinstance(each, FieldInfo) else (each,)


def _default(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return render_duration(value)
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None or value is PydanticUndefined or value in (frozenset(), {}) else str(value)


if __name__ == "__main__":
    if write():
        sys.stdout.write(f"written: {PAGE.name}\n")
