"""Where settings come from: environment variables and a TOML file. Each value keeps its origin, for errors to name it.

Both sources become the same thing: values by path. `LIVEFUSE_KAFKA__SASL_USERNAME` is the path `kafka.sasl_username`,
and so is `sasl_username` below `[kafka]`. A variable that is set to nothing counts as not set: compose files pass such
ones on.
"""

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from schemas.errors import ConfigurationError
from schemas.toml_lines import lines_of

PREFIX: Final = "LIVEFUSE_"
CONFIG_VARIABLE: Final = "LIVEFUSE_CONFIG"


class Given(NamedTuple):
    """A value and where it stands: `LIVEFUSE_PARTITIONS` or `livefuse.toml:3 (partitions)`.

    `within`: of a list of tables, where each of its parts stands, by the path inside: "0.url".
    """

    value: Any
    origin: str
    within: Mapping[str, str] = MappingProxyType({})

    def part(self, path: Sequence[str | int]) -> str:
        """Return where a part stands; for a part that is missing, where the table stands in which it is."""
        places = (".".join(map(str, path[:length])) for length in range(len(path), 0, -1))
        found = next((place for place in places if place in self.within), None)
        missing = path[len(found.split(".")) if found else 0 :]
        origin = self.within[found] if found else self.origin
        return ": ".join([origin, *map(str, missing)])


def variable(path: str) -> str:
    """Return the environment variable of a setting: `kafka.ssl_cafile` is `LIVEFUSE_KAFKA__SSL_CAFILE`."""
    return PREFIX + path.replace(".", "__").upper()


def from_environment(environment: Mapping[str, str]) -> dict[str, Given]:
    """Return what the variables with our prefix say, known or not."""
    return {
        name[len(PREFIX) :].lower().replace("__", "."): Given(value.strip(), name)
        for name, value in sorted(environment.items())
        if name.startswith(PREFIX) and name != CONFIG_VARIABLE and value.strip()
    }


def from_file(path: Path) -> dict[str, Given]:
    """Return what a TOML file says, known or not; ConfigurationError when it cannot be read or is not TOML."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        tree = tomllib.loads(text)
    except OSError as error:
        raise ConfigurationError(
            f"the settings file {path} cannot be read: {error.strerror or error}. "
            f"Name another one with --config or {CONFIG_VARIABLE}, or neither."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the settings file {path} is not TOML: {error}.") from error
    lines = {".".join(map(str, where)): line for where, line in lines_of(text).items()}
    return {
        key: Given(
            value,
            f"{path}:{lines[key]} ({key})" if key in lines else f"{path} ({key})",
            {
                each.removeprefix(f"{key}."): f"{path}:{line} ({each})"
                for each, line in lines.items()
                if each.startswith(f"{key}.")
            },
        )
        for key, value in _leaves(tree)
    }


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return what may have been meant, as the end of a sentence; "" when nothing is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _leaves(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        path = f"{above}{key}"
        if isinstance(value, dict):
            # A section without a setting says nothing.
            yield from _leaves(value, f"{path}.")
        else:
            yield path, value
