"""`livefuse convert`: other people's data as captures."""

from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.options import AsJson
from deploy.cli.output import note, standard_output

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
    """Write the Online Retail data set as a capture.

    At its own times: orders with all their lines, cancellations as returns, and a stock trace derived from what moved.
    A summary goes to standard error.
    """
    from deploy.convert import ConversionSummary, convert_online_retail

    summary = ConversionSummary()
    standard_output().writelines(convert_online_retail(file, summary))
    if as_json:
        import orjson

        facts = {each.name: getattr(summary, each.name) for each in fields(summary)}
        note(orjson.dumps({**facts, "records": summary.records}).decode())
        return
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in summary.left_out.most_common())
    note(
        f"{summary.rows:,} rows became {summary.records:,} records: {summary.orders:,} orders ({summary.order_lines:,} "
        f"lines, {summary.units_ordered:,} units), {summary.returns:,} returns ({summary.units_returned:,} units), "
        f"{summary.stock_levels:,} stock levels (derived). {summary.products:,} products. "
        f"Rows left out: {left_out or 'none'}."
    )
