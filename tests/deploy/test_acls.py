import json
import shlex

import yaml
from typer.testing import CliRunner

from deploy.acls import entries, kafka_acls, rights_of
from deploy.cli import app
from deploy.settings import Settings
from schemas.rights import ROLES, Right
from tests.deploy.kubernetes.strimzi import refused

SETTINGS = Settings.load(None, {})


def run(*arguments: str, **environment: str) -> str:
    told = CliRunner().invoke(app, ["topics", *arguments], env=environment, prog_name="livefuse")
    assert told.exit_code == 0, told.stderr
    return told.stdout


def test_operations_on_one_resource_share_an_entry() -> None:
    state = (Right("Read", "topic", "s"), Right("Write", "topic", "s"), Right("Read", "group", "s"))
    assert [(each.resource, each.operations) for each in entries(state)] == [
        ("topic", ("Read", "Write")),
        ("group", ("Read",)),
    ]


def test_commands_say_every_right_once() -> None:
    said = set()
    for line in list(kafka_acls(rights_of(SETTINGS), "livefuse"))[1:]:
        words = shlex.split(line.replace("$KAFKA", ""))
        role = words[words.index("--allow-principal") + 1].removeprefix("User:livefuse-")
        operations = [words[at + 1] for at, word in enumerate(words) if word == "--operation"]
        resource = next(each for each in ("topic", "group", "transactional-id") if f"--{each}" in words)
        pattern = words[words.index("--resource-pattern-type") + 1]
        name = words[words.index(f"--{resource}") + 1]
        said |= {(role, each, resource, name, pattern) for each in operations}
    assert said == {
        (role, each.operation, each.resource, each.name, each.pattern)
        for role, held in rights_of(SETTINGS).items()
        for each in held
    }


def test_a_table_and_json_say_the_same_and_ask_no_broker() -> None:
    found = json.loads(run("acls", "--role", "worker", "--json"))
    assert {each["user"] for each in found} == {"livefuse-worker"}
    lines = run("acls", "--role", "worker").splitlines()
    assert len(lines) == len(found) + 1
    assert {each["role"] for each in json.loads(run("acls", "--json"))} == set(ROLES)


def test_an_unknown_role_is_refused() -> None:
    told = CliRunner().invoke(app, ["topics", "acls", "--role", "wrker"], prog_name="livefuse")
    assert told.exit_code == 2
    assert "wrker" in told.stderr


def test_strimzi_gets_names_that_kubernetes_takes() -> None:
    found = list(
        yaml.safe_load_all(
            run("strimzi", "--cluster", "east", LIVEFUSE_TOPICS__PREFIX="Live_Fuse.", LIVEFUSE_APPLICATION="Live_Fuse")
        )
    )
    assert [wrong for each in found for wrong in refused(each)] == []
    made = [each for each in found if each["kind"] == "KafkaTopic"]
    users = [each for each in found if each["kind"] == "KafkaUser"]
    assert "Live_Fuse.signals" in {each["spec"]["topicName"] for each in made}
    assert "live-fuse.signals" in {each["metadata"]["name"] for each in made}
    assert {each["metadata"]["name"] for each in users} == {f"live-fuse-{role}" for role in ROLES}
    assert {each["metadata"]["labels"]["strimzi.io/cluster"] for each in found} == {"east"}
