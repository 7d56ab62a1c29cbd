"""The rules file (TOML; contract, section 8): reading it with every error and its line, and writing it."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Final

from pydantic import ValidationError

from schemas.durations import render_duration
from schemas.errors import FileProblem, RulesFileError
from schemas.limits import LIMITS
from schemas.rules import MOST_RULES, Rule
from schemas.scopes import SCOPES
from schemas.toml_lines import Path, lines_of
from schemas.wording import in_words

# The keys of a table are the same in the singular.
_CANONICAL: Final = {**SCOPES, "override": "overrides"}
_RULE_KEYS: Final = {*Rule.model_fields, "override"} - {"limits", "overrides"}
_SCOPE_KEYS: Final = {*SCOPES, *SCOPES.values()}


def read_rules(text: str | bytes, source: str = "rules file") -> tuple[Rule, ...]:
    """Return the rules of a file; RulesFileError lists all that is wrong with it, in the order of the lines."""
    decoded = _decode(text, source)
    data, lines = _load(decoded, source)
    reading = _Reading(lines)
    rules = reading.rules(data)
    if reading.problems:
        raise RulesFileError(sorted(reading.problems, key=lambda problem: problem.line or 0), source)
    return rules


def _decode(text: str | bytes, source: str) -> str:
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise RulesFileError([FileProblem(line, "is not UTF-8")], source) from None


def _load(text: str, source: str) -> tuple[dict[str, Any], dict[Path, int]]:
    try:
        return tomllib.loads(text, parse_float=Decimal), _canonical_lines(text)
    except tomllib.TOMLDecodeError as error:
        found = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", str(error), re.DOTALL)
        line = int(found[2]) if found and found[2] else text.rstrip("\n").count("\n") + 1
        problem = FileProblem(line, f"is not TOML: {found[1] if found else error}")
    except (ValueError, RecursionError):
        problem = FileProblem(None, "is not TOML that can be read: a number is too long, or brackets are too deep")
    raise RulesFileError([problem], source) from None


def _canonical_lines(text: str) -> dict[Path, int]:
    lines: dict[Path, int] = {}
    for path, line in lines_of(text).items():
        lines.setdefault(_canonical(path), line)
    return lines


def _canonical(path: Path) -> Path:
    return tuple(_CANONICAL.get(step, step) if isinstance(step, str) else step for step in path)


@dataclass(slots=True)
class _Reading:
    """Reads the rules of one file, and gathers what is wrong with them."""

    lines: Mapping[Path, int]
    problems: list[FileProblem] = field(default_factory=list)

    def rules(self, data: Mapping[str, Any]) -> tuple[Rule, ...]:
        for key in data:
            if key != "rule":
                self._add((key,), f"{_quoted(key)} is not known here: a rules file holds [[rule]] tables")
        tables = data.get("rule")
        if tables is None:
            self._add((), 'the file has no [[rule]]; to switch a rule off, write mode = "off"')
            return ()
        if not isinstance(tables, list):
            self._add(("rule",), "a rule is one of a list of tables: write [[rule]]")
            return ()
        if len(tables) > MOST_RULES:
            self._add(("rule", MOST_RULES), f"a rules file has at most {MOST_RULES} rules")
        rules = [rule for index, table in enumerate(tables) if (rule := self._rule(index, table)) is not None]
        self._check_ids(tables)
        return tuple(rules)

    def _rule(self, index: int, table: object) -> Rule | None:
        try:
            return Rule.model_validate(table)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
        places = {each["loc"] for each in details}
        for each in details:
            # A list with a wrong item is also reported as too short by that item.
            if each["type"] == "too_short" and any(place[:-1] == each["loc"] for place in places if place):
                continue
            location = tuple(step for step in each["loc"] if step != "limits")
            words = _unknown(location, table) if each["type"] == "extra_forbidden" else _said(location, in_words(each))
            self._add(("rule", index, *location), f"{_name(table, index)}: {words}")
        return None

    def _check_ids(self, tables: list[Any]) -> None:
        first: dict[str, int] = {}
        for index, table in enumerate(tables):
            rule_id = table.get("id") if isinstance(table, dict) else None
            if isinstance(rule_id, str) and first.setdefault(rule_id, index) != index:
                line = self._line(("rule", first[rule_id], "id"))
                self._add(("rule", index, "id"), f"rule {_quoted(rule_id)}: the rule on line {line} has the same id")

    def _add(self, path: Path, message: str) -> None:
        self.problems.append(FileProblem(self._line(path), message))

    def _line(self, path: Path) -> int | None:
        """Return the line of the nearest thing around a path that stands in the file."""
        path = _canonical(path)
        return next((self.lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in self.lines), None)


def _name(table: object, index: int) -> str:
    rule_id = table.get("id") if isinstance(table, dict) else None
    return f"rule {_quoted(rule_id)}" if isinstance(rule_id, str) else f"rule {index + 1}"


def _quoted(text: str) -> str:
    """Return what somebody wrote, on one line and without what could steer a terminal."""
    return f'"{"".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)}"'


def _said(location: Path, words: str) -> str:
    if not location:
        return words.replace("an object", "a table")
    *above, last = location
    name = f"{above[-1]}[{last}]" if isinstance(last, int) and above else str(last)
    return f"{name.replace('overrides', 'override')} {words.replace('an object', 'a table')}"


def _unknown(location: Path, table: object) -> str:
    """Say that a key is not known, and what may have been meant."""
    key = str(location[-1])
    kind = str(table.get("kind")) if isinstance(table, dict) else ""
    limits = set(LIMITS[kind].model_fields) if kind in LIMITS else set()
    where = location[0] if len(location) > 1 else None
    if where == "match":
        known = _SCOPE_KEYS
    elif where == "overrides":
        known = _SCOPE_KEYS | limits
        if key in _RULE_KEYS:
            return f"{_quoted(key)} is no limit: an override cannot change it"
    else:
        known = _RULE_KEYS | limits
    owners = [other for other, model in LIMITS.items() if key in model.model_fields]
    if where != "match" and owners and kind in LIMITS:
        return f"{_quoted(key)} is a limit of {' and '.join(owners)}, not of {kind}"
    close = get_close_matches(key, sorted(known), n=1)
    return f"{_quoted(key)} is not known here" + (f', did you mean "{close[0]}"?' if close else "")


def render_rules(rules: Iterable[Rule]) -> str:
    """Write rules as a rules file, which reads back as the same rules."""
    return "\n".join(_render_rule(rule) for rule in rules)


def _render_rule(rule: Rule) -> str:
    data = rule.model_dump()
    match, overrides = data.pop("match"), data.pop("override")
    lines = ["[[rule]]", *_render_pairs(data, "")]
    scopes = {name: values for name, values in match.items() if values}
    if scopes:
        lines += ["", "  [rule.match]", *_render_pairs(scopes, "  ")]
    for override in overrides:
        lines += ["", "  [[rule.override]]", *_render_pairs(override, "  ")]
    return "\n".join(lines) + "\n"


def _render_pairs(table: Mapping[str, object], indent: str) -> list[str]:
    return [f"{indent}{key} = {_render(value)}" for key, value in table.items() if value is not None]


def _render(value: object) -> str:
    if isinstance(value, timedelta):
        return f'"{render_duration(value)}"'
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_render(each) for each in value)}]"
    # A string of JSON is one of TOML too, as ids hold no control characters.
    return json.dumps(value, ensure_ascii=False)
