"""Lines of code: those of an application that are neither empty nor comments nor docstrings."""

import ast
import io
import re
import tokenize
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_LAYOUT: Final = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}
_JAVA_COMMENT: Final = re.compile(r'"(?:\\.|[^"\\])*"|/\*.*?\*/|//[^\n]*', re.DOTALL)


def lines_of(files: Iterable[Path]) -> int:
    """Return how many lines of code the Python and Java files have together."""
    return sum((python_lines if file.suffix == ".py" else java_lines)(file.read_text()) for file in files)


def python_lines(source: str) -> int:
    """Return the lines of a Python module that bear code."""
    found: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _LAYOUT:
            found.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        # A string that is a statement of its own: a docstring of a module, class, function or constant.
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(found)


def java_lines(source: str) -> int:
    """Return the lines of a Java file that bear code."""
    code = _JAVA_COMMENT.sub(
        lambda match: match[0] if match[0].startswith('"') else "\n" * match[0].count("\n"), source
    )
    return sum(bool(line.strip()) for line in code.splitlines())
