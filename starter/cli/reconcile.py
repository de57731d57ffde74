"""`billhook reconcile`: compare the invoicing API with our records now; heal what can be, say what a person must do."""

from typing import TYPE_CHECKING, Annotated

import typer

from starter.cli.exits import Exit, Stop
from starter.cli.output import AsJson, data, data_json, printable, rows, say

if TYPE_CHECKING:
    from billing.reconcile_report import ReconcileReport


def reconcile(
    as_json: AsJson = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be healed.")] = False,
) -> None:
    """Compare the API's invoices with ours, feed what no webhook told, list what is left; exits 7 if anything is."""
    from starter.cli.temporal import with_temporal  # noqa: PLC0415 - commands load what they need when they run
    from starter.reconciling import reconcile as run  # noqa: PLC0415

    report = with_temporal(lambda client, settings: run(client, settings, say, dry_run=dry_run))
    if as_json:
        data_json(report.model_dump(mode="json"))
    else:
        _show(report)
    healed = f"{report.healed_count} {'would be healed' if report.dry_run else 'healed'}"
    say(f"{report.compared} compared, {report.moving} under way, {healed}, {report.left_count} left")
    if not report.is_in_order:
        raise Stop(Exit.NOT_IN_ORDER, f"{report.left_count} left for a person; see above")


def _show(report: "ReconcileReport") -> None:
    if report.healed:
        data("WOULD BE HEALED" if report.dry_run else "HEALED")
        listed = [{**one.model_dump(mode="json"), "invoice": one.key or one.external_id} for one in report.healed]
        rows(listed, ("difference", "invoice", "evidence", "healed_by"), as_json=False)
    for one in report.left:
        data(f"LEFT  {one.difference.value}  {printable(one.key or '')}  {printable(one.external_id)}")
        data(f"      {printable(one.evidence)}")
        data(f"      next: {printable(one.next_step)}")
    for name, shown, count in (
        ("healed", len(report.healed), report.healed_count),
        ("left", len(report.left), report.left_count),
    ):
        if count > shown:
            say(f"{count - shown} more {name}, not listed")
