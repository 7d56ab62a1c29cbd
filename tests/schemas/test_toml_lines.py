import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.toml_lines import Path, lines_of
from tests.schemas.unhurried import UNHURRIED


def paths(value: Any, path: Path = ()) -> set[Path]:
    found = {path}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found |= paths(inner, (*path, key))
    return found


FORMS = [
    ("a = 1\n\nb = 2", {("a",): 1, ("b",): 3}),
    ("# a = 1\n  a\t=\t1 # x = 2\nb = 2", {("a",): 2, ("b",): 3}),
    ("a.b = 1\na.c = 2", {("a",): 1, ("a", "b"): 1, ("a", "c"): 2}),
    ("\n[a]\nb = 1\n[a.c]\nd = 2", {("a",): 2, ("a", "b"): 3, ("a", "c"): 4, ("a", "c", "d"): 5}),
    ("[a.b.c]\nd = 1\n[a]\ne = 2", {("a",): 1, ("a", "b", "c"): 1, ("a", "b", "c", "d"): 2, ("a", "e"): 4}),
    ("[[a]]\nb = 1\n\n[[a]]\nb = 2", {("a",): 1, ("a", 0): 1, ("a", 0, "b"): 2, ("a", 1): 4, ("a", 1, "b"): 5}),
    (
        "[[a]]\n[[a.b]]\nc = 1\n[[a.b]]\nc = 2\n[[a]]\n[[a.b]]\nc = 3\n[a.d]\ne = 4",
        {
            ("a", 0, "b", 0, "c"): 3,
            ("a", 0, "b", 1): 4,
            ("a", 0, "b", 1, "c"): 5,
            ("a", 1): 6,
            ("a", 1, "b", 0, "c"): 8,
            ("a", 1, "d", "e"): 10,
        },
    ),
    ('a = """\n[x]\nb = 1\n"""\nc = 2', {("a",): 1, ("c",): 5}),
    ("a = '''\n[x]\n'' ]\n'''\nc = 2", {("a",): 1, ("c",): 5}),
    ('a = """x"""""\nc = 2', {("a",): 1, ("c",): 2}),
    ('a = "\\"#[{"\nb = \'"#\\\'\nc = 2', {("a",): 1, ("b",): 2, ("c",): 3}),
    (
        'a = [\n  1, # ]\n  "]",\n  [2,\n   3],\n]\nb = 1',
        {("a", 0): 2, ("a", 1): 3, ("a", 2, 0): 4, ("a", 2, 1): 5, ("b",): 7},
    ),
    (
        "a = [{b = 1},\n {b = 2, c = 3}]",
        {("a", 0, "b"): 1, ("a", 1, "c"): 2},
    ),
    ("a = { b.c = 1, d = { } }\ne = {}\nf = []", {("a", "b", "c"): 1, ("a", "d"): 1, ("e",): 2, ("f",): 3}),
    (
        '"a b" = 1\n\'c.d\' . "e\\u0066" = 2\n["x]"."y=z"]\nw = 3',
        {("a b",): 1, ("c.d", "ef"): 2, ("x]", "y=z", "w"): 4},
    ),
    ("a = 1979-05-27 07:32:00Z\r\nb = -1_000\r\nc = 0x1F\r\n[ d ]\r\ne = +inf", {("b",): 2, ("c",): 3, ("d", "e"): 5}),
    ("", {(): 1}),
]


@pytest.mark.parametrize(("text", "lines"), FORMS)
def test_forms(text: str, lines: dict[Path, int]) -> None:
    found = lines_of(text)
    assert {path: found.get(path) for path in lines} == lines
    assert set(found) == paths(tomllib.loads(text))


VALUES = st.recursive(
    st.sampled_from(["1", '"a # ["', "'b = }'", '"""x\ny"""', "'''\n]'''", "true", "1.5", '"\\""']),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ",\n ".join(items) + "]")
        | st.lists(inner.filter(lambda text: "\n" not in text), max_size=2).map(
            lambda items: "{" + ", ".join(f"k{n} = {item}" for n, item in enumerate(items)) + "}"
        )
    ),
    max_leaves=5,
)


@UNHURRIED
@given(st.lists(VALUES | st.sampled_from(["[t]", "[[r]]", "[[r.s]]", "[r.t]", "# c", ""]), max_size=9))
def test_every_path_of_a_file_has_a_line_and_no_other_has(parts: list[str]) -> None:
    text = ""
    keys: dict[int, int] = {}
    for number, part in enumerate(parts):
        keys[number] = text.count("\n") + 1
        is_value = part and not part.startswith(("[t", "[r", "[[r", "#"))
        text += (f"v{number} = {part}" if is_value else part) + "\n"
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = lines_of(text)
    assert set(lines) == paths(data)
    for path, line in lines.items():
        if isinstance(path[-1:], tuple) and path and str(path[-1]).startswith("v"):
            assert line == keys[int(str(path[-1])[1:])]
