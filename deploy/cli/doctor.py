"""`livefuse doctor`: what is wrong, and what to do about it."""

from typing import TYPE_CHECKING

import typer

from deploy.cli.options import AsJson, ConfigFile
from deploy.cli.output import note, printable, write, write_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from deploy.doctor import Finding


def doctor(*, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Find out what is wrong, and what to do about it.

    Looks at settings, broker, topics, rules, dead letters, lag and clocks, and changes nothing. The exit code is 1 if
    something is wrong.
    """
    import asyncio
    import logging

    from deploy.doctor import examine

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    findings = asyncio.run(_listen(examine(config), silent=as_json))
    wrong = sum(each.state == "wrong" for each in findings)
    if as_json:
        write_json({"ok": not wrong, "findings": [each._asdict() for each in findings]})
    else:
        note(f"{wrong} of {len(findings)} things are wrong" if wrong else "all is well")
    if wrong:
        raise typer.Exit(1)


async def _listen(findings: "AsyncIterator[Finding]", *, silent: bool) -> "list[Finding]":
    listed = []
    async for each in findings:
        listed.append(each)
        if not silent:
            sign = {"ok": "ok   ", "note": "note ", "wrong": "WRONG"}[each.state]
            what = "\n       ".join(map(printable, each.what.splitlines()))
            write(f"{sign}  {each.about}: {what}" + (f"\n       -> {each.action}" if each.action else ""))
    return listed
