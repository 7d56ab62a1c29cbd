"""The wheel with compiled modules, installed beside the plain code.

    python = install(built(), directory / "compiled")
    subprocess.run([*alone(python), "-m", "deploy.cli", ...])

What it depends on comes from the environment that runs the tests: both run with the same versions.
"""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).resolve().parents[2]
_DIST: Final = PROJECT / "dist"
_PACKAGES: Final = ("schemas", "streams", "alerts", "deploy")
_PAGE: Final = "alerts/console/web/dist/"
_WHOSE_ENGINE: Final = "import streams.engine.product as product; print(product.__file__)"


def built() -> Path:
    """Return the wheel in dist for this Python; it is built when there is none of the sources as they are now.

    RuntimeError when that fails.
    """
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    found = sorted(_DIST.glob(f"livefuse-*-{tag}-*.whl"))
    for wheel in found:
        if _is_current(wheel):
            return wheel
        wheel.unlink()
    options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--wheel-dir", str(_DIST))
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, str(PROJECT)],
        env=os.environ | {"HATCH_BUILD_HOOKS_ENABLE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"no wheel was built, `make wheel` says what is missing:\n{done.stderr[-4000:]}")
    return next(_DIST.glob(f"livefuse-*-{tag}-*.whl"))


def install(wheel: Path, directory: Path) -> Path:
    """Install a wheel into a new environment in ``directory`` and return its Python, which runs compiled code."""
    venv.create(directory, with_pip=False, clear=True)
    python = directory / "bin" / "python"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(directory), "platbase": str(directory)}))
    (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--ignore-installed", str(wheel)], check=True)
    where = subprocess.run([*alone(python), "-c", _WHOSE_ENGINE], capture_output=True, text=True, check=True).stdout
    if not (where.startswith(str(directory)) and where.rstrip().endswith(".so")):
        raise RuntimeError(f"{python} does not run the compiled modules but {where}")
    return python


def alone(python: Path) -> tuple[str, ...]:
    """Return how to run a Python so that neither the current directory nor PYTHONPATH lead to the plain modules."""
    return (str(python), "-I")


def _is_current(wheel: Path) -> bool:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name: archive.read(name) for name in archive.namelist() if name.endswith(".py") or _PAGE in name}
    sources = [path for package in _PACKAGES for path in (PROJECT / package).rglob("*.py")]
    page = [path for path in (PROJECT / _PAGE).rglob("*") if path.is_file()]
    return packed == {str(path.relative_to(PROJECT)): path.read_bytes() for path in [*sources, *page]}


if __name__ == "__main__":
    sys.stdout.write(f"{built().relative_to(PROJECT)}\n")
