"""The services of compose.yaml without Docker: commands, variables, secrets and volumes, as Compose lays them.

    compose = Composed(image, directory, network)
    compose.kafka()
    compose.started("livefuse-worker-1")
    compose.healthy("livefuse-worker-1")       # its own healthcheck

In place of apache/kafka stand this machine's Java and the jars of the tests.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from tests.deploy.container.box import Box, Network
from tests.deploy.container.dockerfile import Image, copied
from tests.kafka.broker import jars_directory

PROJECT: Final = Path(__file__).resolve().parents[3]
FOLDER: Final = PROJECT / "deploy" / "compose"
_HOSTS: Final = "127.0.0.1 localhost kafka alertmanager-1 alertmanager-2\n"
_JAVA: Final = '#!/bin/sh\nexec java -Xmx512m -XX:TieredStopAtLevel=1 -cp "/opt/kafka/libs/*" {main} "$@"\n'


class Composed:
    """Services that run in boxes of one network."""

    def __init__(self, image: Image, directory: Path, network: Network) -> None:
        self._image = image
        self._directory = directory
        self._network = network
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (FOLDER / "compose.yaml").read_text())
        self._whole: dict[str, Any] = yaml.safe_load(text)
        self.secrets = directory / "secrets"
        subprocess.run([str(FOLDER / "secrets.sh"), str(self.secrets)], check=True)
        (directory / "hosts").write_text(_HOSTS)
        # As Docker does with a volume that is new: what the image has there.
        copied(image.below("/var/lib/livefuse"), directory / "accounts")

    def service(self, name: str) -> dict[str, Any]:
        """Return a service as compose.yaml has it."""
        found: dict[str, Any] = self._whole["services"][name]
        return found

    def box(self, name: str) -> Box:
        """Return where a service of the image runs."""
        service = self.service(name)
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        mounts = {"/etc/hosts": self._directory / "hosts"}
        for each in service["secrets"]:
            file = Path(self._whole["secrets"][each]["file"])
            mounts[f"/run/secrets/{each}"] = self.secrets / file.relative_to("secrets")
        writable = set()
        for each in service.get("volumes", ()):
            source, target, *rest = each.split(":")
            mounts[target] = FOLDER / source if source.startswith(".") else self._directory / source
            writable |= set() if rest == ["ro"] else {target}
        environment = self._image.environment | service["environment"]
        return Box(self._image.root, mounts, frozenset(writable), environment, service["user"], self._image.directory)

    def ran(self, name: str, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a service to its end, by its own command unless there are arguments: `docker compose run --rm`."""
        command = [*self._image.entrypoint, *(arguments or self.service(name)["command"])]
        return self._network.done(self.box(name), command, text)

    def started(self, name: str) -> None:
        """Start a service."""
        command = [*self._image.entrypoint, *self.service(name)["command"]]
        self._network.started(self.box(name), command, self.log(name))

    def healthy(self, name: str) -> bool:
        """Tell what the service's own healthcheck says."""
        kind, *command = self.service(name)["healthcheck"]["test"]
        assert kind == "CMD"
        box = self.box(name) if name != "kafka" else Box(self._image.root)
        return self._network.done(box, command).returncode == 0

    def log(self, name: str) -> Path:
        """Return the file that a service writes to."""
        return self._directory / f"{name}.log"

    def kafka(self) -> None:
        """Start Kafka by the script and the settings that compose.yaml mounts."""
        service = self.service("kafka")
        root = self._directory / "kafka"
        mounts = {"/usr": Path("/usr"), "/dev": Path("/dev"), "/opt/kafka/libs": jars_directory()}
        mounts |= {str(each): each for each in (Path("/etc/alternatives"), *Path("/etc").glob("java-*"))}
        for name in ("bin", "lib", "lib64"):
            root.mkdir(exist_ok=True)
            (root / name).symlink_to(f"usr/{name}")
        for name, main in (("storage", "kafka.tools.StorageTool"), ("server-start", "kafka.Kafka")):
            script = root / "opt/kafka/bin" / f"kafka-{name}.sh"
            script.parent.mkdir(parents=True, exist_ok=True)
            script.write_text(_JAVA.format(main=main))
            script.chmod(0o755)
        (root / "etc").mkdir(exist_ok=True)
        (root / "etc/hosts").write_text(_HOSTS)
        for each in service["secrets"]:
            mounts[f"/run/secrets/{each}"] = self.secrets / each
        mounts["/etc/livefuse"] = FOLDER / "kafka"
        data = self._directory / "kafka-data"
        data.mkdir()
        os.chown(data, 1000, 1000)
        mounts["/var/lib/kafka/data"] = data
        environment = {"PATH": "/usr/bin:/bin", **service["environment"]}
        box = Box(root, mounts, frozenset({"/var/lib/kafka/data", "/dev"}), environment, "1000:1000")
        self._network.started(box, service["entrypoint"], self.log("kafka"))
