"""The commands on a real Kafka, with an intake and a worker that run as `livefuse intake` and `livefuse worker`."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from typer.testing import CliRunner, Result

from deploy.cli import app
from deploy.kafka import read
from deploy.tether import tethered
from schemas.times import from_ms
from streams.config import KafkaConfig
from tests.kafka.broker import KafkaBroker
from tests.streams.strange_names import GARBLED, Written, send

pytestmark = pytest.mark.kafka


@dataclass
class Shop:
    """A livefuse of its own: topics, an intake, a worker, and the environment that leads to them."""

    bootstrap: str
    prefix: str
    environment: dict[str, str]

    def invoke(self, *arguments: str, standard_input: str | None = None) -> Result:
        """Run a command, whatever comes of it."""
        return CliRunner().invoke(app, arguments, input=standard_input, env=self.environment, prog_name="livefuse")

    def run(self, *arguments: str, standard_input: str | None = None, code: int = 0) -> Result:
        """Run a command; its exit code must be `code`."""
        result = self.invoke(*arguments, standard_input=standard_input)
        assert result.exit_code == code, (arguments, result.exit_code, result.stdout, result.stderr)
        return result

    def order(self, *arguments: str, code: int = 0) -> Any:
        """Send a command and return the events that came of it."""
        return self.json("fuse", *arguments, "--timeout", "90", code=code)

    def shows(self, product_id: str, text: str) -> str:
        """Return what `fuse show` says as soon as `text` is in it.

        The answer to a command may be read an instant before the state that was written in the same transaction.
        """
        return str(eventually(lambda: text in (told := self.run("fuse", "show", product_id).stdout) and told))

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command with --json and return what it wrote."""
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def send(self, topic: str, *values: bytes | dict[str, Any], key: bytes | None = None) -> None:
        """Send records to one of the shop's topics, by its short name."""

        async def send() -> None:
            async with AIOKafkaProducer(bootstrap_servers=self.bootstrap) as producer:
                for value in values:
                    data = value if isinstance(value, bytes) else json.dumps(value).encode()
                    await producer.send_and_wait(f"{self.prefix}.live.{topic}", data, key=key)

        asyncio.run(send())


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def eventually(check: Any, seconds: float = 90.0) -> Any:
    """Return what `check` returns as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.2)
    return found


@pytest.fixture(scope="module")
def shop(kafka: KafkaBroker) -> Iterator[Shop]:
    prefix = f"t{uuid4().hex[:10]}"
    environment = {
        "LIVEFUSE_BOOTSTRAP_SERVERS": kafka.bootstrap,
        "LIVEFUSE_APPLICATION": prefix,
        "LIVEFUSE_TOPICS__PREFIX": f"{prefix}.",
        "LIVEFUSE_PARTITIONS": "2",
        "LIVEFUSE_SESSION_TIMEOUT": "6s",
        **{
            f"LIVEFUSE_TOPICS__{name.upper()}": f"{prefix}.live.{name}"
            for name in ("orders", "returns", "complaints", "stock_levels")
        },
    }
    found = Shop(kafka.bootstrap, prefix, environment)
    found.run("topics", "apply", "--create-inputs")
    processes = [
        subprocess.Popen(
            tethered([sys.executable, "-m", "deploy.cli", name]),
            env={**os.environ, **environment},
            stderr=subprocess.DEVNULL,
        )
        for name in ("intake", "worker")
    ]
    yield found
    for process in processes:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(60) for process in processes] == [0, 0], "SIGTERM drains and ends in order"


def test_topics_are_listed_and_applied_once(shop: Shop) -> None:
    listed = shop.json("topics", "list")
    assert {each["action"] for each in listed} == {"keep"}
    assert f"{shop.prefix}.signals" in {each["topic"] for each in listed}
    again = shop.run("topics", "apply")
    assert "as they must be" in again.stderr
    plain = shop.run("topics", "list").stdout.splitlines()
    assert plain[0].split()[:2] == ["TOPIC", "STATE"]
    assert len(plain) == 1 + len(listed)


def test_the_51st_complaint_pauses_and_show_says_why(shop: Shop) -> None:
    began = now_ms()
    shop.send(
        "complaints",
        *(
            {"complaint_id": f"c{number}", "product_id": "surge", "occurred_at": began + number, "room_id": "r1"}
            for number in range(51)
        ),
    )
    paused = eventually(lambda: [each for each in shop.json("fuse", "list") if each["product_id"] == "surge"])
    assert paused[0]["paused"] == {"product": True, "skus": []}
    told = eventually(lambda: (found := shop.json("fuse", "show", "surge"))["events"] and found)
    assert told["events"][0]["cause"]["measured"] == 51
    assert len(told["pauses"][0]["begin"]["cause"]["evidence"]) == 51
    assert told["pauses"][0]["end"] is None
    text = shop.run("fuse", "show", "surge").stdout
    assert text.startswith("surge is paused.\n")
    assert "51 complaints within less than 1h; the fuse opens at more than 50" in text
    assert "c50" in text
    assert "surge" in shop.run("fuse", "list").stdout


def test_an_operator_moves_a_fuse_and_sees_what_came_of_it(shop: Shop) -> None:
    shop.send(
        "complaints",
        *(
            {"complaint_id": f"a{number}", "product_id": "moved", "occurred_at": now_ms(), "category": "allergy"}
            for number in range(6)
        ),
    )
    eventually(lambda: [each for each in shop.json("fuse", "list") if each["product_id"] == "moved"])
    (seen,) = shop.order("acknowledge", "moved", "--reason", "looking", "--actor", "jo")
    assert (seen["type"], seen["actor"], seen["paused"]["product"]) == ("fuse.acknowledged", "operator:jo", True)
    (resumed,) = shop.order("resume", "moved", "--reason", "false alarm", "--rule", "critical-complaints")
    assert (resumed["type"], resumed["to"], resumed["reason"]) == ("fuse.probation", "probation", "false alarm")
    text = shop.shows("moved", "on probation")
    assert "ended: the critical-complaints fuse went to probation" in text


def test_overrides_hold_end_and_are_rejected(shop: Shop) -> None:
    first = shop.run(
        "fuse", "pause", "word", "--reason", "recall", "--for", "30m", "--actor", "jo", "--json", "--timeout", "90"
    )
    (paused,) = json.loads(first.stdout)
    assert "no record of product word is known" in json.loads(first.stderr)["note"]
    assert paused["paused"]["product"]
    assert paused["cause"]["action"] == "pause"
    shop.shows("word", "jo has said paused until")
    release = ("fuse", "release", "word", "--reason", "ok", "--timeout", "90")
    assert "its sequence is another one" in shop.run(*release, "--expected-sequence", "7", code=1).stdout
    released = shop.run(*release)
    assert "word is on sale now." in released.stdout
    assert released.stderr == "", "said once is enough"
    nothing = shop.order("release", "word", "--reason", "ok", code=1)
    assert nothing[0]["cause"]["rejected"] == "nothing_to_release"
    shop.run("fuse", "allow", "word", "--reason", "x", code=2)
    shop.run("fuse", "allow", "word", "--reason", "x", "--for", "25h", code=2)
    shop.run("fuse", "pause", "word", "--reason", "x", "--for", "1h", "--until", "2030-01-01T00:00:00Z", code=2)
    shop.run("fuse", "pause", "word", "--reason", "x", "--for", "soon", code=2)


def test_a_product_that_is_known_is_paused_without_a_hint(shop: Shop) -> None:
    stock = {"product_id": "known", "on_hand": 5, "occurred_at": now_ms()}
    shop.send("stock_levels", stock)
    shop.send("complaints", {"complaint_id": "k", "product_id": "heard", "occurred_at": now_ms()})

    async def stored() -> set[bytes]:
        config = KafkaConfig({"bootstrap_servers": shop.bootstrap})
        return {record.key async for record in read(config, [f"{shop.prefix}.state"])}

    eventually(lambda: {b"known", b"heard"} <= asyncio.run(stored()))
    for product in ("known", "heard"):
        paused = shop.run("fuse", "pause", product, "--reason", "x", "--json")
        assert (json.loads(paused.stdout)[0]["sequence"], paused.stderr) == (1, "")
    unknown = shop.run("fuse", "resume", "unheard-of", "--reason", "x", code=1)
    assert unknown.stderr == "note: no record of product unheard-of is known: is the id right?\n"
    assert shop.run("fuse", "pause", "lamp", "--reason", "x").stderr.endswith("The pause holds all the same.\n")


def test_when_nobody_answers_it_says_what_to_check(shop: Shop) -> None:
    other = Shop(shop.bootstrap, f"{shop.prefix}x", shop.environment | {
        "LIVEFUSE_TOPICS__PREFIX": f"{shop.prefix}x.", "LIVEFUSE_APPLICATION": f"{shop.prefix}x",
    })  # fmt: skip
    other.run("topics", "apply")
    told = other.run("fuse", "pause", "p", "--reason", "x", "--timeout", "1", code=1)
    assert "nothing came of it within 1 s" in told.stderr
    assert "livefuse doctor" in told.stderr
    wrong = {each["about"]: each for each in other.json("doctor", code=1)["findings"] if each["state"] == "wrong"}
    assert {"intake", "worker"} <= wrong.keys()
    assert "livefuse intake" in wrong["intake"]["action"]


def test_rules_are_shown_changed_and_take_effect(shop: Shop, tmp_path: Path) -> None:
    assert shop.json("rules", "show")["version"] == 0
    shown = shop.run("rules", "show").stdout
    file = tmp_path / "rules.toml"
    file.write_text(shown)
    assert "these rules are in force" in shop.run("rules", "apply", str(file)).stderr
    file.write_text(shown.replace("more_than = 5\n", "more_than = 7\n"))
    dry = shop.json("rules", "apply", str(file), "--dry-run")
    assert dry == {"version": 1, "published": False, "changes": ["~ critical-complaints: more_than 5 -> 7"]}
    applied = shop.run("rules", "apply", str(file), "--actor", "jo", "--reason", "too nervous")
    assert "critical-complaints: more_than 5 -> 7" in applied.stdout
    rules = shop.json("rules", "show")
    assert (rules["version"], rules["actor"]) == (1, "jo")
    # The version in force stands in every event.
    eventually(lambda: shop.order("pause", "ruled", "--reason", "x")[0]["rule_version"] == 1)


def test_a_rule_set_with_a_header_whose_name_is_no_text_is_one(shop: Shop) -> None:
    rules = shop.json("rules", "show")
    rules = {**rules, "version": rules["version"] + 1, "actor": "strange"}
    record = Written(json.dumps(rules).encode(), [(GARBLED, b"7")], b"rules")
    asyncio.run(send(shop.bootstrap, f"{shop.prefix}.rules", 0, [record], timestamp=now_ms()))
    assert shop.json("rules", "show")["actor"] == "strange"
    eventually(lambda: shop.order("pause", "strange", "--reason", "x")[0]["rule_version"] == rules["version"])


def test_dead_letters_are_told_repaired_and_sent_back_once(shop: Shop, tmp_path: Path) -> None:
    good = {"complaint_id": "g", "product_id": "letters", "occurred_at": now_ms(), "text": "my rash is private"}
    shop.send("complaints", b'{"complaint_id"', b"\xff\xfe", {**good, "product_id": 1.5}, key=b"\xf0k")
    shop.send("complaints", b"")

    def tally() -> Any:
        found = {each["reason"]: each for each in shop.json("dlq", "list")}
        return found if sum(each["letters"] for each in found.values()) == 4 else None

    assert {reason: each["waiting"] for reason, each in eventually(tally).items()} == {
        "not_json": 2, "invalid": 1, "empty": 1,
    }  # fmt: skip
    text = shop.run("dlq", "show", "complaints").stdout
    assert "product_id" in text
    assert "rash" not in text
    assert "rash" in shop.run("dlq", "show", f"{shop.prefix}.live.complaints", "--reveal").stdout

    lines = shop.run("dlq", "show", "complaints", "--reason", "invalid", "--reveal", "--json").stdout
    letter = json.loads(lines)
    letter["value"] = json.dumps(good)
    repaired = tmp_path / "repaired.jsonl"
    repaired.write_text(json.dumps(letter) + "\n")
    sent = shop.json("dlq", "replay", "complaints", "--repaired", str(repaired))
    assert (sent["sent"], sent["failed"]) == (1, [])
    assert shop.json("dlq", "replay", "complaints", "--repaired", str(repaired))["sent"] == 0

    refused = shop.json("dlq", "replay", "complaints", "--reason", "not_json", code=1)
    assert (refused["sent"], [each["reason"] for each in refused["would_fail"]]) == (0, ["not_json", "not_json"])
    told = shop.run("dlq", "replay", "complaints", code=1)
    assert told.stdout == "0 dead letters sent back; left alone: 1 replayed\n"
    assert "the intake would refuse them again: 2 not_json, 1 empty" in told.stderr
    assert "--force" in told.stderr
    forced = ("dlq", "replay", "complaints", "--reason", "not_json", "--force")
    assert shop.json(*forced, "--dry-run")["sent"] == 2
    assert shop.json(*forced)["sent"] == 2
    # Unrepaired they come back, bytes unchanged, and are not sent round in circles.
    back = eventually(lambda: [each for each in shop.json("dlq", "list") if each["came_back"] == 2])
    assert (back[0]["reason"], back[0]["waiting"], back[0]["letters"]) == ("not_json", 0, 4)
    values = [
        json.loads(line) for line in shop.run("dlq", "show", "complaints", "--reveal", "--json").stdout.splitlines()
    ]
    came_back = [each for each in values if each["status"] == "came back"]
    assert [each.get("value") or each["value_base64"] for each in came_back] == ['{"complaint_id"', "//4="]
    assert shop.json("dlq", "replay", "complaints", "--reason", "not_json") == {
        "dry_run": False, "sent": 0, "left_alone": {"replayed": 2, "came back": 2}, "would_fail": [], "failed": [],
    }  # fmt: skip
    findings = {each["about"]: each for each in shop.json("doctor")["findings"]}
    assert findings["dead letters"]["what"] == "1 wait to be looked at, 2 came back after they were sent"
    shop.run("dlq", "replay", "nonsense", code=2)


def test_hidden_values_cannot_become_repairs(shop: Shop, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden.jsonl"
    hidden.write_text('{"partition": 0, "offset": 0, "value": "x", "hidden": true}\n')
    assert "--reveal" in shop.run("dlq", "replay", "complaints", "--repaired", str(hidden), code=2).stderr
    hidden.write_text("{}\n")
    assert "line 1" in shop.run("dlq", "replay", "complaints", "--repaired", str(hidden), code=2).stderr


def test_a_simulated_sale_goes_through_kafka(shop: Shop, tmp_path: Path) -> None:
    sale = ["--duration", "2m", "--products", "50", "--rooms", "1", "--programme", "demo"]
    capture = tmp_path / "capture.jsonl.xz"
    made = shop.json("simulate", *sale, "--start", from_ms(now_ms() - 120_000), "--capture", str(capture))
    told = shop.json("simulate", "--from", str(capture), "--rate", "max", "--quiet")
    assert told["records"] == made["records"] > 1_000
    eventually(lambda: {"return-spike", "complaint-surge"} <= {
        fuse["rule"] for each in shop.json("fuse", "list") for fuse in each["fuses"] if "-000" in each["product_id"]
    })  # fmt: skip


def test_doctor_finds_nothing_wrong(shop: Shop) -> None:
    def at_rest() -> Any:
        told = shop.invoke("doctor", "--json")
        findings = {each["about"]: each for each in json.loads(told.stdout)["findings"]}
        caught_up = findings["intake lag"]["what"] == findings["worker lag"]["what"] == "caught up"
        return told.exit_code == 0 and caught_up and {about: each["state"] for about, each in findings.items()}

    # The sale of the test before may still be worked off.
    states = eventually(at_rest)
    assert states["intake lag"] == states["worker lag"] == "ok", "ticks are no lag"
    assert states["intake"] == states["worker"] == states["clocks"] == states["topics"] == "ok"
    assert "all is well" in shop.run("doctor").stderr
