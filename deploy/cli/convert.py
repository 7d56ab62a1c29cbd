"""`livefuse convert`: other people's data as captures."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.options import AsJson
from deploy.cli.output import note, write_bytes

app = typer.Typer(no_args_is_help=True, help="Convert other data to captures.")


@app.callback()
def _convert() -> None:
    """Convert other data to captures, which `livefuse replay` and `livefuse simulate --capture` understand."""


@app.command("online-retail")
def online_retail(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The data set as CSV, plain or .xz.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Write the Online Retail data set as a capture to standard output, at its own times; a summary goes to standard error.

    Orders with all their lines, cancellations as returns, and a stock trace derived from what moved.
    """
    from deploy.convert import ConversionSummary, convert_online_retail

    summary = ConversionSummary()
    for line in convert_online_retail(file, summary):
        write_bytes(line)
    if as_json:
        import orjson

        note(orjson.dumps({**asdict(summary), "records": summary.records}).decode())
        return
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in summary.left_out.most_common())
    note(
        f"{summary.rows:,} rows became {summary.records:,} records: {summary.orders:,} orders ({summary.order_lines:,} lines, "
        f"{summary.units_ordered:,} units), {summary.returns:,} returns ({summary.units_returned:,} units), "
        f"{summary.stock_levels:,} stock levels (derived); {summary.products:,} products. Left out: {left_out or 'none'}."
    )
