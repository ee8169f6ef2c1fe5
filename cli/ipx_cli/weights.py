"""``ipx weights list|import|verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ipx.declare.registry import registry
from ipx.errors import IpxError, UsageError
from ipx.files.cards import SUFFIX, imported_weights, shipped_weights, user_folder
from ipx.files.record import read_record, record_path
from ipx_cli import output
from ipx_cli.values import PathValue


@click.group("weights")
def weights() -> None:
    """List, import and verify trained weights."""


@weights.command("list")
@click.option("--json", "as_json", is_flag=True, help="A JSON array on stdout.")
def list_weights(as_json: bool) -> None:
    """List the weights that come with ipx and its plugins, and those that you imported.

    NAME is the value of the option weights: --prior.weights NAME.
    """
    found = [_row(path) for path in _all()]
    if as_json:
        output.json_page(found)
        return
    rows = [
        (
            row["name"],
            row["model"] or "-",
            str(row["colors"] or "-"),
            "imported" if row["imported"] else "shipped",
            row["licence"] or "licence not told",
            row["source"] or "",
        )
        for row in found
    ]
    click.echo(output.table([("name", "model", "channels", "from", "licence", "source"), *rows]))
    output.note(f"imported weights are in {user_folder()}")


def _all() -> list[Path]:
    return [*(path for _, _, path in shipped_weights()), *imported_weights()]


def _row(path: Path) -> dict[str, Any]:
    """What the card of a file tells; ``error`` if there is none."""
    shipped = {path: name for _, name, path in shipped_weights()}
    row: dict[str, Any] = {
        "name": shipped.get(path, path.name.removesuffix(SUFFIX)),
        "file": path,
        "imported": path not in shipped,
    }
    try:
        card = read_record(record_path(path))
    except IpxError as e:
        card, row["error"] = {}, str(e)
    options = card.get("options")
    row["model"] = card.get("model")
    row["colors"] = options.get("colors") if isinstance(options, dict) else None
    return row | {key: card.get(key) for key in ("licence", "source", "sha256", "parameters")}


def _told(values: tuple[str, ...]) -> dict[str, str]:
    """``NAME=VALUE`` as a table."""
    table = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name:
            raise UsageError(f"--option is NAME=VALUE, such as sigma_max=0.1, not {value}")
        table[name.strip()] = text.strip()
    return table


@weights.command("import")
@click.argument("file", type=PathValue(path_type=Path))
@click.option("--name", default="", help="Name for --prior.weights.  [default: that of the file]")
@click.option("--source", default="", help="Where the weights come from, for the card.")
@click.option("--licence", default="", help="Licence of the weights, for the card.")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the model that the file does not tell, such as sigma_max=0.1.",
)
@click.option("--force", is_flag=True, help="Replace imported weights of this name.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object on stdout.")
def import_file(
    file: Path,
    name: str,
    source: str,
    licence: str,
    options: tuple[str, ...],
    force: bool,
    as_json: bool,
) -> None:
    """Import published weights from FILE, of PyTorch, safetensors or MATLAB 7.3.

    The layout is recognised by the names of the tensors; ipx list layout shows those that are
    known. The weights are written as safetensors, with a card. No class in FILE is ever loaded.
    """
    from ipx.parts.imports import import_weights

    path, remarks = import_weights(
        file,
        name=name,
        source=source,
        licence=licence,
        options=_told(options),
        replace=force,
    )
    for line in remarks:
        output.note(line)
    if not licence:
        output.note("no licence told: --licence writes it to the card")
    row = _row(path)
    if as_json:
        output.json_line(row | {"remarks": remarks})
        return
    model = str(row["model"])
    click.echo(f"{path}")
    output.note(f"{row['name']}: weights of {model}, {row['parameters']} parameters")
    prior = next((s for s in registry().all("prior") if s.id == model), None)
    if prior is not None:
        output.note(f"use them by --prior {prior.name} --prior.weights {row['name']}")


@weights.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME|FILE]...")
@click.option("--json", "as_json", is_flag=True, help="A JSON array on stdout.")
def verify(names: tuple[str, ...], as_json: bool) -> int:
    """Check that weights are whole and fit their networks; all of them without a NAME.

    The sha256 must be that of the card, and names and shapes those of the network. The exit status
    is 1 if a check fails.
    """
    from ipx.parts.weights import load_weights

    rows = []
    for path in [_chosen(name) for name in names] or _all():
        row = _row(path)
        try:
            if "error" not in row:
                load_weights(path, str(row["model"]))
        except IpxError as e:
            row["error"] = str(e)
        rows.append({**row, "ok": "error" not in row})
    if as_json:
        output.json_page(rows)
    else:
        table = [
            ("ok" if r["ok"] else "FAILED", r["name"], r["model"] or "-", r.get("error", ""))
            for r in rows
        ]
        click.echo(output.table(table))
    return 0 if all(row["ok"] for row in rows) else output.FAILED


def _chosen(name: str) -> Path:
    """The imported weights of a name, or a file."""
    found = [path for path in imported_weights() if path.name == f"{name}{SUFFIX}"]
    if found or Path(name).is_file():
        return found[0] if found else Path(name)
    raise UsageError(f"{name} is neither a file nor imported; ipx weights list shows what is")
