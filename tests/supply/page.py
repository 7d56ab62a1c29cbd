"""What the console's page is made of: the packages of npm that go into what browsers load.

    python -m tests.supply.page dist/livefuse.cdx.json       # add them to a bill of materials

package-lock.json has them with version, licence and digest; what only builds or checks the page is `dev` there.
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

LOCK: Final = Path(__file__).resolve().parents[2] / "alerts" / "console" / "web" / "package-lock.json"


class Part(NamedTuple):
    """A package; its licence as an SPDX expression ("" where it says none), its SHA-512 in hexadecimal digits."""

    name: str
    version: str
    licence: str
    sha512: str


def parts(lock: Path = LOCK) -> list[Part]:
    """Return the packages that are part of the page."""
    found = json.loads(lock.read_text())["packages"]
    return [
        Part(path.rpartition("node_modules/")[2], each["version"], each.get("license", ""), _hex(each["integrity"]))
        for path, each in found.items()
        if path and not each.get("dev")
    ]


def with_page(bill: dict[str, Any], found: list[Part]) -> dict[str, Any]:
    """Return a bill of materials (CycloneDX) with these packages in it, too."""
    components = [
        {
            "bom-ref": f"npm-{each.name}",
            "type": "library",
            "name": each.name,
            "version": each.version,
            "purl": f"pkg:npm/{each.name.replace('@', '%40')}@{each.version}",
            "licenses": [{"expression": each.licence}],
            "hashes": [{"alg": "SHA-512", "content": each.sha512}],
        }
        for each in found
    ]
    references = [{"ref": each["bom-ref"]} for each in components]
    return bill | {
        "components": [*bill["components"], *components],
        "dependencies": [*bill["dependencies"], *references],
    }


def _hex(integrity: str) -> str:
    kind, _, digest = integrity.partition("-")
    assert kind == "sha512", integrity
    return base64.b64decode(digest).hex()


def main() -> None:
    """Add the page to the bill of materials that is named."""
    path = Path(sys.argv[1])
    bill = with_page(json.loads(path.read_text(encoding="utf-8")), parts())
    path.write_text(json.dumps(bill, indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
