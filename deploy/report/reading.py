"""Reading the fuse events of a report from Kafka: all that the topic still holds, for an opening may lie far back."""

from pydantic import ValidationError

from deploy.kafka import read
from deploy.report.incident import Known
from schemas.events import FuseEvent
from schemas.topics import TopicNames
from streams.config import KafkaConfig


async def read_events(config: KafkaConfig, names: TopicNames, product_id: str | None) -> list[Known]:
    """Return the events of a product, or of all. What cannot be read is passed over."""
    key = None if product_id is None else product_id.encode()
    found = []
    async for record in read(config, [names.fuse_events]):
        if key is not None and record.key != key:
            continue
        try:
            found.append(Known(FuseEvent.model_validate_json(record.value or b""), record.timestamp))
        except ValidationError:
            continue
    return found
