"""What a request assumes about the data of a file. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipx.declare.facts import Ask
from ipx.declare.specs import OperatorSpec
from ipx.errors import InputError, UsageError
from ipx.files.contents import folder_format, is_one
from ipx.files.lookup import by_suffix
from ipx.files.record import read_record, record_path
from ipx.files.written import unchanged
from ipx.planning.plan import Plan
from ipx.planning.request import Request
from ipx.planning.settings import SolveSettings
from ipx.planning.tree import AUTO, Tree

if TYPE_CHECKING:
    from ipx.files.images import Picture


def assumptions(request: Request, source: Path) -> list[str]:
    """Notes on what is assumed about the operator because the request does not state it.

    Data that `ipx degrade` has simulated with this operator need no description. A record whose
    hash is not that of the file is not believed, which a note says.

    Args:
        request: the restoration.
        source: the file of the data.

    Raises:
        UsageError: a fact is missing that cannot be assumed, such as a mask; names the options.
    """
    described = request.tree("op")
    record = _record(source, described.to_mapping())
    if record is not None and unchanged(record, source, [source]):
        return []
    stale = f"{source}: the record beside it is of another file: the data count as measured"
    notes = [] if record is None else [stale]
    if not request.named:
        return [*notes, "no operator given: denoising only; give --op NAME for other degradations"]
    sizes = _sizes(request, source)
    notes += _about_sizes(described, sizes, source)
    parts = _parts(described)
    return notes + [n for part in parts if (n := _note(part, described, sizes)) is not None]


def for_measured(request: Request, source: Path) -> Request:
    """The request with the operator's defaults for real data, unless the data are simulated.

    Args:
        request: the restoration.
        source: the file of the data.
    """
    described = request.tree("op")
    if not isinstance(described.spec, OperatorSpec) or _simulated(source, described.to_mapping()):
        return request
    told = {**described.spec.measured, **_sizes(request, source)}
    usual = {k: v for k, v in told.items() if k not in described.given}
    op = {**described.to_mapping(), "name": described.name, **usual}
    return replace(request, op=op) if usual else request


def _sizes(request: Request, source: Path) -> dict[str, float]:
    """The options of the operator that are the size of a pixel, as the file of the data tells."""
    spec = request.tree("op").spec
    if not isinstance(spec, OperatorSpec) or not spec.spacing or not is_one(source):
        return {}
    from ipx.files.numbers import spacing_of

    told = spacing_of(source, request.settings.axes)
    return {name: told[axis] for name, axis in spec.spacing.items() if -axis <= len(told)}


def _about_sizes(described: Tree, sizes: Mapping[str, float], source: Path) -> list[str]:
    """What is taken from the file, and what was told otherwise."""
    from ipx.files.numbers import ALIKE

    taken = [f"{k} {v:.3g}" for k, v in sizes.items() if k not in described.given]
    notes = [f"{described.name} {' and '.join(taken)} micrometres, as {source} tells"]
    for name in sorted(described.given & sizes.keys()):
        given, told = getattr(described.options, name), sizes[name]
        if abs(given - told) > ALIKE * told:
            notes.append(
                f"--op.{name} is {given:.3g} micrometres, and {source} tells {told:.3g}: one of "
                "them is wrong"
            )
    return notes if taken else notes[1:]


def plan_for(request: Request, source: Path) -> Plan:
    """The plan for a file, whose axes and channels it may depend on.

    Raises:
        PlanError: nothing fits.
    """
    measured = for_measured(request, source)
    if not is_one(source):
        return measured.plan()
    told = measured.settings.axes is not None
    if measured.prior["name"] != AUTO and (told or not _may_be_volume(source)):
        return measured.plan()
    from ipx.jobs.records import read_data

    picture = read_data(measured, source)
    measured = with_axes(measured, picture.axes)
    return measured.settled(picture.shape[0])[1] or measured.plan()


def _may_be_volume(source: Path) -> bool:
    """True if a file of this format may tell that it holds a volume."""
    spec = by_suffix(source) or folder_format(source)
    return spec is not None and spec.stacks


def with_axes(request: Request, axes: str) -> Request:
    """The request with the axes of the data, unless they were told."""
    if request.settings.axes is not None or "Z" not in axes:
        return request
    values = {name: getattr(request.settings, name) for name in SolveSettings.infos()}
    return replace(request, settings=SolveSettings(**{**values, "axes": axes}))


def scaled(request: Request, picture: Picture) -> list[str]:
    """The note on the values of a float file that stand for [0, 1], if they are others."""
    if (
        picture.scale == 1
        or not picture.dtype.startswith("float")
        or request.tree("op").facts.traits.complex
    ):
        return []
    high = picture.offset + picture.scale
    return [f"values from {picture.offset:g} to {high:g} of float files stand for [0, 1]"]


def of_other_size(request: Request, picture: Picture) -> list[str]:
    """Notes on files of the operator, such as a PSF, whose pixels have another size."""
    from ipx.files.numbers import ALIKE, spacing_of

    notes = []
    for path in request.tree("op").files() if picture.spacing else ():
        theirs = spacing_of(path)
        pairs = list(zip(reversed(theirs), reversed(picture.spacing), strict=False))
        if any(abs(a - b) > ALIKE * b for a, b in pairs):
            told = [" x ".join(f"{v:.3g}" for v in size) for size in (theirs, picture.spacing)]
            notes.append(
                f"{path} has pixels of {told[0]} micrometres, the data have {told[1]}: resample one"
            )
    return notes


def _simulated(source: Path, operator: dict[str, Any]) -> bool:
    """True if the data were simulated with this operator, and are as they were written."""
    record = _record(source, operator)
    return record is not None and unchanged(record, source, [source])


def _record(source: Path, operator: dict[str, Any]) -> dict[str, Any] | None:
    """The record beside the data, if it is of a simulation with this operator."""
    try:
        record = read_record(record_path(source))
        ours = record["command"] == "degrade" and record["requested"]["op"] == operator
    except (InputError, LookupError, TypeError):
        return None
    return record if ours else None


def _parts(described: Tree) -> Iterator[Tree]:
    yield described
    for part in described.parts:
        yield from _parts(part)


def _note(part: Tree, whole: Tree, found: Collection[str]) -> str | None:
    """The note on one operator; None if it is described, with the options that were found.

    Raises:
        UsageError: it is not, and cannot be assumed.
    """
    ask = part.spec.asks(part.options) if isinstance(part.spec, OperatorSpec) else None
    if ask is None or any(getattr(part.options, f) is not None for f in ask.files):
        return None
    known = {*part.given, *(found if part is whole else ())}
    missing = [name for name in ask.options if name not in known]
    if not missing:
        return None
    # the parts of a composed operator have no options on the command line
    start = "--op." if part is whole else ""
    give = _ways(ask, [*missing], start)
    if not ask.guess:
        raise UsageError(f"operator {part.name} must be told {ask.what}: give {give}")
    values = " and ".join(_value(part, name) for name in missing)
    return f"assumed {part.name} {values}; give {give}"


def _ways(ask: Ask, missing: list[str], start: str) -> str:
    """The options that state the fact: ``--op.sigma or --op.kernel``; files first in errors."""
    told = " and ".join(f"{start}{name.replace('_', '-')}" for name in missing)
    files = [f"{start}{name.replace('_', '-')}" for name in ask.files if name not in missing]
    ways = [told, *files] if ask.guess else [*files, told]
    return " or ".join(ways)


def _value(part: Tree, name: str) -> str:
    """``sigma 2 pixels``: the value of an option with its unit."""
    assert part.options is not None
    info = type(part.options).infos()[name]
    value = getattr(part.options, name)
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{name} {text} {info.unit}".rstrip()
