"""`python -m alerts.dashboards` writes the dashboards; with `--check` it only tells which are stale.

generated/<language>/<dashboard>.json      for Grafana's provisioning, one folder for each language
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from alerts.dashboards.board import Board
from alerts.dashboards.livefuse import livefuse
from alerts.dashboards.product import product
from alerts.dashboards.room import room
from alerts.dashboards.wording import LANGUAGE_NAMES, Wording

FOLDER: Final = Path(__file__).parent / "generated"
DASHBOARDS: Final = {"room": room, "product": product, "livefuse": livefuse}


def generated() -> dict[str, str]:
    """Return the text of each file by its path in the folder, such as `en/room.json`."""
    files = {}
    for language in LANGUAGE_NAMES:
        for name, fill in DASHBOARDS.items():
            board = Board(name, Wording(name, language))
            fill(board)
            files[f"{language}/{name}.json"] = json.dumps(board.document(), indent=2, ensure_ascii=False) + "\n"
    return dict(sorted(files.items()))


def stale(folder: Path = FOLDER) -> list[str]:
    """Return the paths of the files that are missing, out of date, or not generated any more."""
    wanted = generated()
    found = {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.glob("*/*.json")}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def write(folder: Path = FOLDER) -> list[str]:
    """Bring the folder up to date; return the paths of the files that changed."""
    changed = stale(folder)
    wanted = generated()
    for name in changed:
        path = folder / name
        if name in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[name], encoding="utf-8")
        else:
            path.unlink()
    return changed


def main() -> int:
    """Run the command; the exit code of `--check` is 1 when something is stale."""
    arguments = argparse.ArgumentParser(prog="python -m alerts.dashboards", description="Write the Grafana dashboards.")
    arguments.add_argument("--check", action="store_true", help="only tell which files are stale")
    check = arguments.parse_args().check
    names = stale() if check else write()
    for name in names:
        sys.stdout.write(f"{'stale' if check else 'written'}: {name}\n")
    return 1 if check and names else 0
