import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.events import FuseEvent
from schemas.generate import generated, stale, write
from schemas.json_schemas import RECORDS
from schemas.topics import TopicNames, topics

PROJECT = Path(__file__).resolve().parents[2]
GENERATED = generated()


@pytest.fixture(name="document", scope="module")
def read_document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(GENERATED["asyncapi.json"])
    return document


def parts(value: object) -> Iterator[dict[str, Any]]:
    """Yield every object in a JSON document."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts(inner)


def resolve(document: dict[str, Any], reference: str) -> dict[str, Any]:
    assert reference.startswith("#/")
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    assert isinstance(found, dict)
    return found


def test_generated_files_are_current() -> None:
    assert stale() == [], "run: python -m schemas.generate"


def test_the_command_tells_what_is_stale_and_writes_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "schemas.generate", "--check"]
    done = subprocess.run(command, cwd=PROJECT, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    (tmp_path / "order.schema.json").write_text("{}")
    (tmp_path / "old.schema.json").write_text("{}")
    changed = write(tmp_path)
    assert {"old.schema.json", "order.schema.json", "asyncapi.json"} <= set(changed)
    assert {path.name for path in tmp_path.iterdir()} == set(GENERATED)
    assert stale(tmp_path) == []


def test_there_is_a_schema_of_every_record() -> None:
    names = [name for name in GENERATED if name.endswith(".schema.json")]
    assert len(names) == len(RECORDS)


@pytest.mark.parametrize("name", GENERATED)
def test_every_reference_resolves(name: str) -> None:
    document = json.loads(GENERATED[name])
    for part in parts(document):
        if isinstance(part.get("$ref"), str):
            resolve(document, part["$ref"])


@pytest.mark.parametrize("name", [name for name in GENERATED if name.endswith(".schema.json")])
def test_schemas_use_only_keywords_of_json_schema(name: str) -> None:
    keywords = {
        *("$schema", "$defs", "$ref", "title", "description", "default", "examples", "type", "enum", "const"),
        *("properties", "required", "additionalProperties", "items", "minItems", "maxItems", "anyOf", "oneOf"),
        *("minimum", "maximum", "exclusiveMaximum", "minLength", "maxLength", "pattern", "format"),
    }

    def check(schema: dict[str, Any]) -> None:
        assert set(schema) <= keywords, set(schema) - keywords
        assert "minLength" not in schema or schema["type"] == "string"
        for key in ("anyOf", "oneOf"):
            for each in schema.get(key, []):
                check(each)
        for key in ("properties", "$defs"):
            for each in schema.get(key, {}).values():
                check(each)
        for key in ("items", "additionalProperties"):
            if isinstance(schema.get(key), dict):
                check(schema[key])

    check(json.loads(GENERATED[name]))


def test_the_schema_of_an_event_has_its_keys_in_order() -> None:
    schema = json.loads(GENERATED["fuse-event.schema.json"])
    written = [field.alias or name for name, field in FuseEvent.model_fields.items()]
    assert list(schema["properties"]) == schema["required"] == written
    assert written[8] == "from"


def test_a_rule_s_schema_is_flat_and_writes_durations() -> None:
    schema = json.loads(GENERATED["rule-set.schema.json"])
    forms = {form["title"]: form for form in schema["$defs"]["Rule"]["oneOf"]}
    assert set(forms) == {"oversell", "return_spike", "complaint_surge"}
    assert forms["oversell"]["properties"]["rate_windows"]["default"] == ["3s", "1m"]
    assert forms["oversell"]["properties"]["recovery"]["default"] == "evidence"
    assert forms["return_spike"]["properties"]["rise"]["default"] == "0.10"
    assert "limits" not in forms["oversell"]["properties"]
    override = forms["complaint_surge"]["properties"]["override"]["items"]
    assert set(override["properties"]) == {"rooms", "products", "categories", "more_than", "window", "lateness"}


def test_the_document_has_every_topic(document: dict[str, Any]) -> None:
    assert document["asyncapi"] == "3.1.0"
    addresses = sorted(channel["address"] for channel in document["channels"].values())
    assert addresses == sorted(topic.name for topic in topics(TopicNames(), 1))


def test_channels_and_operations_are_those_of_asyncapi_3(document: dict[str, Any]) -> None:
    assert set(document) == {"asyncapi", "info", "defaultContentType", "channels", "operations", "components"}
    assert {"title", "version"} <= set(document["info"])
    for channel in document["channels"].values():
        assert set(channel) == {"address", "description", "messages", "bindings"}
        assert channel["bindings"]["kafka"]["bindingVersion"] == "0.5.0"
        assert channel["bindings"]["kafka"]["topic"] == channel["address"]
        for message in channel["messages"].values():
            assert set(message) == {"$ref"}
    for operation in document["operations"].values():
        assert operation["action"] in {"send", "receive"}
        channel = resolve(document, operation["channel"]["$ref"])
        for message in operation["messages"]:
            assert resolve(document, message["$ref"]) in channel["messages"].values()
    for name, message in document["components"]["messages"].items():
        assert message["name"] == name
        assert set(message) <= {"name", "summary", "contentType", "payload", "headers"}


def test_livefuse_receives_what_it_reads_and_sends_what_it_writes(document: dict[str, Any]) -> None:
    operations = set(document["operations"])
    assert {"receive_orders", "receive_signals", "send_signals", "send_fuse_events", "send_dlq_orders"} <= operations
    assert {"receive_fuse_events", "send_commands", "send_audit", "receive_audit"} <= operations
    assert {"send_orders", "receive_dlq_orders"} <= operations, "the command line replays dead letters"
    assert "receive_replenishment" not in operations


def test_the_document_says_how_topics_are_cleaned(document: dict[str, Any]) -> None:
    def configuration(channel: str) -> dict[str, Any] | None:
        binding: dict[str, Any] = document["channels"][channel]["bindings"]["kafka"]
        return binding.get("topicConfiguration")

    assert configuration("orders") is None
    assert configuration("fuse_events") == {"cleanup.policy": ["delete"], "retention.ms": 2_592_000_000}
    assert configuration("fuse_state") == {"cleanup.policy": ["compact"], "delete.retention.ms": 86_400_000}
