"""What kustomize makes of our overlays, as far as we use it: resources, labels, namespace, replicas, removed fields.

An unknown field of a kustomization is an error here, so that none is passed over.
"""

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
        data = {name: (folder / name).read_text() for name in generator["files"]}
        metadata = {"name": generator["name"]}
        found.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    for each in found:
        if plan.get("namespace") and each["kind"] != "Namespace":
            each["metadata"]["namespace"] = plan["namespace"]
        for label in plan.get("labels", ()):
            each["metadata"].setdefault("labels", {}).update(label["pairs"])
            if label.get("includeTemplates") and "template" in each.get("spec", {}):
                each["spec"]["template"]["metadata"]["labels"].update(label["pairs"])
    for change in plan.get("replicas", ()):
        the(found, "Deployment", change["name"])["spec"]["replicas"] = change["count"]
    for patch in plan.get("patches", ()):
        target = the(found, patch["target"]["kind"], patch["target"]["name"])
        for step in yaml.safe_load(patch["patch"]):
            assert step["op"] == "remove", step
            *above, last = step["path"].strip("/").split("/")
            branch = target
            for part in above:
                branch = branch[part]
            del branch[last]
    return found


def the(found: Resources, kind: str, name: str) -> dict[str, Any]:
    """Return the one resource of this kind and name; a target that is not there is an error for kustomize, too."""
    (one,) = (each for each in found if each["kind"] == kind and each["metadata"]["name"] == name)
    return one
