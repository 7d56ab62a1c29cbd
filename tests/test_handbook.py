"""The handbooks tell of every alert and every button, in the words of the page, and their commands exist."""

import re
from pathlib import Path
from typing import get_args

import pytest

from schemas.commands import Action
from tests.alerts.rules.reading import alert_names
from tests.alerts.runbooks.test_runbooks import OF_THE_PAGER, commands, what_is_wrong

PROJECT = Path(__file__).parents[1]
WORDS = PROJECT / "alerts/console/web/src/words"
LANGUAGES = ("en", "zh")
EXPLAIN_THEMSELVES = {
    "action_pause", "bulk_confirm", "cancel", "close", "dismiss", "help", "language", "language_label", "login_do",
    "login_reload", "long_hours", "long_minutes", "send_again_hint", "sign_out", "sound_off_hint", "undo_pause",
}  # fmt: skip
"""Buttons of every page of this world, and words that only say more of a button."""


def handbook(language: str) -> str:
    return (PROJECT / f"docs/handbook/{language}.md").read_text()


def words(language: str) -> dict[str, str]:
    """Return the words of the page by their keys."""
    return dict(re.findall(r'^  (\w+): "([^"]*)",?$', (WORDS / f"{language}.ts").read_text(), re.MULTILINE))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_alert_is_in_the_table_of_alerts(language: str) -> None:
    rows = re.findall(r"^\| ([A-Z][^|]*?) \|", handbook(language), re.MULTILINE)
    told = {name for row in rows for name in re.split(r", |、", row)}
    assert {*alert_names(), *OF_THE_PAGER} <= told


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_action_is_in_the_table_of_buttons_by_the_word_on_the_page(language: str) -> None:
    text = handbook(language)
    for action in get_args(Action):
        assert f"| **{words(language)[f'action_{action}']}** |" in text, action
        assert f"livefuse fuse {action} PRODUCT" in text


def buttons() -> set[str]:
    """Return the keys of the words on all buttons of the page."""
    views = "".join(each.read_text() for each in (WORDS.parent / "views").glob("*.tsx"))
    found = re.findall(r"<button\b.*?</button>", views, re.DOTALL)
    return {key for each in found for key in re.findall(r'say\("(\w+)"', each)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_other_button_is_told_of_by_the_word_on_the_page(language: str) -> None:
    found, text = words(language), handbook(language)
    keys = buttons() - EXPLAIN_THEMSELVES
    assert len(keys) > 10
    for key in keys:
        # A value stands there as three dots, and of a word for one and a word for many only the second.
        word = re.sub(r"\{\w+:[^|]*\|#([^}]*)\}", r"…\1", found[key])
        assert f"**{re.sub(r'{[^}]*}', '…', word)}" in text, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_product_can_be_is_told_by_the_words_on_the_page(language: str) -> None:
    found, text = words(language), handbook(language)
    for name in ("paused", "partly", "allowed", "open", "probation", "shadow"):
        assert f"**{found[f'standing_{name}']}**" in text
    for name in ("line_open", "watch_title", "health_title", "effect_label", "conflict_title", "undo", "room_actions"):
        assert f"**{found[name]}**" in text


@pytest.mark.parametrize("page", ["docs/handbook/en.md", "docs/handbook/zh.md", "README.zh-CN.md", "docs/upgrades.md"])
def test_the_commands_exist(page: str) -> None:
    text = (PROJECT / page).read_text().replace(".venv/bin/", "")
    for command in commands(text):
        assert not what_is_wrong(re.sub(r"\s{2,}.*", "", command)), command


@pytest.mark.parametrize("page", ["docs/handbook/en.md", "docs/handbook/zh.md", "README.zh-CN.md", "docs/upgrades.md"])
def test_links_lead_somewhere(page: str) -> None:
    path = PROJECT / page
    for link in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        assert (path.parent / link).exists(), link


def test_both_have_the_same_parts() -> None:
    parts = [re.findall("^(#+) ", handbook(language), re.MULTILINE) for language in LANGUAGES]
    rows = [len(re.findall(r"^\|", handbook(language), re.MULTILINE)) for language in LANGUAGES]
    assert parts[0] == parts[1]
    assert rows[0] == rows[1]


def test_the_readme_in_chinese_has_the_parts_and_the_commands_of_the_one_in_english() -> None:
    english, chinese = ((PROJECT / name).read_text() for name in ("README.md", "README.zh-CN.md"))
    parts = [len(re.findall("^## ", text, re.MULTILINE)) for text in (english, chinese)]
    assert parts[0] == parts[1]
    command = r"(?:\$ |`|^ +(?:\.venv/bin/)?|bin/)livefuse ((?:topics|fuse|rules|dlq) [a-z]+|[a-z]+)"
    named, told = (set(re.findall(command, text, re.MULTILINE)) for text in (english, chinese))
    assert {"topics acls", "drill", "replay"} <= named
    assert named - told == set()
