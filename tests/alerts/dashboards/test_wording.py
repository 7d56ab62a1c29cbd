import re
from collections.abc import Iterator
from typing import Any

import pytest

from alerts.dashboards.generate import DASHBOARDS
from alerts.dashboards.wording import FOLDER, LANGUAGE_NAMES, Wording, texts
from tests.alerts.dashboards.expressions import dashboards

TABLES = ("shared", *DASHBOARDS)
HAN = re.compile(r"[\u4e00-\u9fff]")

# Where a dashboard holds words, or tells its language.
WORDS = {"title", "description", "label", "legendFormat", "text", "displayName", "renameByName", "url", "tags", "uid"}


def leaves(table: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each text of a table with its key: what holds no further table."""
    for key, value in table.items():
        assert isinstance(value, dict), f"{path}{key} is no table of languages"
        if any(isinstance(inner, dict) for inner in value.values()):
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


LEAVES = [pytest.param(text, id=f"{table}.{key}") for table in TABLES for key, text in leaves(texts(table))]


def strings(value: Any) -> Iterator[str]:
    """Yield every string in a document, the names of keys included."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


def without_words(value: Any) -> Any:
    """Return a document without what a person reads and without what names the language."""
    if isinstance(value, list):
        return [without_words(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    words = WORDS | ({"options"} if value.get("id") == "byName" else {"name"} if "iconColor" in value else set())
    return {key: without_words(inner) for key, inner in value.items() if key not in words}


@pytest.mark.parametrize("text", LEAVES)
def test_every_text_is_there_in_each_language(text: dict[str, Any]) -> None:
    assert set(text) == set(LANGUAGE_NAMES)
    assert all(value == value.strip() != "" for value in text.values())


@pytest.mark.parametrize("text", LEAVES)
def test_every_text_is_written_in_its_language(text: dict[str, Any]) -> None:
    assert HAN.search(text["zh"]), "no Chinese"
    assert not HAN.search(text["en"]), "Chinese among the English"


def test_every_table_of_texts_belongs_to_a_dashboard() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(TABLES)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_languages_differ_in_words_only(name: str) -> None:
    english, chinese = (dashboards(language)[name] for language in ("en", "zh"))
    assert without_words(english) == without_words(chinese)
    assert english["panels"] != chinese["panels"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_no_text_of_a_dashboard_is_left_over(name: str) -> None:
    found = set(strings(dashboards("en")[name]))
    assert [key for key, text in leaves(texts(name)) if text["en"] not in found] == []


def test_no_word_is_left_over() -> None:
    found = "\n".join(strings(dashboards("en")))
    assert [key for key, text in leaves(texts("shared")) if text["en"] not in found] == []


def test_a_missing_text_is_an_error() -> None:
    with pytest.raises(KeyError):
        Wording("room", "en").title("no such panel")
