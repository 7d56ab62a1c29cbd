"""What Strimzi's CRDs take of topics and users, and Kafka and Kubernetes of what the CRDs leave open.

    refused(resource)        # ["['spec']: Additional properties are not allowed ('partition' was unexpected)"]

`make strimzi` has Strimzi's own program make the CRDs of Strimzi's own classes. Kubernetes drops what a CRD does not
know, and tells only who asks; here an unknown field is refused.
"""

import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from jsonschema_rs import Draft202012Validator

_PROJECT: Final = Path(__file__).resolve().parents[3]
_POM: Final = Path(__file__).with_name("strimzi-pom.xml")
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
"""A DNS subdomain, as Kubernetes wants names of resources."""
_TOPIC: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")
KINDS: Final = ("KafkaTopic", "KafkaUser")

_OPERATIONS: Final = {
    "topic": {"Read", "Write", "Create", "Delete", "Alter", "Describe", "AlterConfigs", "DescribeConfigs", "All"},
    "group": {"Read", "Delete", "Describe", "All"},
    "transactionalId": {"Write", "Describe", "All"},
    "cluster": {"Create", "Alter", "Describe", "ClusterAction", "AlterConfigs", "IdempotentWrite", "All"},
}
"""What Kafka knows of each; the CRD takes any operation on any resource."""


def refused(resource: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a resource, where and why."""
    api = resource["apiVersion"].removeprefix("kafka.strimzi.io/")
    validator = Draft202012Validator(_schema(resource["kind"], api))
    found = [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(dict(resource))]
    return [*found, *_of_kubernetes(resource), *_of_kafka(resource["spec"])]


@cache
def _schema(kind: str, api: str) -> dict[str, Any]:
    version = re.search(r"<strimzi.version>(.+)</strimzi.version>", _POM.read_text())
    assert version
    path = _PROJECT / ".cache" / "strimzi" / version[1] / f"{kind}.yaml"
    if not path.exists():
        text = f"{path} is not there: run `make strimzi`"
        if os.environ.get("CI"):
            pytest.fail(text)
        pytest.skip(text)
    crd = yaml.safe_load(path.read_text())
    (schema,) = (
        each["schema"]["openAPIV3Schema"] for each in crd["spec"]["versions"] if each["name"] == api and each["served"]
    )
    closed: dict[str, Any] = _closed(schema)
    # The CRD leaves these to Kubernetes.
    closed["properties"]["metadata"] = {"type": "object"}
    return closed


def _closed(schema: Any) -> Any:
    """Return a schema that takes no field that it does not name, unless it says that it keeps others."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _closed(each) for name, each in schema.items()}
    keeps = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    return found if keeps or schema.get("type") != "object" else found | {"additionalProperties": False}


def _of_kubernetes(resource: Mapping[str, Any]) -> Iterator[str]:
    metadata = resource["metadata"]
    if len(metadata["name"]) > 253 or not _NAME.fullmatch(metadata["name"]):
        yield f"metadata.name: {metadata['name']}"
    if "strimzi.io/cluster" not in metadata["labels"]:
        yield "metadata.labels: no cluster"


def _of_kafka(spec: Mapping[str, Any]) -> Iterator[str]:
    if "topicName" in spec and not _TOPIC.fullmatch(spec["topicName"]):
        yield f"spec.topicName: {spec['topicName']}"
    for acl in spec.get("authorization", {}).get("acls", ()):
        kind = acl["resource"]["type"]
        if extra := set(acl["operations"]) - _OPERATIONS.get(kind, set()):
            yield f"spec.authorization.acls: Kafka knows no {extra} of a {kind}"
