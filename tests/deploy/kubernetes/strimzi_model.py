"""What Strimzi's CRDs of version v1 take of topics and users, as far as we use it; nothing else is taken.

Written by hand, and held against the CRDs of Strimzi (043-Crd-kafkatopic, 044-Crd-kafkauser) by reading: no package of
a registry carries them.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

_STRICT = ConfigDict(extra="forbid", frozen=True)
_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"

Name = Annotated[str, StringConstraints(pattern=_NAME, max_length=253)]
"""A DNS subdomain, as Kubernetes wants names of resources."""

_OPERATIONS = {
    "topic": {"Read", "Write", "Create", "Delete", "Alter", "Describe", "AlterConfigs", "DescribeConfigs", "All"},
    "group": {"Read", "Delete", "Describe", "All"},
    "transactionalId": {"Write", "Describe", "All"},
    "cluster": {"Create", "Alter", "Describe", "ClusterAction", "AlterConfigs", "IdempotentWrite", "All"},
}


class Labels(BaseModel):
    model_config = _STRICT

    cluster: str = Field(alias="strimzi.io/cluster")


class Metadata(BaseModel):
    model_config = _STRICT

    name: Name
    labels: Labels


class TopicSpec(BaseModel):
    model_config = _STRICT

    topicName: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]{1,249}$")]  # noqa: N815 (Strimzi's)
    partitions: Annotated[int, Field(ge=1)]
    replicas: Annotated[int, Field(ge=1, le=32767)]
    config: dict[str, str]


class KafkaTopic(BaseModel):
    model_config = _STRICT

    apiVersion: Literal["kafka.strimzi.io/v1"]  # noqa: N815
    kind: Literal["KafkaTopic"]
    metadata: Metadata
    spec: TopicSpec


class Resource(BaseModel):
    model_config = _STRICT

    type: Literal["topic", "group", "cluster", "transactionalId"]
    name: str | None = None
    patternType: Literal["literal", "prefix"] = "literal"  # noqa: N815


class Acl(BaseModel):
    model_config = _STRICT

    resource: Resource
    operations: Annotated[list[str], Field(min_length=1)]
    host: Literal["*"]

    @model_validator(mode="after")
    def _fits(self) -> "Acl":
        if extra := set(self.operations) - _OPERATIONS[self.resource.type]:
            raise ValueError(f"Kafka knows no {extra} of a {self.resource.type}")
        return self


class Authentication(BaseModel):
    model_config = _STRICT

    type: Literal["scram-sha-512"]


class Authorization(BaseModel):
    model_config = _STRICT

    type: Literal["simple"]
    acls: list[Acl]


class UserSpec(BaseModel):
    model_config = _STRICT

    userName: str | None = None  # noqa: N815
    authentication: Authentication
    authorization: Authorization


class KafkaUser(BaseModel):
    model_config = _STRICT

    apiVersion: Literal["kafka.strimzi.io/v1"]  # noqa: N815
    kind: Literal["KafkaUser"]
    metadata: Metadata
    spec: UserSpec
