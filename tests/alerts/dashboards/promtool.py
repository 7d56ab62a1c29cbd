"""Prometheus's own tool, from Debian's package `prometheus`."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.debian import program


def complaints(command: str, content: Mapping[str, Any], folder: Path) -> str:
    """Return what `promtool COMMAND rules` has to say against a file with this content, nothing if all is well."""
    file = folder / "file.json"
    # JSON is YAML, too.
    file.write_text(json.dumps(content), encoding="utf-8")
    done = subprocess.run([program("promtool"), command, "rules", file], check=False, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def rules_file(exprs: Iterable[str]) -> dict[str, Any]:
    """Return a file of recording rules, one for each expression."""
    rules = [{"record": f"livefuse:expression:{number}", "expr": expr} for number, expr in enumerate(exprs)]
    return {"groups": [{"name": "expressions", "rules": rules}]}
