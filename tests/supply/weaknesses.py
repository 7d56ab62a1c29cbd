"""Whether what livefuse runs with has known weaknesses: pip-audit over requirements.run.lock.

    python -m tests.supply.weaknesses

pip-audit asks PyPI, package by package. Where that service cannot be reached (an index of one's own, no internet) it
passes over all packages and still ends as if all were well; here that is told apart: nothing was looked at. That is no
failure on a developer's machine, and one where CI is set.
"""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Final

LOCK: Final = Path(__file__).resolve().parents[2] / "requirements.run.lock"
SERVICE: Final = "https://pypi.org/pypi/urllib3/1.26.4/json"
"""A version that is known to be weak: whoever says nothing of it knows nothing of others."""

_PATIENCE_S: Final = 10.0


def reachable(service: str = SERVICE) -> bool:
    """Tell whether the service answers, and knows of weaknesses."""
    try:
        with urllib.request.urlopen(service, timeout=_PATIENCE_S) as answer:  # noqa: S310 (a constant, https)
            return bool(json.load(answer).get("vulnerabilities"))
    except (OSError, ValueError):
        return False


def audited() -> dict[str, Any]:
    """Return pip-audit's report. RuntimeError says why there is none."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--require-hashes", "--disable-pip"]
    command += ["--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(done.stderr.strip()[-1000:]) from None
    return report


def judged(report: dict[str, Any]) -> list[str]:
    """Say what is wrong, a line each: weaknesses, and packages that were passed over."""
    found = []
    for each in report["dependencies"]:
        if "skip_reason" in each:
            found.append(f"{each['name']} was not looked at: {each['skip_reason']}")
        for weakness in each.get("vulns", ()):
            fixed = ", ".join(weakness["fix_versions"]) or "no version yet"
            found.append(f"{each['name']} {each['version']}: {weakness['id']}; mended in {fixed}")
    return found


def main() -> int:
    """Print what is wrong; 1 when something is, or when nothing could be looked at in CI."""
    if not reachable():
        sys.stdout.write(f"known weaknesses: NOT looked for, {SERVICE} cannot be reached from here\n")
        return 1 if os.environ.get("CI") else 0
    found = judged(audited())
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
