import inspect
import re

import pytest

from schemas import errors
from schemas.errors import FileProblem, LivefuseError, RulesFileError

TREE = [
    found
    for found in vars(errors).values()
    if inspect.isclass(found) and issubclass(found, Exception) and found.__module__ == errors.__name__
]


def test_the_tree_drawn_is_the_tree() -> None:
    drawn = re.findall(r"^ {4}([│├└─ ]*)(\w+)", str(errors.__doc__), re.MULTILINE)
    stack: list[str] = []
    parents: dict[str, str] = {}
    for branch, name in drawn:
        depth = len(branch) // 4
        del stack[depth:]
        parents[name] = stack[-1] if stack else "Exception"
        stack.append(name)
    assert parents == {found.__name__: found.__bases__[0].__name__ for found in TREE}


@pytest.mark.parametrize("error", TREE)
def test_every_error_says_cause_effect_and_action(error: type[LivefuseError]) -> None:
    text = str(error.__doc__)
    assert text.index("Cause: ") < text.index("Effect: ") < text.index("Action: ")


def test_exit_codes_tell_configuration_broker_and_log_apart() -> None:
    assert [error.exit_code for error in (LivefuseError, errors.TopicMismatch)] == [1, 2]
    assert [error.exit_code for error in (errors.SendFailed, errors.StateError)] == [3, 4]


def test_problems_are_printed_with_their_lines() -> None:
    assert str(RulesFileError([FileProblem(3, "a")], "x.toml")) == "x.toml:3: a"
    error = RulesFileError([FileProblem(3, "a"), FileProblem(None, "b")], "x.toml")
    assert str(error) == "x.toml has 2 errors:\n  x.toml:3: a\n  x.toml: b"
