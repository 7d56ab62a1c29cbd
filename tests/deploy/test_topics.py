from collections.abc import Mapping

import pytest

from deploy.admin import Layout, TopicConfigs
from deploy.topics import Step, check, plan
from schemas.errors import TopicMismatch
from schemas.topics import Topic, TopicNames, topics

WANTED = topics(TopicNames(), 2)
AS_THEY_MUST_BE = {each.name: Layout(each.partitions or 7, 1) for each in WANTED}


def planned(
    layouts: Mapping[str, Layout], configs: Mapping[str, TopicConfigs], *, create_inputs: bool = False
) -> list[Step]:
    return plan(WANTED, layouts, configs, fresh=Layout(4, 3), create_inputs=create_inputs)


def ours(name: str) -> Topic:
    return next(each for each in WANTED if each.name == name)


def test_on_an_empty_broker_everything_is_created() -> None:
    steps = {step.topic.name: step for step in planned({}, {}, create_inputs=True)}
    assert {step.action for step in steps.values()} == {"create"}
    assert steps["live.orders"].layout == Layout(4, 3)
    assert steps["livefuse.signals"].layout == Layout(2, 3)
    assert steps["live.orders"].changes == ()
    assert ("cleanup.policy", None, "compact") in steps["livefuse.state"].changes


def test_a_broker_that_tells_no_settings_is_believed() -> None:
    steps = planned(AS_THEY_MUST_BE, {})
    assert {step.action for step in steps} == {"keep"}
    assert any("does not tell" in step.note for step in steps)


@pytest.mark.parametrize(
    ("topic", "name", "found", "action"),
    [
        ("livefuse.rules", "min.cleanable.dirty.ratio", "0.10", "keep"),
        ("livefuse.signals", "retention.ms", "-1", "keep"),
        ("livefuse.signals", "retention.ms", str(10 * 24 * 3_600_000), "keep"),
        ("livefuse.signals", "retention.ms", "3600000", "alter"),
        ("livefuse.signals", "max.message.bytes", "1048588", "alter"),
        ("livefuse.state", "max.compaction.lag.ms", "3600000", "keep"),
        ("livefuse.state", "max.compaction.lag.ms", "9223372036854775807", "alter"),
        ("livefuse.state", "cleanup.policy", "delete", "alter"),
        ("livefuse.state", "cleanup.policy", "compact,delete", "alter"),
    ],
)
def test_more_than_we_ask_for_is_as_good(topic: str, name: str, found: str, action: str) -> None:
    configs = {each.name: TopicConfigs(each.broker_configs(), {}) for each in WANTED}
    configs[topic] = TopicConfigs({**ours(topic).broker_configs(), name: found}, {name: found})
    steps = {step.topic.name: step for step in planned(AS_THEY_MUST_BE, configs)}
    assert steps.pop(topic).action == action
    assert {step.action for step in steps.values()} == {"keep"}


@pytest.mark.parametrize("topic", ["livefuse.signals", "livefuse.state", "livefuse.fuse-events", "livefuse.rules"])
@pytest.mark.parametrize("partitions", [1, 5])
def test_another_number_of_partitions_is_refused(topic: str, partitions: int) -> None:
    if ours(topic).partitions == partitions:
        partitions += 1
    steps = planned({**AS_THEY_MUST_BE, topic: Layout(partitions, 1)}, {})
    assert [step.topic.name for step in steps if step.action == "refuse"] == [topic]
    with pytest.raises(TopicMismatch, match=f"{topic} has {partitions} partitions"):
        check(steps)
