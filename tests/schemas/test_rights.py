import pytest

from schemas.rights import ROLES, Right, Role, groups, missing, missing_rights, rights
from schemas.topics import TopicNames, topics

NAMES = TopicNames()
RIGHTS = rights(NAMES, 4, "livefuse")


def held(role: Role) -> set[str]:
    return {str(each) for each in RIGHTS[role]}


def test_a_worker_needs_its_topics_its_group_and_its_transactions_and_nothing_else() -> None:
    assert held("worker") == {
        "Read on topic livefuse.signals",
        "Read on topic livefuse.state",
        "Write on topic livefuse.state",
        "Write on topic livefuse.fuse-events",
        "Write on topic livefuse.fuse-state",
        "Write on topic livefuse.replenishment",
        "Write on topic livefuse.watchlist",
        "Read on group livefuse-worker",
        "Write on transactional-id livefuse-lane-*",
    }


def test_a_shop_writes_its_own_topics_and_sees_nothing() -> None:
    own = (NAMES.orders, NAMES.returns, NAMES.complaints, NAMES.stock_levels)
    assert held("shop") == {f"Write on topic {name}" for name in own}


def test_only_these_may_order_a_pause() -> None:
    assert {role for role in ROLES if f"Write on topic {NAMES.commands}" in held(role)} == {"console", "operator"}
    assert {role for role in ROLES if f"Write on topic {NAMES.rules}" in held(role)} == {"operator"}
    assert {role for role in ROLES if f"Write on topic {NAMES.fuse_events}" in held(role)} == {"worker"}
    assert {role for role in ROLES if f"Write on topic {NAMES.signals}" in held(role)} == {"intake"}


def test_only_these_may_read_complaints() -> None:
    letters = NAMES.dead_letters(NAMES.complaints)
    assert {role for role in ROLES if f"Read on topic {NAMES.complaints}" in held(role)} == {"intake", "console"}
    assert {role for role in ROLES if f"Read on topic {letters}" in held(role)} == {"operator"}


def test_who_makes_topics_reads_and_writes_no_record() -> None:
    found = {each.operation for each in (*RIGHTS["admin"], *RIGHTS["monitoring"])}
    assert found == {"Create", "Describe", "AlterConfigs"}


def test_nobody_has_all_of_anything_or_a_right_on_the_cluster() -> None:
    for role, found in RIGHTS.items():
        assert all(each.resource != "cluster" and each.why for each in found), role
        assert len({str(each) for each in found}) == len(found), role


def test_every_topic_is_read_and_written_by_a_role() -> None:
    for topic in topics(NAMES, 4):
        named = {each.operation for role in ROLES for each in RIGHTS[role] if each.name == topic.name}
        assert {"Read", "Write"} <= named, topic.name


def test_what_another_right_brings_is_not_asked_for() -> None:
    operator = held("operator")
    assert "Describe on topic livefuse.rules" not in operator
    assert "Describe on topic livefuse.replenishment" in operator


def test_other_names_are_other_rights() -> None:
    names = TopicNames(orders="shop.orders", prefix="lf.", dead_letter_prefix="lf.dlq.")
    found = {str(each) for each in rights(names, 2, "east", ["night", "boss"])["pager"]}
    assert found == {
        "Read on topic lf.fuse-events",
        "Read on topic lf.fuse-state",
        "Read on topic lf.watchlist",
        "Read on group east-pager-night",
        "Read on group east-pager-boss",
    }
    assert groups("east")["pager"] == ("east-pager-", "prefixed")


class TopicAuthorizationFailedError(Exception):
    """As aiokafka's is named."""


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TopicAuthorizationFailedError("t"), "the right Read on topic t is missing"),
        (TopicAuthorizationFailedError({"b", "a"}), "the right Read on topic a and Read on topic b is missing"),
        (TopicAuthorizationFailedError(), "the right Read on topic here is missing"),
        (ValueError("x"), "ValueError('x')"),
    ],
)
def test_an_error_says_which_right_is_missing(error: Exception, told: str) -> None:
    assert missing(error, "Read", "here").startswith(told)


def test_all_that_is_missing_is_one_sentence() -> None:
    found = [Right("Write", "topic", "b"), Right("Read", "group", "a-", "prefixed")]
    assert missing_rights(found).startswith("the rights Read on group a-*, Write on topic b are missing")
