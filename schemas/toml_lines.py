"""On which line each key of a TOML text stands; tomllib does not tell.

The text has been read by tomllib before, so it is known to be TOML: this scanner finds its way through keys, strings
and brackets, and checks nothing.
"""

import re
import tomllib
from typing import Any, Final

Path = tuple[str | int, ...]

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_HEADER: Final = re.compile(r"\[\[?")
_KEY: Final = re.compile(r"""(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^"'=\]]+)*""")
_SCALAR: Final = re.compile(
    r'''"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|[^,\]}#\n]+''', re.DOTALL
)


def lines_of(text: str) -> dict[Path, int]:
    """Return the line, from 1, of every table, key and list item, by its path: ("rule", 0, "match", "rooms", 1)."""
    scanner = _Scanner(text)
    scanner.scan()
    return scanner.lines


class _Scanner:
    """Walks once through a TOML text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {(): 1}
        self._lengths: dict[Path, int] = {}
        self._counted = (0, 1)

    def scan(self) -> None:
        table: Path = ()
        self._skip_blank()
        while self.at < len(self.text):
            if header := _HEADER.match(self.text, self.at):
                table = self._header(header[0])
            else:
                self._pair(table)
            self._skip_blank()

    def _header(self, opening: str) -> Path:
        line = self._line()
        self.at += len(opening)
        keys = self._keys()
        self.at += len(opening)
        path: Path = ()
        for key in keys[:-1]:
            path = self._into((*path, key), line)
        path = (*path, keys[-1])
        if opening == "[":
            self.lines.setdefault(path, line)
            return path
        self.lines.setdefault(path, line)
        self._lengths[path] = self._lengths.get(path, 0) + 1
        return self._into(path, line)

    def _into(self, path: Path, line: int) -> Path:
        """Go into a table, or into the last one of an array of tables."""
        self.lines.setdefault(path, line)
        if path in self._lengths:
            path = (*path, self._lengths[path] - 1)
            self.lines.setdefault(path, line)
        return path

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = table
        for key in self._keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self.at += 1
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip_blank()
        opening = self.text[self.at : self.at + 1]
        if opening == "[":
            self._list(path)
        elif opening == "{":
            self._inline_table(path)
        elif scalar := _SCALAR.match(self.text, self.at):
            self.at = scalar.end()

    def _list(self, path: Path) -> None:
        self.at += 1
        index = 0
        while self._more("]"):
            self.lines[*path, index] = self._line()
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: Path) -> None:
        self.at += 1
        while self._more("}"):
            self._pair(path)

    def _more(self, closing: str) -> bool:
        """Go to the next item; False, and behind the closing bracket, when there is none."""
        self._skip_blank()
        if self.text.startswith(",", self.at):
            self.at += 1
            self._skip_blank()
        if self.at < len(self.text) and not self.text.startswith(closing, self.at):
            return True
        self.at += 1
        return False

    def _keys(self) -> list[str]:
        """Read a key, which may have dots and quotes, up to the `=` or `]` behind it."""
        found = _KEY.match(self.text, self.at)
        raw = found[0] if found else ""
        self.at += len(raw)
        tree: Any = tomllib.loads(f"{raw.strip()} = 0")
        keys = []
        while isinstance(tree, dict):
            ((key, tree),) = tree.items()
            keys.append(key)
        return keys

    def _skip_blank(self) -> None:
        if found := _BLANK.match(self.text, self.at):
            self.at = found.end()

    def _line(self) -> int:
        at, line = self._counted
        self._counted = (self.at, line + self.text.count("\n", at, self.at))
        return self._counted[1]
