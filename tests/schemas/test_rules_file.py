import pytest
from hypothesis import given

from schemas.errors import ConfigurationError, RulesFileError
from schemas.limits import ComplaintSurgeLimits
from schemas.rules import DEFAULT_RULES, RuleSet
from schemas.rules_file import read_rules, render_rules
from tests.schemas.test_rules import drawn_rules
from tests.schemas.unhurried import UNHURRIED

EXAMPLE = """\
[[rule]]
id = "complaint-surge"
kind = "complaint_surge"
more_than = 50
window = "60m"

  [[rule.override]]
  category = "food"
  more_than = 20
"""


def problems(text: str | bytes) -> list[tuple[int | None, str]]:
    with pytest.raises(RulesFileError) as caught:
        read_rules(text)
    return [(problem.line, problem.message) for problem in caught.value.problems]


def test_the_example_of_the_contract() -> None:
    (rule,) = read_rules(EXAMPLE)
    assert rule.limits == ComplaintSurgeLimits()
    assert rule.limits_for("p", None, "food") == ComplaintSurgeLimits(more_than=20)


def test_bytes_with_a_mark_and_carriage_returns() -> None:
    assert read_rules(b"\xef\xbb\xbf" + EXAMPLE.replace("\n", "\r\n").encode()) == read_rules(EXAMPLE)


def test_decimals_are_exact() -> None:
    (rule,) = read_rules('[[rule]]\nid = "r"\nkind = "return_spike"\nrise = 0.1000000\n')
    assert "rise = 0.1000000\n" in render_rules([rule])


@UNHURRIED
@given(drawn_rules())
def test_what_is_written_reads_as_the_same_rules(rules: RuleSet) -> None:
    if rules.rules:
        assert read_rules(render_rules(rules.rules)) == rules.rules


def test_the_default_rules_are_written_whole() -> None:
    text = render_rules(DEFAULT_RULES.rules)
    assert read_rules(text) == DEFAULT_RULES.rules
    assert text.startswith('[[rule]]\nid = "oversell"\nkind = "oversell"\nmode = "enforce"\nseverity = "critical"\n')
    assert 'rate_windows = ["3s", "1m"]\n' in text


def test_every_error_is_told_with_its_line() -> None:
    text = '''\
# what is wrong here
title = "x"

[[rule]]
id = "surge"
kind = "complaint_surge"
more_than = -1
window = """
60m"""
lateness = 15
windw = "3m"

  [[rule.override]]
  category = "food"
  more_thn = 20

  [[rule.override]]
  more_than = 3

  [[rule.override]]
  room = [
    "a",   # "]
    1.5,
  ]
  cooldown = "3m"
  rise = 3

[[rule]]
id = "surge"
kind = "oversel"
"mode" = 'on'
match.room = 1.5
[rule.nothing]
a = 1

[[rule]]
id = 'x'
kind='oversell'
rate_windows = ["3s", { a = 1 }, "1.5s"]
override = [ {room="r", floor=-1},
  {room="r", flor=1} ]
[rule.match]
rooom = "a"
'''
    duration = 'must be a duration: a whole number with a unit, such as "500ms", "90s", "15m", "24h" or "7d"'
    assert problems(text) == [
        (2, '"title" is not known here: a rules file holds [[rule]] tables'),
        (7, 'rule "surge": more_than must be greater than or equal to 0'),
        (10, f'rule "surge": lateness {duration}'),
        (11, 'rule "surge": "windw" is not known here, did you mean "window"?'),
        (15, 'rule "surge": "more_thn" is not known here, did you mean "more_than"?'),
        (17, 'rule "surge": override[1] must name a product, a room or a category'),
        (
            23,
            'rule "surge": rooms[1] must be text of 1 to 128 characters without control characters, or an integer',
        ),
        (25, 'rule "surge": "cooldown" is no limit: an override cannot change it'),
        (26, 'rule "surge": "rise" is a limit of return_spike, not of complaint_surge'),
        (29, 'rule "surge": the rule on line 5 has the same id'),
        (30, 'rule "surge": kind must be one of oversell, return_spike, complaint_surge'),
        (31, "rule \"surge\": mode must be 'enforce', 'shadow' or 'off'"),
        (32, 'rule "surge": rooms must be a list'),
        (33, 'rule "surge": "nothing" is not known here'),
        (39, f'rule "x": rate_windows[1] {duration}'),
        (39, f'rule "x": rate_windows[2] {duration}'),
        (40, 'rule "x": floor must be greater than or equal to 0'),
        (41, 'rule "x": "flor" is not known here, did you mean "floor"?'),
        (43, 'rule "x": "rooom" is not known here, did you mean "room"?'),
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "has no [[rule]]"),
        ("# nothing but a comment\n", 1, "has no [[rule]]"),
        ("[rule]\nid = 'a'\n", 1, "write [[rule]]"),
        ("\nrule = 3\n", 2, "write [[rule]]"),
        ("rule = [1]\n", 1, "rule 1: must be a table"),
        ("[[rules]]\nid = 'a'\n", 1, '"rules" is not known here'),
        ("\n\n[[rule]]\nkind = 'oversell'\n", 3, "rule 1: id is missing"),
        ("[[rule]]\nid = 'a'\n", 1, 'rule "a": kind is missing'),
        ("[[rule]]\nid = 7\nkind = 'oversell'\n", 2, "rule 1: id must be text"),
        ("[[rule]]\nid = 'a'\nkind = 'oversell'\nfloor = 2026-11-11\n", 4, "floor must be a whole number"),
        ("[[rule]]\nid = 'a'\nkind = 'oversell'\nfloor = nan\n", 4, "floor must be a whole number"),
        ("[[rule]]\nid = 'a'\nkind = 'return_spike'\n\nrise = inf\n", 5, "rise must be a number"),
        ("[[rule]]\nid = 'a'\nkind = 'return_spike'\nwindow = '61001ms'\n", 4, "window must be a multiple of 60ms"),
        (
            "[[rule]]\nid = 'a'\nkind = 'oversell'\nhistory = '1m'\nrate_windows = ['2m']\n",
            5,
            "longer than the history",
        ),
        ("[[rule]]\nid = 'a'\nkind = 'oversell'\nrecovery = 'never'\n", 4, "recovery must be 'manual', 'auto'"),
        ("[[rule]]\nid = 'a\n", 2, "is not TOML"),
        ("[[rule]]\nid = 'a'\nid = 'b'\n", 3, "is not TOML"),
        ("[[rule]]\n\n\nid = [1,\n", 4, "is not TOML"),
        (b"[[rule]]\nid = '\xff'\n", 2, "is not UTF-8"),
        ("x = " + "9" * 5_000, None, "a number is too long"),
        ("x = " + "[" * 5_000, None, "brackets are too deep"),
    ],
)
def test_files_that_cannot_be_applied(text: str | bytes, line: int | None, message: str) -> None:
    found = problems(text)
    assert found[0][0] == line
    assert any(message in each for _, each in found)


def test_nothing_is_more_than_all() -> None:
    text = "[[rule]]\nid = 'a'\nkind = 'return_spike'\nrise = 10\nprior_rate = 0.05\nprobation_factor = 2\n"
    words = "must be less than or equal to 1"
    assert problems(text) == [(4, f'rule "a": rise {words}'), (6, f'rule "a": probation_factor {words}')]


def test_a_wrong_item_does_not_make_its_list_too_short() -> None:
    text = "[[rule]]\nid = 'a'\nkind = 'complaint_surge'\ncategories = ['food']\n[[rule.override]]\nroom = [1.5]\n"
    assert [(line, message.split(" must")[0]) for line, message in problems(text + "more_than = 1\n")] == [
        (4, 'rule "a": categories[0]'),
        (6, 'rule "a": rooms[0]'),
    ]
    empty = "[[rule]]\nid = 'a'\nkind = 'complaint_surge'\ncategories = []\n"
    assert problems(empty) == [(4, 'rule "a": categories must have at least 1 item')]


def test_names_from_the_file_stay_on_one_line() -> None:
    (found, _) = problems('"\\n" = 1\n[[rule]]\nid = "a\\nb\\u001b[2J"\nkind = "oversell"\n"x\\ty" = 3\n')[1:]
    assert found == (3, 'rule "a\\nb\\x1b[2J": id must be 1 to 64 of a-z, 0-9 and -, and not begin with -')


def test_a_limit_of_a_misspelt_rule_is_not_reported_too() -> None:
    assert [line for line, _ in problems("[[rule]]\nid = 'a'\nkind = 'surge'\nmore_than = 5\nfloor = 5\n")] == [3]


def test_the_error_is_printed_line_by_line() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_rules("x = 1\n", "rules.toml")
    assert str(caught.value).splitlines() == [
        "rules.toml has 2 errors:",
        '  rules.toml:1: "x" is not known here: a rules file holds [[rule]] tables',
        '  rules.toml:1: the file has no [[rule]]; to switch a rule off, write mode = "off"',
    ]


def test_more_rules_than_a_rule_set_holds() -> None:
    text = "".join(f'[[rule]]\nid = "r{n}"\nkind = "oversell"\n' for n in range(1_001))
    assert problems(text) == [(3001, "a rules file has at most 1000 rules")]
