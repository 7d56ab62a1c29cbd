from email.message import Message
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from tests.supply import licences
from tests.supply.licences import ALLOWED, LOOKED_AT, pinned, problems


class Packaged(Distribution):
    """A package that says this of itself."""

    def __init__(self, **said: str) -> None:
        self._said = Message()
        for name, value in said.items():
            self._said[name.replace("_", "-")] = value

    @property
    def metadata(self) -> Message:  # type: ignore[override]
        return self._said

    def read_text(self, filename: str) -> str | None:
        del filename
        return None

    def locate_file(self, path: object) -> Path:
        return Path(str(path))


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"License_Expression": "MIT OR (Apache-2.0 AND BSD-3-Clause)"}, {"MIT", "Apache-2.0", "BSD-3-Clause"}),
        ({"Classifier": "License :: OSI Approved :: Apache Software License"}, {"Apache-2.0"}),
        ({"License": "The MIT License (MIT)\n\nCopyright"}, {"MIT"}),
        ({"License": "GPLv3"}, {"GPLv3"}),
        ({}, set()),
    ],
)
def test_a_licence_is_read_from_where_it_is_said(said: dict[str, str], found: set[str]) -> None:
    assert licences.licences(Packaged(**said)) == found


def test_what_runs_is_under_licences_that_are_allowed() -> None:
    assert list(problems()) == []


def test_what_was_looked_at_is_still_there() -> None:
    assert set(LOOKED_AT) <= set(pinned())
    assert not ALLOWED & {"GPL-3.0-only", "AGPL-3.0-only", "LGPL-3.0-only"}
