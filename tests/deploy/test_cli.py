"""The command line without a broker: what it prints, where, and with which exit code."""

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deploy.cli import app
from schemas.errors import BrokerError, LivefuseError, LogError

LIVEFUSE = [sys.executable, "-m", "deploy.cli"]
NOON_MS = 1_794_398_400_000


def run(*arguments: str, standard_input: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=standard_input, prog_name="livefuse")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.startswith("LIVEFUSE_")]:
        monkeypatch.delenv(name)


def complaints(count: int) -> str:
    """Return a capture of so many complaints about p42, a second apart."""
    lines = []
    for number in range(count):
        payload = {"complaint_id": f"c{number}", "product_id": "p42", "occurred_at": NOON_MS + 1000 * number}
        record = {"topic": "live.complaints", "partition": 0, "offset": number, "ts": NOON_MS, "key": None}
        lines.append(json.dumps({**record, "payload": json.dumps(payload)}))
    return "\n".join(lines) + "\n"


def test_help_comes_at_once_and_names_every_command() -> None:
    done = subprocess.run([*LIVEFUSE, "--help"], capture_output=True, text=True, check=True)
    for command in (
        "up", "intake", "worker", "topics", "replay", "rules", "fuse", "dlq", "simulate", "convert", "doctor", "drill",
        "report",
    ):  # fmt: skip
        assert f"\n  {command} " in done.stdout


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, deploy.cli; print(*sorted({'aiokafka', 'pydantic', 'faust', 'rich.live'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_version_and_wrong_usage() -> None:
    assert run("--version").stdout.startswith("livefuse")
    wrong = run("fuze")
    assert wrong.exit_code == 2
    assert "fuse" in wrong.stderr
    assert run("fuse", "pause", "p42").exit_code == 2, "a reason is needed"


@pytest.mark.parametrize(
    "arguments",
    [
        ["topics", "list"],
        ["fuse", "list"],
        ["rules", "show"],
        ["dlq", "list"],
        ["intake"],
        ["worker"],
        ["simulate", "--records", "1"],
        ["drill"],
        ["report", "--from", "1h"],
    ],
)
def test_without_a_broker_the_setting_is_named(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "LIVEFUSE_BOOTSTRAP_SERVERS" in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["allow", "--for", "25h"], "--for 25h: must be more than 0s and at most 24h"),
        (["allow", "--for", "0s"], "--for 0s: must be more than 0s and at most 24h"),
        (["pause", "--for", "0s"], "--for 0s: must be more than 0s"),
        (["pause", "--for", "soon"], "--for soon: must be a duration"),
        (["pause", "--for", "99999d"], "--for 99999d: must lie between 2000 and 2100"),
        (["allow", "--until", "2020-01-01T00:00:00Z"], ", which is now, and at most 24h later"),
        (["allow", "--until", "2099-01-01T00:00:00Z"], "2099-01-01T00:00:00Z: must be after 20"),
        (["pause", "--until", "2020-01-01T00:00:00Z"], ", which is now\n"),
        (["pause", "--until", "tomorrow"], "--until tomorrow: must be RFC 3339"),
        (["allow"], "needs an end"),
        (["pause", "--for", "1h", "--until", "2099-01-01T00:00:00Z"], "give one"),
        (["pause", "--expected-sequence", "-1"], "--expected-sequence must be greater than or equal to 0"),
        (["pause", "--timeout", "0"], "--timeout"),
    ],
)
def test_an_override_has_a_length_that_can_be(arguments: list[str], expected: str) -> None:
    result = run("fuse", *arguments, "--reason", "x", "p42")
    assert result.exit_code == 2
    assert expected in result.stderr
    assert "LIVEFUSE_BOOTSTRAP_SERVERS" not in result.stderr


@pytest.mark.parametrize("arguments", [["allow", "--for", "24h"], ["pause", "--for", "25h"], ["pause"]])
def test_overrides_that_can_be_only_lack_a_broker_here(arguments: list[str]) -> None:
    assert "LIVEFUSE_BOOTSTRAP_SERVERS" in run("fuse", *arguments, "--reason", "x", "p42").stderr


def test_a_broker_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEFUSE_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    result = run("fuse", "list")
    assert result.exit_code == 3
    assert "no broker answers at 127.0.0.1:1" in result.stderr
    assert "LIVEFUSE_BOOTSTRAP_SERVERS" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_same_cause_has_the_same_exit_code_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    for arguments in (
        ["replay", missing],
        ["replay", "-", "--rules", missing],
        ["rules", "check", missing],
        ["rules", "apply", missing],
        ["convert", "online-retail", missing],
        ["simulate", "--capture", f"{missing}/x"],
        ["topics", "list", "--config", missing],
        ["doctor", "--config", missing],
    ):
        assert run(*arguments).exit_code == 2, arguments
    monkeypatch.setenv("LIVEFUSE_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    for command in (["topics", "list"], ["rules", "show"], ["dlq", "list"], ["doctor"], ["produce", "live.orders"]):
        assert run(*command).exit_code == 3, command
    assert run("dlq", "show", "nonsense").exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["fuze"],
        ["--nonsense"],
        ["fuse", "pause", "p42"],
        ["simulate", "--rate", "fast"],
        ["rules", "check", "/nowhere/rules.toml"],
        ["replay", "/nowhere/capture"],
        ["convert", "online-retail", "/nowhere/data"],
        ["topics", "apply", "--config", "/nowhere/settings.toml"],
        ["intake"],
        ["worker"],
        ["up", "--workers", "0"],
    ],
)
def test_with_json_a_failure_is_one_object(arguments: list[str]) -> None:
    plain, result = run(*arguments), run(*arguments, "--json")
    assert result.exit_code == plain.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    told = json.loads(line)
    assert list(told) == ["error", "next"]
    assert all(told.values())
    assert told["error"].splitlines()[-1].strip() in plain.stderr


def test_the_help_tells_the_exit_codes_and_the_page_says_more() -> None:
    told = " ".join(run("--help").stdout.split())
    page = (Path(__file__).parents[2] / "docs" / "exit-codes.md").read_text()
    codes = set(re.findall(r"^\| (\d+) \|", page, re.MULTILINE))
    assert codes == set(re.findall(r"(?:: |; )(\d+) ", told.partition("Exit codes")[2]))
    assert {str(LivefuseError.exit_code), str(BrokerError.exit_code), str(LogError.exit_code)} < codes


def test_wrong_settings_end_every_command_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEFUSE_PARTITONS", "3")
    for arguments in (["doctor"], ["up"], ["topics", "apply"], ["worker"]):
        result = run(*arguments)
        assert result.exit_code == 2
        assert "did you mean LIVEFUSE_PARTITIONS?" in result.stdout + result.stderr


def test_doctor_says_what_to_do() -> None:
    result = run("doctor", "--json")
    assert result.exit_code == 2
    told = json.loads(result.stdout)
    assert not told["ok"]
    assert told["findings"][0]["about"] == "configuration"
    assert "LIVEFUSE_BOOTSTRAP_SERVERS" in told["findings"][0]["what"]


def test_replay_writes_events_and_nothing_else(tmp_path: Path) -> None:
    capture = tmp_path / "capture.jsonl.gz"
    capture.write_bytes(gzip.compress(complaints(51).encode()))
    result = run("replay", str(capture))
    assert result.exit_code == 0
    (event,) = map(json.loads, result.stdout.splitlines())
    assert (event["type"], event["product_id"], event["cause"]["measured"]) == ("fuse.opened", "p42", 51)
    assert "fuses opened   complaint-surge 1" in result.stderr
    assert run("replay", "-", standard_input=complaints(50)).stdout == ""


def test_replay_takes_rules_and_lists_dead_letters(tmp_path: Path) -> None:
    rules, letters = tmp_path / "rules.toml", tmp_path / "letters.jsonl"
    rules.write_text('[[rule]]\nid = "strict"\nkind = "complaint_surge"\nmore_than = 2\n')
    broken = json.dumps({"topic": "live.complaints", "partition": 1, "offset": 0, "ts": NOON_MS, "payload": "{"})
    result = run(
        "replay", "-", "--rules", str(rules), "--dead-letters", str(letters), "--json",
        standard_input=complaints(3) + broken + "\n",
    )  # fmt: skip
    assert result.exit_code == 0
    assert json.loads(result.stdout)["rule"] == "strict"
    summary = json.loads(result.stderr)
    assert summary["dead_letters"] == {"not_json": 1}
    assert summary["opened"] == {"strict": 1}
    assert [json.loads(line)["reason"] for line in letters.read_text().splitlines()] == ["not_json"]


@pytest.mark.parametrize(
    ("content", "expected"), [("nonsense\n", "line 1"), ("[]\n", "line 1"), ('{"payload": 1}\n', "topic")]
)
def test_what_is_no_capture_is_told_with_its_line(tmp_path: Path, content: str, expected: str) -> None:
    capture = tmp_path / "capture.jsonl"
    capture.write_text(content)
    result = run("replay", str(capture))
    assert result.exit_code == 2
    assert expected in result.stderr
    assert "Traceback" not in result.stderr
    assert run("replay", str(tmp_path / "missing")).exit_code == 2


def test_the_mark_in_front_of_utf_8_is_no_part_of_a_capture(tmp_path: Path) -> None:
    capture = tmp_path / "capture.jsonl"
    capture.write_text(complaints(51), encoding="utf-8-sig")
    packed = tmp_path / "capture.jsonl.gz"
    packed.write_bytes(gzip.compress(capture.read_bytes()))
    plain = run("replay", "-", standard_input=complaints(51)).stdout
    assert plain
    assert run("replay", str(capture)).stdout == run("replay", str(packed)).stdout == plain
    assert run("replay", "-", standard_input=capture.read_text(encoding="utf-8")).stdout == plain


def test_a_file_that_is_not_there_is_named_once(tmp_path: Path) -> None:
    missing = tmp_path / "missing.jsonl"
    for arguments in (["replay", str(missing)], ["convert", "online-retail", str(missing)]):
        result = run(*arguments)
        assert result.stderr.count(str(missing)) == 1
        assert "cannot be read: No such file or directory." in result.stderr


def test_damaged_compression_is_told(tmp_path: Path) -> None:
    capture = tmp_path / "capture.jsonl.gz"
    capture.write_bytes(gzip.compress(complaints(51).encode())[:-20])
    result = run("replay", str(capture))
    assert result.exit_code == 2
    assert "cannot be read" in result.stderr


def test_rules_check_names_every_error_with_its_line(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nid = "a"\nkind = "complaint_surge"\nmore_than = -1\n\n[[rule]]\nid = "b"\nkind = "x"\n')
    result = run("rules", "check", str(rules))
    assert result.exit_code == 2
    assert f"{rules}:4: " in result.stderr
    assert f"{rules}:8: " in result.stderr
    told = json.loads(run("rules", "check", str(rules), "--json").stdout)
    assert [problem["line"] for problem in told["problems"]] == [4, 8]
    rules.write_text('[[rule]]\nid = "a"\nkind = "oversell"\n')
    assert run("rules", "check", str(rules)).stdout == f"{rules}: 1 rule, no errors\n"
    rules.write_text(rules.read_text() * 2)
    assert run("rules", "check", str(rules)).stderr.startswith(f"livefuse: {rules}:5: ")
    rules.write_text(rules.read_text().replace('"a"', '"b"', 1))
    assert run("rules", "check", str(rules)).stdout == f"{rules}: 2 rules, no errors\n"
    assert run("rules", "check", str(tmp_path / "missing.toml")).exit_code == 2


def test_a_simulated_sale_is_reproducible_and_replays_as_labelled(tmp_path: Path) -> None:
    one, two, labels = tmp_path / "one.jsonl.gz", tmp_path / "two.jsonl.gz", tmp_path / "labels.jsonl"
    arguments = ["simulate", "--seed", "7", "--duration", "10m", "--products", "200"]
    told = run(*arguments, "--capture", str(one), "--labels", str(labels), "--json")
    assert told.exit_code == 0, told.stderr
    assert json.loads(told.stdout)["records"] == len(gzip.decompress(one.read_bytes()).splitlines())
    run(*arguments, "--capture", str(two))
    assert one.read_bytes() == two.read_bytes()
    events = [json.loads(line) for line in run("replay", str(one)).stdout.splitlines()]
    opened = {each["product_id"] for each in events if each["type"] == "fuse.opened"}
    found = [json.loads(line) for line in labels.read_text().splitlines()]
    assert opened == {each["product_id"] for each in found if each["kind"] == "incident"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--rate", "fast"],
        ["--duration", "5"],
        ["--start", "yesterday"],
        ["--programme", "circus", "--capture", "-"],
        ["--rate", "nan"],
        ["--rate", "inf"],
        ["--rate", "0"],
        ["--rate", "abc", "--capture", "-"],
        ["--rate", "max", "--capture", "-"],
        ["--from", "x", "--capture", "y"],
        ["--from", "x", "--labels", "y"],
        ["--from", "x", "--seed", "1"],
        ["--from", "x", "--demo"],
        ["--from", "x", "--duration", "2h"],
        ["--demo", "--records", "5"],
        ["--demo", "--programme", "show"],
        ["--demo", "--labels", "y"],
        ["--duration", "endless", "--labels", "y", "--capture", "-"],
        ["--labels", "y", "--capture", "y"],
        ["--capture", "/nowhere/x"],
        ["--products", "1", "--capture", "-"],
    ],
)
def test_simulate_refuses_what_makes_no_sense(arguments: list[str]) -> None:
    result = run("simulate", *arguments)
    assert result.exit_code == 2
    assert "LIVEFUSE_BOOTSTRAP_SERVERS" not in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_reader_that_goes_away_is_no_error() -> None:
    code = f"{' '.join(LIVEFUSE)} simulate --duration 10m --capture - | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["/bin/bash", "-c", code], capture_output=True, text=True, check=True)
    *lines, status = done.stdout.splitlines()
    assert (len(lines), status) == (1, "141")
    assert "Traceback" not in done.stderr
    assert "Broken" not in done.stderr


def test_interrupting_is_quiet() -> None:
    command = [*LIVEFUSE, "simulate", "--duration", "endless", "--capture", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline(), "it is in the middle of its work"
        process.send_signal(2)
        try:
            _, told = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert told == ""
