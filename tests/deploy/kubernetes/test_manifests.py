"""The files for Kubernetes: taken by its own schemas, current, consistent with each other, and without rights."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from deploy.settings import Settings
from deploy.strimzi import stale
from tests.deploy.kubernetes.kustomized import FOLDER, Resources, kustomized, the
from tests.deploy.kubernetes.strimzi import KINDS, refused
from tests.deploy.settings_given import unknown

VERSIONS: Final = ("1.29", "1.37")
OVERLAYS: Final = ("small", "production")


@pytest.fixture(scope="module", params=OVERLAYS)
def resources(request: pytest.FixtureRequest) -> Resources:
    return kustomized(FOLDER / "overlays" / str(request.param))


@pytest.fixture(scope="module")
def base() -> Resources:
    return kustomized(FOLDER / "base")


def validate(resource: dict[str, Any], version: str) -> None:
    """Hold a resource against the schema of a version of Kubernetes. Raises ValidationError."""
    # It takes two seconds, for which all processes that only look which tests there are would wait.
    from kubernetes_validate.utils import validate  # noqa: PLC0415

    validate(resource, version, strict=True)


def of(found: Resources, kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in found if each["kind"] == kind}


def acl(kind: str, operation: str) -> dict[str, Any]:
    return {"resource": {"type": kind, "name": "x", "patternType": "literal"}, "operations": [operation], "host": "*"}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl here")
@pytest.mark.parametrize("folder", ["base", *(f"overlays/{each}" for each in OVERLAYS)])
def test_kustomize_makes_of_them_what_is_tested_here(folder: str) -> None:
    command = [str(shutil.which("kubectl")), "kustomize", str(FOLDER / folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

    def by_name(found: Iterable[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
        return {(each["kind"], each["metadata"]["name"]): each for each in found}

    assert by_name(yaml.safe_load_all(done.stdout)) == by_name(kustomized(FOLDER / folder))


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_them(resources: Resources, version: str) -> None:
    for each in resources:
        if each["kind"] not in KINDS:
            validate(each, version)


def test_the_schemas_refuse_what_is_wrong(base: Resources) -> None:
    from kubernetes_validate.utils import ValidationError  # noqa: PLC0415 (as above)

    deployment = the(base, "Deployment", "livefuse-pager")
    broken = deployment | {"spec": deployment["spec"] | {"replica": 1}}
    with pytest.raises(ValidationError):
        validate(broken, VERSIONS[-1])


def test_strimzi_takes_topics_and_users(resources: Resources) -> None:
    found = [each for each in resources if each["kind"] in KINDS]
    assert {each["kind"] for each in found} == set(KINDS)
    assert [wrong for each in found for wrong in refused(each)] == []


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("KafkaTopic", {"partition": 4}),
        ("KafkaTopic", {"partitions": "4"}),
        ("KafkaTopic", {"replicas": 0}),
        ("KafkaTopic", {"topicName": "a topic"}),
        ("KafkaUser", {"authentication": {"type": "plain"}}),
        ("KafkaUser", {"authorization": {"type": "simple"}}),
        ("KafkaUser", {"authorization": {"type": "simple", "acls": [acl("topic", "Peek")]}}),
        ("KafkaUser", {"authorization": {"type": "simple", "acls": [acl("group", "Write")]}}),
        ("KafkaUser", {"authorization": {"type": "simple", "acls": [acl("transactional-id", "Write")]}}),
    ],
)
def test_strimzi_refuses_what_is_wrong(base: Resources, kind: str, wrong: dict[str, Any]) -> None:
    good = next(each for each in base if each["kind"] == kind)
    assert refused(good | {"spec": good["spec"] | wrong})


def test_topics_and_users_are_current() -> None:
    assert stale() == [], "run: python -m deploy.strimzi"


def test_every_file_is_part_of_something() -> None:
    for plan in FOLDER.rglob("kustomization.yaml"):
        read = yaml.safe_load(plan.read_text())
        named = {*read["resources"], *(file for each in read.get("configMapGenerator", ()) for file in each["files"])}
        here = {path.name for path in plan.parent.iterdir() if path.is_file()} - {"kustomization.yaml"}
        assert here == {name for name in named if not name.startswith("..")}, plan


def test_nobody_runs_them_on_a_root_that_cannot_be_written(base: Resources) -> None:
    deployments = of(base, "Deployment")
    assert set(deployments) == {f"livefuse-{name}" for name in ("intake", "worker", "pager", "console")}
    for name, each in deployments.items():
        pod = each["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["runAsUser"] == 65534, name
        assert not pod["automountServiceAccountToken"], name
        (container,) = pod["containers"]
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"], name
        assert not context["allowPrivilegeEscalation"], name
        assert context["capabilities"] == {"drop": ["ALL"]}, name


def test_each_logs_in_as_itself_with_a_password_from_a_file(base: Resources) -> None:
    users = of(base, "KafkaUser")
    for name, each in of(base, "Deployment").items():
        pod = each["spec"]["template"]["spec"]
        environment = {each["name"]: each["value"] for each in pod["containers"][0]["env"]}
        assert environment["LIVEFUSE_KAFKA__SASL_USERNAME"] == name
        assert name in users
        (secret,) = (each["secret"] for each in pod["volumes"] if each["name"] == "kafka")
        assert secret["secretName"] == name


def test_settings_are_settings(base: Resources, tmp_path: Path) -> None:
    given = {
        each["name"]
        for deployment in of(base, "Deployment").values()
        for each in deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    if "console" not in Settings.model_fields:
        given = {name for name in given if not name.startswith("LIVEFUSE_CONSOLE__")}
    assert unknown(given) == []
    text = (FOLDER / "base" / "livefuse.toml").read_text()
    for name in ("kafka/password", "kafka-ca/ca.crt"):
        secret = tmp_path / Path(name).name
        secret.write_text("x")
        text = text.replace(f"/run/secrets/{name}", str(secret))
    (tmp_path / "livefuse.toml").write_text(text)
    settings = Settings.load(tmp_path / "livefuse.toml", {"LIVEFUSE_KAFKA__SASL_USERNAME": "livefuse-worker"})
    ports = {
        "intake": settings.intake.web_port,
        "worker": settings.worker.web_port,
        "pager": settings.pager.web_port,
    }
    for name, port in ports.items():
        (container,) = the(base, "Deployment", f"livefuse-{name}")["spec"]["template"]["spec"]["containers"]
        assert container["ports"][0]["containerPort"] == port


def test_topics_have_the_partitions_of_the_settings(base: Resources) -> None:
    settings = Settings.load(None, {"LIVEFUSE_CONFIG": ""})
    signals = the(base, "KafkaTopic", "livefuse.signals")["spec"]["partitions"]
    (settings_file,) = of(base, "ConfigMap").values()
    assert signals == settings.partitions
    assert f"partitions = {signals}" in settings_file["data"]["livefuse.toml"]


def test_selectors_select() -> None:
    found = kustomized(FOLDER / "overlays" / "production")
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in of(found, "Deployment").values()]

    def selects(selector: dict[str, str]) -> bool:
        return any(selector.items() <= each.items() for each in labels)

    assert all(selects(each["spec"]["selector"]) for each in of(found, "Service").values())
    assert all(selects(each["spec"]["podSelector"]["matchLabels"]) for each in of(found, "NetworkPolicy").values())
    budgets = of(found, "PodDisruptionBudget")
    assert all(selects(each["spec"]["selector"]["matchLabels"]) for each in budgets.values())
    assert set(budgets) == {"livefuse-intake", "livefuse-worker", "livefuse-console"}


def test_workers_scale_up_to_the_partitions_and_only_the_autoscaler_counts_them() -> None:
    found = kustomized(FOLDER / "overlays" / "production")
    scaler = the(found, "HorizontalPodAutoscaler", "livefuse-worker")["spec"]
    assert scaler["maxReplicas"] == the(found, "KafkaTopic", "livefuse.signals")["spec"]["partitions"]
    assert "replicas" not in the(found, "Deployment", scaler["scaleTargetRef"]["name"])["spec"]
    # The adapter's rule stands in the file's comment, and asks Prometheus for a metric that workers have.
    told = (FOLDER / "overlays/production/worker-autoscaler.yaml").read_text()
    (metric,) = (each["external"]["metric"]["name"] for each in scaler["metrics"])
    assert f"name: {{as: {metric}}}" in told
    (asked,) = re.findall(r"metricsQuery: 'max\((\w+)\)'", told)
    assert f"`{asked}`" in (FOLDER.parents[1] / "docs/metrics.md").read_text()
