import pytest

from deploy.rule_sets import differences, successor
from schemas.errors import ConfigurationError
from schemas.rules import DEFAULT_RULES
from schemas.rules_file import read_rules, render_rules


def test_the_next_version_tells_what_changed() -> None:
    text = render_rules(DEFAULT_RULES.rules).replace("more_than = 5\n", "more_than = 7\n")
    text = text.replace('id = "oversell"', 'id = "stock"')
    after = successor(DEFAULT_RULES, read_rules(text), "jo")
    assert (after.version, after.actor) == (1, "jo")
    assert after.issued_at > 0
    assert list(differences(DEFAULT_RULES, after)) == [
        "~ critical-complaints: more_than 5 -> 7",
        "- oversell: gone; its open fuses close",
        "+ stock: new (oversell, enforce)",
    ]
    assert not list(differences(DEFAULT_RULES, successor(DEFAULT_RULES, DEFAULT_RULES.rules, "jo")))


def test_a_rule_set_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        successor(DEFAULT_RULES, DEFAULT_RULES.rules, "")
    with pytest.raises(ConfigurationError):
        successor(DEFAULT_RULES, [*DEFAULT_RULES.rules, DEFAULT_RULES.rules[0]], "jo")
