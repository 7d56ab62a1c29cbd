"""`python -m schemas.generate` writes what is generated from the models; with `--check` it only tells what is stale.

schemas/generated/<record>.schema.json      JSON Schema (2020-12) of each record
schemas/generated/asyncapi.json             AsyncAPI 3.1
schemas/generated/partition-vectors.json    test vectors of the product's partition
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from schemas.asyncapi import document
from schemas.json_schemas import RECORDS, schema_of
from schemas.topics import partition_of

FOLDER: Final = Path(__file__).parent / "generated"

CONSOLE_API: Final = "console-openapi.json"
"""In the same folder, made by `python -m alerts.console.openapi` from the console's routes."""

_VECTOR_IDS: Final = ("p42", "42", "0", "a", "sku/red:XL", "café", "商品-1", "☕", "x" * 128)
_VECTOR_PARTITIONS: Final = (1, 4, 12, 64, 1000)


def generated() -> dict[str, str]:
    """Return the text of each generated file by its name."""
    files: dict[str, Any] = {f"{_file_name(model.__name__)}.schema.json": schema_of(model) for model in RECORDS}
    files["asyncapi.json"] = document()
    files["partition-vectors.json"] = _partition_vectors()
    return {name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in sorted(files.items())}


def stale(folder: Path = FOLDER) -> list[str]:
    """Return the names of the files that are missing, out of date, or not generated any more."""
    wanted = generated()
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json") if path.name != CONSOLE_API}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def write(folder: Path = FOLDER) -> list[str]:
    """Bring the folder up to date; return the names of the files that changed."""
    changed = stale(folder)
    wanted = generated()
    folder.mkdir(exist_ok=True)
    for name in changed:
        if name in wanted:
            (folder / name).write_text(wanted[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return changed


def _file_name(model: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", model).lower()


def _partition_vectors() -> dict[str, Any]:
    return {
        "partition": "CRC-32 (that of zlib) of the UTF-8 bytes of product_id, modulo the number of partitions",
        "vectors": [
            {
                "product_id": product_id,
                "crc32": crc32(product_id.encode()),
                "partition_of": {str(count): partition_of(product_id, count) for count in _VECTOR_PARTITIONS},
            }
            for product_id in _VECTOR_IDS
        ],
    }


def main() -> int:
    """Run the command; the exit code of `--check` is 1 when something is stale."""
    arguments = argparse.ArgumentParser(prog="python -m schemas.generate", description="Write the generated schemas.")
    arguments.add_argument("--check", action="store_true", help="only tell which files are stale")
    check = arguments.parse_args().check
    names = stale() if check else write()
    for name in names:
        sys.stdout.write(f"{'stale' if check else 'written'}: {name}\n")
    return 1 if check and names else 0


if __name__ == "__main__":
    sys.exit(main())
