"""`livefuse doctor`: what is wrong, and what to do about it."""

from typing import TYPE_CHECKING

import typer

from deploy.cli.options import AsJson, ConfigFile
from deploy.cli.output import note, printable, write, write_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from deploy.doctor import Finding


_CODES = {"configuration": 2, "broker": 3}


def doctor(*, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Find out what is wrong, and what to do about it.

    Looks at settings, broker, topics, rules, dead letters, lag and clocks, and changes nothing. The exit code is
    that of the first thing that is wrong: 2 for the configuration, 3 for the broker, 1 for something else.
    """
    import asyncio
    import logging

    from deploy.doctor import examine

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    findings = asyncio.run(_listen(examine(config), silent=as_json))
    wrong = [each.about for each in findings if each.state == "wrong"]
    if as_json:
        write_json({"ok": not wrong, "findings": [each._asdict() for each in findings]})
    else:
        note(f"{len(wrong)} of {len(findings)} things are wrong" if wrong else "all is well")
    if wrong:
        raise typer.Exit(_CODES.get(wrong[0], 1))


async def _listen(findings: "AsyncIterator[Finding]", *, silent: bool) -> "list[Finding]":
    listed = []
    async for each in findings:
        listed.append(each)
        if not silent:
            sign = {"ok": "ok   ", "note": "note ", "wrong": "WRONG"}[each.state]
            what = "\n       ".join(map(printable, each.what.splitlines()))
            write(f"{sign}  {each.about}: {what}" + (f"\n       -> {each.action}" if each.action else ""))
    return listed
