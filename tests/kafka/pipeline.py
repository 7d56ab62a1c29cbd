"""What a `Pipeline` must see of a cluster, whatever the broker is."""

import time
from collections.abc import Callable
from datetime import timedelta

from aiokafka import AIOKafkaProducer

from alerts.console.models import Health, Input
from deploy.pipeline import Pipeline
from deploy.settings import Settings
from schemas.times import to_ms
from tests.kafka.cluster import Cluster, until


async def look(pipeline: Pipeline) -> Health:
    """Return what it sees, held against the model of the console."""
    return Health(heard_at=None, looked_at=None, problems=(), **await pipeline.look())


def inputs(health: Health) -> dict[str, Input]:
    """Return the inputs by name."""
    return {each.input: each for each in health.inputs}


async def sees_records_and_processes(cluster: Cluster, *, idempotent: bool = True) -> None:
    """See records, nobody who reads them, an intake, a worker, and nothing that waits, one after the other."""
    async with Pipeline(Settings.load(None, cluster.environment)) as pipeline:
        seen = await look(pipeline)
        assert (seen.intakes, seen.workers, seen.intake_lag, seen.worker_lag, seen.behind_s) == (0, 0, 0, 0, 0)
        # Nothing is there to be read, and nobody: time stands still.
        await until_it(pipeline, lambda seen: seen.behind_s > 4)
        assert {each.topic for each in seen.inputs} == {
            cluster.names.orders,
            cluster.names.returns,
            cluster.names.complaints,
            cluster.names.stock_levels,
        }
        assert all(each.last_at is None for each in seen.inputs)

        began_ms = int(time.time() * 1000)
        async with AIOKafkaProducer(bootstrap_servers=cluster.bootstrap, enable_idempotence=idempotent) as producer:
            for number in range(5):
                value = b'{"product_id": "p", "on_hand": %d, "occurred_at": %d}' % (number, began_ms + number)
                await producer.send_and_wait(cluster.names.stock_levels, value, partition=0, timestamp_ms=began_ms)

        seen = await until_it(pipeline, lambda seen: inputs(seen)["stock_levels"].lag > 0)
        last = inputs(seen)["stock_levels"].last_at
        assert last is not None
        assert to_ms(last) == began_ms
        assert seen.intake_lag == inputs(seen)["stock_levels"].lag
        intake = cluster.intake()
        await until_it(pipeline, lambda seen: seen.intakes == 1 and seen.intake_lag == 0)
        # Ticks are frames, and nobody applies them.
        await until_it(pipeline, lambda seen: seen.worker_lag > 0 and seen.behind_s > 4)
        cluster.worker()
        await until_it(
            pipeline, lambda seen: seen.workers == 1 and seen.worker_lag == 0 and seen.intake_lag == 0 == seen.behind_s
        )
        intake.kill()
        await until_it(pipeline, lambda seen: seen.behind_s > 4)


async def until_it(pipeline: Pipeline, sees: Callable[[Health], bool]) -> Health:
    """Look until what is seen is as it must be; return it."""
    seen = await look(pipeline)

    async def holds() -> bool:
        nonlocal seen
        seen = await look(pipeline)
        return sees(seen)

    await until(holds, "it sees what is there", within=timedelta(seconds=60), state=lambda: str(seen))
    return seen
