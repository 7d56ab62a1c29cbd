"""What kustomize makes of our overlays, as far as we use it: resources, labels, namespace, replicas, removed fields.

An unknown field of a kustomization is an error here, so that none is passed over. Where kubectl is at hand, a
test holds this against kustomize's own work.
"""

import hashlib
import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import yaml

FOLDER: Final = Path(__file__).resolve().parents[3] / "deploy" / "kubernetes"
_FIELDS: Final = {
    "apiVersion", "kind", "namespace", "labels", "resources", "configMapGenerator", "images", "replicas", "patches"
}  # fmt: skip

Resources = list[dict[str, Any]]


def kustomized(folder: Path) -> Resources:
    """Return the resources of a base or an overlay."""
    plan = yaml.safe_load((folder / "kustomization.yaml").read_text())
    if unknown := plan.keys() - _FIELDS:
        raise AssertionError(f"{folder}: {unknown}")
    found: Resources = []
    for name in plan["resources"]:
        path = folder / name
        found += kustomized(path) if path.is_dir() else yaml.safe_load_all(path.read_text())
    found = [deepcopy(each) for each in found]
    for generator in plan.get("configMapGenerator", ()):
        _generate(found, generator["name"], {name: (folder / name).read_text() for name in generator["files"]})
    for each in found:
        _mark(each, plan)
    for image in plan.get("images", ()):
        for container in (each for several in _within(found, "containers") for each in several):
            if container["image"] == image["name"]:
                container["image"] = f"{image['newName']}:{image['newTag']}"
    for change in plan.get("replicas", ()):
        the(found, "Deployment", change["name"])["spec"]["replicas"] = change["count"]
    for patch in plan.get("patches", ()):
        _remove(the(found, patch["target"]["kind"], patch["target"]["name"]), yaml.safe_load(patch["patch"]))
    return found


def the(found: Resources, kind: str, name: str) -> dict[str, Any]:
    """Return the one resource of this kind and name; a target that is not there is an error for kustomize, too."""
    (one,) = (each for each in found if each["kind"] == kind and each["metadata"]["name"] == name)
    return one


def _generate(found: Resources, name: str, data: dict[str, str]) -> None:
    """Add a ConfigMap. Its name tells its content: with other settings the pods are other ones, and start anew."""
    whole = f"{name}-{_digest(data)}"
    found.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": whole}, "data": data})
    for volume in _within(found, "configMap"):
        if volume["name"] == name:
            volume["name"] = whole


def _digest(data: dict[str, str]) -> str:
    text = json.dumps({"data": data, "kind": "ConfigMap", "name": ""}, separators=(",", ":"), ensure_ascii=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return hashlib.sha256(text.encode()).hexdigest()[:10].translate(str.maketrans("013ae", "ghkmt"))


def _mark(each: dict[str, Any], plan: dict[str, Any]) -> None:
    """Give a resource its namespace and labels."""
    if plan.get("namespace") and each["kind"] != "Namespace":
        each["metadata"]["namespace"] = plan["namespace"]
    for label in plan.get("labels", ()):
        each["metadata"].setdefault("labels", {}).update(label["pairs"])
        if label.get("includeTemplates") and "template" in each.get("spec", {}):
            each["spec"]["template"]["metadata"]["labels"].update(label["pairs"])


def _remove(target: dict[str, Any], steps: list[dict[str, str]]) -> None:
    for step in steps:
        assert step["op"] == "remove", step
        *above, last = step["path"].strip("/").split("/")
        branch = target
        for part in above:
            branch = branch[part]
        del branch[last]


def _within(tree: Any, name: str) -> Iterator[Any]:
    """Yield what stands under a name, wherever in the tree."""
    for key, each in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        if key == name:
            yield each
        yield from _within(each, name)
