"""Topics on a real Kafka: what `livefuse topics` plans, does, and refuses."""

from collections.abc import Sequence

import pytest
from aiokafka.admin import NewPartitions

from deploy.admin import Admin, Layout
from deploy.embedded import EmbeddedBroker
from deploy.kafka import open_admin
from deploy.settings import Settings
from deploy.topics import Step, carry_out, plan_topics
from schemas.errors import TopicMismatch
from schemas.topics import topics
from tests.kafka.broker import KafkaBroker

pytestmark = pytest.mark.kafka


def settings_for(bootstrap: str, prefix: str, **more: str) -> Settings:
    """Return settings with topics of their own."""
    inputs = ("orders", "returns", "complaints", "stock_levels")
    return Settings.load(
        None,
        {
            "LIVEFUSE_BOOTSTRAP_SERVERS": bootstrap,
            "LIVEFUSE_APPLICATION": prefix,
            "LIVEFUSE_TOPICS__PREFIX": f"{prefix}.",
            "LIVEFUSE_PARTITIONS": "2",
            **{f"LIVEFUSE_TOPICS__{name.upper()}": f"{prefix}.live.{name}" for name in inputs},
            **more,
        },
    )


async def planned(settings: Settings, *, create_inputs: bool = False) -> list[Step]:
    async with open_admin(settings.kafka_config()) as client:
        return await plan_topics(Admin(client), settings, create_inputs=create_inputs)


async def carried_out(settings: Settings, *, create_inputs: bool = False) -> None:
    steps = await planned(settings, create_inputs=create_inputs)
    async with open_admin(settings.kafka_config()) as client:
        await carry_out(Admin(client), steps)


def actions(steps: Sequence[Step]) -> set[str]:
    return {step.action for step in steps}


async def test_apply_makes_every_topic_and_then_nothing(kafka: KafkaBroker, prefix: str) -> None:
    settings = settings_for(kafka.bootstrap, prefix)
    await carried_out(settings, create_inputs=True)
    assert actions(await planned(settings)) == {"keep"}
    await carried_out(settings)
    async with open_admin(settings.kafka_config()) as client:
        admin = Admin(client)
        layouts = await admin.layouts()
        wanted = topics(settings.topics, settings.partitions)
        assert {each.name for each in wanted} <= layouts.keys()
        assert layouts[settings.topics.orders] == Layout(partitions=4, replicas=1)
        assert layouts[settings.topics.signals].partitions == 2
        assert layouts[settings.topics.rules].partitions == 1
        configs = await admin.configs([settings.topics.state, settings.topics.signals])
        assert configs[settings.topics.state].in_force["cleanup.policy"] == "compact"
        assert configs[settings.topics.signals].own["retention.ms"] == str(3 * 24 * 3_600_000)


async def test_missing_inputs_are_named_and_ours_are_made(kafka: KafkaBroker, prefix: str) -> None:
    settings = settings_for(kafka.bootstrap, prefix)
    with pytest.raises(TopicMismatch, match=f"{prefix}.live.orders") as caught:
        await carried_out(settings)
    assert "--create-inputs" in str(caught.value)
    assert {step.topic.name for step in await planned(settings) if step.action == "missing"} == {
        f"{prefix}.live.{name}" for name in ("orders", "returns", "complaints", "stock_levels")
    }
    assert "create" not in actions(await planned(settings))


async def test_settings_that_differ_are_corrected_and_those_of_others_stay(kafka: KafkaBroker, prefix: str) -> None:
    settings = settings_for(kafka.bootstrap, prefix)
    await carried_out(settings, create_inputs=True)
    state, events = settings.topics.state, settings.topics.fuse_events
    async with open_admin(settings.kafka_config()) as client:
        admin = Admin(client)
        await admin.alter(state, {"cleanup.policy": "delete", "min.insync.replicas": "1"})
        # Longer than we ask for: an operator's decision, which applying must not undo.
        await admin.alter(events, {"cleanup.policy": "delete", "retention.ms": "-1"})
    altered = {step.topic.name: step for step in await planned(settings) if step.action == "alter"}
    assert set(altered) == {state}
    assert ("cleanup.policy", "delete", "compact") in altered[state].changes
    await carried_out(settings)
    assert actions(await planned(settings)) == {"keep"}
    async with open_admin(settings.kafka_config()) as client:
        configs = await Admin(client).configs([state, events])
    assert configs[state].own["min.insync.replicas"] == "1"
    assert configs[events].own["retention.ms"] == "-1"


async def test_what_holds_state_is_never_repartitioned(kafka: KafkaBroker, prefix: str) -> None:
    settings = settings_for(kafka.bootstrap, prefix)
    async with open_admin(settings.kafka_config()) as client:
        await Admin(client).create(settings.topics.signals, Layout(3, 1), {})
    with pytest.raises(TopicMismatch, match=f"{prefix}.signals has 3 partitions") as caught:
        await carried_out(settings, create_inputs=True)
    assert "LIVEFUSE_PARTITIONS=3" in str(caught.value)
    async with open_admin(settings.kafka_config()) as client:
        layouts = await Admin(client).layouts()
    assert {name for name in layouts if name.startswith(prefix)} == {settings.topics.signals}, "nothing else was done"


async def test_dead_letters_may_have_any_number_of_partitions(kafka: KafkaBroker, prefix: str) -> None:
    settings = settings_for(kafka.bootstrap, prefix)
    await carried_out(settings, create_inputs=True)
    async with open_admin(settings.kafka_config()) as client:
        await client.create_partitions({settings.topics.dead_letters(settings.topics.orders): NewPartitions(3)})
    assert actions(await planned(settings)) == {"keep"}


async def test_the_embedded_broker_gets_the_same_topics(embedded: EmbeddedBroker, prefix: str) -> None:
    settings = settings_for(embedded.bootstrap, prefix)
    await carried_out(settings, create_inputs=True)
    assert actions(await planned(settings)) == {"keep"}
