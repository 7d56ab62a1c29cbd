"""The units: taken by systemd itself, and with nothing that a livefuse process does not need."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from deploy.settings import Settings
from tests.deploy.settings_given import unknown

FOLDER: Final = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
UNITS: Final = sorted(FOLDER.glob("*.service"))


def lines(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


def test_there_is_a_unit_for_each_process() -> None:
    started = {lines(unit, "ExecStart")[0] for unit in UNITS}
    assert started == {f"/opt/livefuse/bin/livefuse {name}" for name in ("intake", "worker", "pager", "console")}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_takes_them(tmp_path: Path) -> None:
    program = tmp_path / "livefuse"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    names = []
    for path in [*UNITS, FOLDER / "livefuse.target"]:
        text = path.read_text().replace("/opt/livefuse/bin/livefuse", str(program))
        (tmp_path / path.name).write_text(text)
        names.append(path.name.replace("@.", "@9101."))
    command = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in names)]
    for name in names:
        if "@" in name:
            (tmp_path / name).write_text((tmp_path / name.replace("@9101.", "@.")).read_text())
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "livefuse" in line]
    assert not ours, "\n".join(ours)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_it_may_do_little(unit: Path) -> None:
    parsed = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",))
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read(unit)
    service = parsed["Service"]
    wanted = {"DynamicUser": "yes", "ProtectSystem": "strict", "NoNewPrivileges": "yes", "CapabilityBoundingSet": ""}
    assert wanted.items() <= dict(service).items()
    assert service["RestartPreventExitStatus"] == "2 4"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_its_settings_are_settings_and_its_secrets_files(unit: Path) -> None:
    given = dict(each.split("=", 1) for each in lines(unit, "Environment"))
    names = {name for name in given if not name.startswith("LIVEFUSE_CONSOLE__")}
    assert unknown(names) == []
    credentials = {each.split(":")[0] for each in lines(unit, "LoadCredential")}
    used = {value.removeprefix("%d/") for value in given.values() if value.startswith("%d/")}
    assert used <= credentials
    assert not any(name.endswith("PASSWORD") for name in given)


def test_with_the_settings_beside_them_each_logs_in_over_tls(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    text = (FOLDER / "livefuse.toml").read_text().replace("/etc/livefuse/ca.crt", str(tmp_path / "secret"))
    (tmp_path / "livefuse.toml").write_text(text)
    for unit in UNITS:
        given = dict(each.split("=", 1) for each in lines(unit, "Environment") if "KAFKA" in each)
        given["LIVEFUSE_KAFKA__SASL_PASSWORD_FILE"] = str(tmp_path / "secret")
        settings = Settings.load(tmp_path / "livefuse.toml", given)
        assert settings.kafka.security_protocol == "SASL_SSL"
        assert settings.kafka.sasl_mechanism == "SCRAM-SHA-512"
        assert settings.kafka.sasl_username == unit.stem.rstrip("@")
