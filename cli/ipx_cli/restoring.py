"""Restoring the inputs of a command line, here or by workers, and what is shown of each."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from ipx.declare.registry import registry
from ipx.errors import UsageError
from ipx.files.atomic import folder_for
from ipx.files.record import record_path
from ipx.jobs.executor import Workers, cores, distributed, executor_for
from ipx.jobs.manifest import Manifest, check_manifest, manifest_name
from ipx.jobs.unit import Outcome, Solving, Unit, attempt
from ipx.numerics.free import free_memory
from ipx.planning.request import Request
from ipx_cli import batch, output, progress

BLANK: batch.Row = dict.fromkeys(
    (
        *("input", "output", "status", "plan", "lam", "rule", "sigma", "iterations", "seconds"),
        *("psnr_before", "psnr_after", "ssim_before", "ssim_after", "outputs"),
        *("warnings", "posterior"),
    )
)
"""The keys of the row of an image."""

Restoring = Callable[[Sequence[Unit]], Generator[Outcome]]
"""What becomes of each unit of a batch, as they end."""


@dataclass(frozen=True)
class Work:
    """The work of a command line.

    Attributes:
        request: the restoration.
        units: inputs and outputs; empty for the bundled image.
        read: files that are read besides the inputs.
        expect: sha256 of the input in the record given as configuration.
        argv: the command line.
        given: the other options.
        many: a folder, pattern or list was given.
    """

    request: Request
    units: list[Unit]
    read: list[Path]
    argv: list[str]
    given: dict[str, Any]
    expect: str | None = None
    many: bool = False

    @property
    def pairs(self) -> list[tuple[Path, Path]]:
        """Inputs and outputs."""
        return [(unit.source, unit.target) for unit in self.units]

    @property
    def note(self) -> Callable[[str], None]:
        """Prints a note for the user."""
        return output.noter(self.given["quiet"])

    @property
    def show(self) -> Callable[[batch.Row], None]:
        """Prints a row."""
        as_json: bool = self.given["as_json"]
        return output.json_line if as_json else partial(_line, quiet=self.given["quiet"])


def restored(work: Work) -> int:
    """Restore the inputs; the exit status."""
    given, units = work.given, work.units
    if given["cluster"]:
        executor_for(given["cluster"])  # an unknown one is told before anything is written
    index = _index(work)
    at = manifest_of(work)
    with Manifest(at) as manifest:
        tally = batch.Tally(work.show, BLANK, work.note, manifest)
        with closing(outcomes(work, solving_of(work), units)) as ended:
            code = batch.run(ended, tally, len(units), "restored", given["on_error"] == "stop")
    if index is not None and tally.rows:
        from ipx.jobs.indexed import write_index

        each = [unit for unit in units if unit.number in tally.rows]
        write_index(index, [tally.rows[u.number] for u in each], [u.report for u in each])
        work.note(f"reports: {index}")
    return code


def _index(work: Work) -> Path | None:
    """The file of the index of the reports, if there is one.

    Raises:
        UsageError: it would replace another file.
    """
    if work.given["report"] is None or not (work.many or len(work.units) > 1):
        return None
    from ipx.jobs.indexed import INDEX, check_replaced

    shard = work.given["shard"]
    part = "" if shard is None else f"-{shard[0]}-of-{shard[1]}"
    index: Path = work.given["report"] / INDEX.replace(".", f"{part}.")
    check_replaced(index, work.given["force"])
    return index


def manifest_of(work: Work) -> Path | None:
    """The file of the manifest, if there is one.

    Raises:
        UsageError: it would replace another file.
    """
    given = work.given
    at: Path | None = given["manifest"]
    if at is None and work.many and given["output"]:
        at = Path(given["output"]) / manifest_name(given.get("shard"))
    if at is None:
        return None
    check_manifest(at, given["force"])
    for unit in work.units:
        if at in (unit.source, unit.target, record_path(unit.target)):
            raise UsageError(f"the manifest {at} is also an input or an output")
    return at


def solving_of(work: Work) -> Solving:
    """The work on a unit. Several units keep the components from one to the next."""
    given = work.given
    jobs = _jobs(work)
    free = free_memory() if jobs > 1 and given["cluster"] in (None, "local") else None
    return Solving(
        request=work.request,
        argv=tuple(work.argv),
        # on a cluster a unit whose worker has died is begun again, and may be done
        resume=given["resume"] or bool(given["cluster"]),
        force=given["force"],
        pixels=given["max_pixels"],
        expect=work.expect,
        threads=None if given["jobs"] is None and not given["cluster"] else 1,
        token=secrets.token_hex(8) if work.many or len(work.units) > 1 else "",
        memory=None if free is None else free // jobs,
    )


def _jobs(work: Work) -> int:
    """The processes that restore at the same time on this machine, or jobs of a cluster."""
    given = work.given
    jobs: int = given["jobs"] or (cores() if given["cluster"] else 1)
    return min(jobs, len(work.units)) if work.units else jobs  # of a watched folder more may come


@contextmanager
def restoring(work: Work, solving: Solving) -> Iterator[Restoring]:
    """A function that restores units, here or by workers, and tells what becomes of each.

    Workers stay from one call to the next.
    """
    given, jobs = work.given, _jobs(work)
    if not (given["cluster"] or jobs > 1):
        yield lambda units: _one_by_one(work, solving, units)
        return
    workers = Workers(jobs, given["cluster"] or "", work.note, ("ipx.jobs.solve",))
    with distributed(solving, workers) as run:
        yield run


def outcomes(work: Work, solving: Solving, units: Sequence[Unit]) -> Generator[Outcome]:
    """What becomes of each unit, as they end."""
    with restoring(work, solving) as run:
        yield from begun(work, run, units)


def begun(work: Work, run: Restoring, units: Sequence[Unit]) -> Generator[Outcome]:
    """What becomes of each unit, whose folders are made first."""
    if work.many or work.given["jobs"] or work.given["cluster"]:
        _make_folders(units)
    yield from run(units)


def _one_by_one(work: Work, solving: Solving, units: Sequence[Unit]) -> Generator[Outcome]:
    """What becomes of each unit in this process, with a line of progress."""
    pace = progress.Pace(len(units))
    for unit in units:
        with pace.line(unit.source.name, work.given["quiet"]) as report:
            done = attempt(unit, partial(solving.restored, report=report, note=work.note))
        yield done


def _make_folders(units: Sequence[Unit]) -> None:
    """Make the folders of all outputs.

    Units do it, too, and remove what they have made if they fail: another one may be about to write
    there.

    Raises:
        InputError: a folder cannot be made.
    """
    files = {p for u in units for p in (u.target, u.panel, u.report, u.std) if p is not None}
    for folder in sorted({path.parent for path in files}):
        with folder_for(folder / "any"):
            pass


def _line(row: dict[str, Any], quiet: bool) -> None:
    if quiet or row["status"] == "failed":
        return
    words = {"budget": "stopped", "doubtful": "stopped", "unmixed": "stopped"}
    steps = row["iterations"]
    if row["status"] == "done":
        done = f"done in {steps} step{'s' if steps != 1 else ''}"
    else:
        word = words.get(row["status"], row["status"])
        done = f"{word} after {steps} iteration{'s' if steps != 1 else ''}"
    if not steps:  # `Prior.typical`
        done = "the start is already as likely as a clean image; no iteration was taken"
    parts = [f"{done} of {row['plan']['solver']} ({row['seconds']:.1f} s)"]
    if row["lam"] is not None:
        lams = row["lam"] if isinstance(row["lam"], list) else [row["lam"]]
        how = f" ({row['rule']})" if row["rule"] not in ("", "given") else ""
        parts.append(f"lam {' + '.join(map(output.number, lams))}{how}")
    if row.get("tiles") is not None:
        tiles = row["tiles"]
        parts.append(f"{tiles['count']} tiles, seams below {output.number(tiles['seam'], 2)}")
    if row["sigma"] is not None:
        parts.append(f"noise {output.number(row['sigma'])}{_unit(row['plan']['noise'])}")
    if row["psnr_after"] is not None:
        before = "" if row["psnr_before"] is None else f"{row['psnr_before']:.2f} -> "
        parts.append(f"PSNR {before}{row['psnr_after']:.2f} dB")
    if row["ssim_after"] is not None:
        parts.append(f"SSIM {row['ssim_before']:.3f} -> {row['ssim_after']:.3f}")
    if row.get("sam_after") is not None:
        parts.append(f"SAM {row['sam_before']:.2f} -> {row['sam_after']:.2f} degrees")
    parts += _drawn(row.get("posterior"))
    parts += [path for name, path in row.get("outputs", {}).items() if path != row["output"]]
    click.echo(f"{row['input']} -> {row['output']}: {', '.join(parts)}")


def _unit(noise: str) -> str:
    """The unit of the level of a noise model; none for that of the data."""
    spec = registry().get("noise", noise)
    option = spec.traits_for().level
    unit = spec.options.infos()[option].unit if option else ""
    return f" {unit}" if unit not in ("", "intensity") else ""


def _drawn(found: dict[str, Any] | None) -> list[str]:
    """What the draws tell, in words."""
    if found is None:
        return []
    parts = [f"{found['draws']} draws by {found['sampler']} ({found['seconds']:.1f} s)"]
    parts[0] += f", {found['ess']:.0f} effective"
    parts += [f"R-hat {value:.3f} ({name})" for name, value in (found["rhat"] or {}).items()]
    for text, (value, error) in found["claims"].items():
        parts.append(f"{text}: {output.number(value)} +- {output.number(error)}")
    return parts
