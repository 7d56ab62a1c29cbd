"""The AsyncAPI document: every topic, who reads and writes it, and what a record looks like."""

from collections.abc import Mapping
from typing import Any, Final

from schemas.json_schemas import definitions
from schemas.topics import Topic, TopicNames, topics

VERSION: Final = "3.1.0"
"""The version of AsyncAPI."""

KAFKA_BINDING: Final = "0.5.0"

_CHANNELS: Final = {
    "orders": "Order",
    "returns": "Return",
    "complaints": "Complaint",
    "stock_levels": "StockLevel",
    "commands": "Command",
    "rules": "RuleSet",
    "signals": "Frame",
    "fuse_events": "FuseEvent",
    "fuse_state": "FuseState",
    "replenishment": "ReplenishmentRequest",
    "watchlist": "Watchlist",
    "state": "State",
    "audit": "AuditEntry",
}
"""The message of each channel. Channels are called as the attributes of TopicNames are."""

_DEAD_LETTER: Final = "DeadLetter"

_PRIVATE: Final[Mapping[str, tuple[str, str]]] = {
    "Frame": (
        "application/json",
        "Many signals of one partition, in the order in which they count. Private to livefuse.",
    ),
    "State": ("application/octet-stream", "The state of one product, or of a lane. Private to the workers."),
    _DEAD_LETTER: ("application/octet-stream", "A record that cannot be used, its key and value untouched."),
}

_TEXT: Final = {"type": "string"}

_CLOUD_EVENT_HEADERS: Final = {
    "type": "object",
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid"},
        "ce_source": _TEXT,
        "ce_type": _TEXT,
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_subject": {"type": "string", "description": "The product_id."},
        "content-type": {"const": "application/json"},
    },
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "content-type"],
}

_DEAD_LETTER_HEADERS: Final = {
    "type": "object",
    "properties": {
        "__streams.errors.topic": {"type": "string", "description": "The topic that the record came from."},
        "__streams.errors.partition": {"type": "string", "description": "Its partition, in decimal."},
        "__streams.errors.offset": {"type": "string", "description": "Its offset, in decimal."},
        "__streams.errors.message": {"type": "string", "description": "What is wrong; `invalid` names the fields."},
        "livefuse.reason": {"enum": ["empty", "not_json", "invalid", "too_large", "future_timestamp"]},
    },
    "required": [
        "__streams.errors.topic",
        "__streams.errors.partition",
        "__streams.errors.offset",
        "__streams.errors.message",
        "livefuse.reason",
    ],
}

_HEADERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "FuseEvent": _CLOUD_EVENT_HEADERS,
    "ReplenishmentRequest": _CLOUD_EVENT_HEADERS,
    _DEAD_LETTER: _DEAD_LETTER_HEADERS,
}


def document() -> dict[str, Any]:
    """Return the AsyncAPI document, with the topics' default names."""
    names = TopicNames()
    listed = {topic.name: topic for topic in topics(names, partitions=1)}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for channel, message in _CHANNELS.items():
        name = getattr(names, channel)
        _describe(channels, operations, channel, message, listed[name])
        if name in names.inputs:
            _describe(channels, operations, f"dlq_{channel}", _DEAD_LETTER, listed[names.dead_letters(name)])
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "livefuse",
            "version": "1.0.0",
            "description": "Circuit breakers for products in a livestream sale. Orders, returns, complaints and stock "
            "levels go in; events that pause products come out. Names of topics are settings; these are the defaults.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {name: _message(name) for name in [*_CHANNELS.values(), _DEAD_LETTER]},
            "schemas": definitions("#/components/schemas/{model}"),
        },
    }


def _describe(channels: dict[str, Any], operations: dict[str, Any], channel: str, message: str, topic: Topic) -> None:
    """Add a topic's channel and the operations that livefuse does on it."""
    channels[channel] = {
        "address": topic.name,
        "description": f"{topic.holds}. Key: {topic.key}. Written by {topic.written_by}, read by {topic.read_by}.",
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {"kafka": _binding(topic)},
    }
    doers = {"receive": topic.read_by, "send": topic.written_by}
    for action, who in doers.items():
        if any(word in who for word in ("intake", "workers", "command line", "console")):
            operations[f"{action}_{channel}"] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{channel}"},
                "description": f"By {who}.",
                "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"}],
            }


def _binding(topic: Topic) -> dict[str, Any]:
    binding: dict[str, Any] = {"topic": topic.name, "bindingVersion": KAFKA_BINDING}
    if topic.layout == "one":
        binding["partitions"] = 1
    if topic.ours:
        configs = topic.broker_configs()
        numbers = ("retention.ms", "max.message.bytes", "delete.retention.ms")
        binding["topicConfiguration"] = {
            "cleanup.policy": [topic.cleanup],
            **{name: int(configs[name]) for name in numbers if name in configs},
        }
    return binding


def _message(name: str) -> dict[str, Any]:
    message: dict[str, Any] = {"name": name}
    if name in _PRIVATE:
        message["contentType"], message["summary"] = _PRIVATE[name]
    else:
        message["payload"] = {"$ref": f"#/components/schemas/{name}"}
    if name in _HEADERS:
        message["headers"] = _HEADERS[name]
    return message
