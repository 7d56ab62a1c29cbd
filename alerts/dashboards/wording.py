"""The words of the dashboards, from the tables in `texts/`: one table holds all languages of a text side by side.

[paused]                                a panel or a row of the dashboard that the file is named after
title = { en = "...", zh = "..." }
description = { en = "...", zh = "..." }

[words]                                 what legends, columns and states are called, in `shared.toml`
limit = { en = "limit", zh = "上限" }
"""

import tomllib
from pathlib import Path
from typing import Any, Final, Literal

FOLDER: Final = Path(__file__).parent / "texts"

Language = Literal["en", "zh"]
LANGUAGE_NAMES: Final[dict[Language, str]] = {"en": "English", "zh": "中文"}
"""What each language calls itself."""


def texts(name: str) -> dict[str, Any]:
    """Return the table of texts of a dashboard, or `shared`."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


class Wording:
    """The texts of one dashboard in one language; KeyError where a text is missing."""

    def __init__(self, dashboard: str, language: Language) -> None:
        self.language = language
        self._panels = texts(dashboard)
        self._words = texts("shared")["words"]

    def title(self, key: str) -> str:
        """Return what a panel, a row, a variable or the dashboard itself is called."""
        return str(self._panels[key]["title"][self.language])

    def description(self, key: str) -> str:
        """Return what a panel shows and how to read it."""
        return str(self._panels[key]["description"][self.language])

    def word(self, key: str) -> str:
        """Return what a legend, a column or a state is called."""
        return str(self._words[key][self.language])
