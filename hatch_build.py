"""The wheel with compiled modules: a build hook for hatchling, enabled by `make wheel` and by nothing else.

mypyc makes C of the modules that pyproject.toml lists as they are, the C compiler makes shared objects of that. All of
it happens in a copy of the sources, so that no shared object ever lies in the tree, where it could be older than the
module beside it. The wheel holds both: Python prefers the shared object, tracebacks show the source.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_PACKAGES = ("schemas", "streams")
_SETTINGS = {"MYPYC_OPT_LEVEL": "3", "MYPYC_DEBUG_LEVEL": "0"}


class CompiledModules(BuildHookInterface[Any]):
    """Compiles before the wheel is packed, cleans up afterwards."""

    _copy: TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and have the shared objects packed. An editable install stays as it is."""
        if version == "editable":
            return
        self._copy = TemporaryDirectory(prefix="livefuse-wheel-")
        copy, root = Path(self._copy.name), Path(self.root)
        for package in _PACKAGES:
            shutil.copytree(root / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        modules = sorted(
            str(path.relative_to(copy))
            for pattern in self.config["compiled"]
            for path in copy.glob(pattern)
            if path.name != "__init__.py"
        )
        # Without a configuration: the pydantic plugin of mypy would need pydantic's own types, mypyc does not.
        command = [sys.executable, "-m", "mypyc", "--config-file", os.devnull, *modules]
        done = subprocess.run(
            command, cwd=copy, env=os.environ | _SETTINGS, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"mypyc or the C compiler failed:\n{done.stdout[-8000:]}\n{done.stderr[-8000:]}")
        found = [path for path in copy.rglob("*.so") if (copy / "build") not in path.parents]
        build_data["force_include"].update({str(path): str(path.relative_to(copy)) for path in found})
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the copy."""
        del version, build_data, artifact_path
        if self._copy is not None:
            self._copy.cleanup()
