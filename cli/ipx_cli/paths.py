"""Paths of outputs, and what may be overwritten."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ipx.declare.options import as_path, shortened
from ipx.errors import InputError, UsageError
from ipx.files.contents import is_many, output_name
from ipx.files.record import record_path
from ipx.files.written import wrote
from ipx.jobs.inputs import Input


def pair(
    inputs: Sequence[Input],
    output: str | None,
    word: str,
    suffix: str | None = None,
    many: bool = False,
) -> list[tuple[Path, Path]]:
    """Each input with its output.

    Args:
        inputs: the input images.
        output: the value of ``-o``: a file for one input, or a folder in which each output has the
            path of its input in the tree; None puts ``NAME-word.EXT`` beside the input.
        word: ``restored``, ``degraded``.
        suffix: extension EXT; that of the input when None.
        many: a folder, pattern or list was given: ``output`` is a folder.

    Raises:
        UsageError: several inputs and one file, two outputs of the same name, or a name that is too
            long.
        InputError: an input is a folder.
    """

    for each in inputs:
        if not each.path.name:  # "." and "/"
            raise InputError(f"{each.path}: is a folder, not an image file")

    def beside(source: Path) -> Path:
        return source.with_name(
            f"{source.stem}-{word}{suffix or output_name(source, source).suffix}"
        )

    if output is None:
        pairs = [(each.path, beside(each.path)) for each in inputs]
    else:
        target, folder = Path(output), is_folder(output)
        if not folder and (many or len(inputs) > 1):
            given = f"{len(inputs)} inputs need"
            if len(inputs) == 1:
                given = "a folder, pattern or list (.txt) of inputs needs"
            raise UsageError(f"{given} a folder, and {output} is a file name")
        pairs = [
            (e.path, target / output_name(e.path, e.name) if folder else target) for e in inputs
        ]
    _check_names(target for _, target in pairs)
    seen: dict[str, Path] = {}
    for source, target in pairs:
        other = seen.setdefault(os.path.realpath(target), source)
        if other is not source:
            raise UsageError(f"{other} and {source} would both be written to {target}")
    return pairs


def is_folder(output: str | Path) -> bool:
    """True if a path for outputs is a folder: it is one, ends with a slash or has no suffix."""
    target = Path(output)
    return is_many(target) or str(output).endswith(("/", os.sep)) or not target.suffix


def _check_names(targets: Iterable[Path]) -> None:
    """Raise UsageError if the system cannot have the name of an output or of its record."""
    for record in map(record_path, targets):
        try:
            as_path(record)
        except ValueError as e:
            name = shortened(record.name)
            raise UsageError(f"the record {name} cannot be written: {e}; give --output") from e


def protect(
    pairs: Iterable[tuple[Path, Path]],
    read: Iterable[Path],
    others: Mapping[str, Mapping[Path, Path]],
    force: bool,
    more: Iterable[Path] = (),
) -> None:
    """Refuse to overwrite files that are read, and files that ipx has not written.

    Args:
        pairs: inputs and outputs.
        read: other files that are read: truth, PSF, mask, configuration.
        others: further files of each input, by what they are: ``panel``, ``report``.
        force: allow replacing files that ipx has not written according to a record.
        more: other files written with the output.

    Raises:
        UsageError: such a file exists.
    """
    pairs = list(pairs)
    precious = {_key(p) for p in [*(s for s, _ in pairs), *read]}
    outputs = {_key(target) for _, target in pairs}
    for source, target in pairs:
        if _key(target) in precious:
            raise UsageError(f"{source}: the output {target} is also an input")
        mine = {what: found[source] for what, found in others.items() if source in found}
        for what, path in mine.items():
            if _key(path) in precious or _key(path) in outputs:
                raise UsageError(f"the {what} {path} is also an input or an output")
        if len({_key(path) for path in mine.values()}) < len(mine):
            raise UsageError(f"{', '.join(mine)} would be written to one file")
        for path in (target, record_path(target), *more, *mine.values()):
            if not force and path.is_file() and path.stat().st_size and not wrote(target, path):
                _refuse(target, path)


def keep(outputs: Iterable[Path | None], read: Iterable[Path | None]) -> None:
    """Refuse outputs that are read, or are one file.

    Raises:
        UsageError: there is such an output.
    """
    precious = {_key(path) for path in read if path is not None}
    seen: set[object] = set()
    for path in filter(None, outputs):
        if _key(path) in precious:
            raise UsageError(f"the output {path} is also an input")
        if _key(path) in seen:
            raise UsageError(f"two outputs would be written to {path}")
        seen.add(_key(path))


def _refuse(target: Path, path: Path) -> None:
    """Say why a file is not replaced."""
    changed = path == target and wrote(target, record_path(target))
    why = "has changed since ipx wrote it" if changed else "exists and was not written by ipx"
    raise UsageError(f"{path} {why}; --force replaces it")


def _key(path: Path) -> object:
    """The identity of a file, with links resolved."""
    try:
        stat = path.stat()
    except OSError:
        return os.path.realpath(path)
    return stat.st_dev, stat.st_ino


def must_exist(inputs: Iterable[Path]) -> None:
    """Raise `InputError` for the first input that is not a file."""
    for source in inputs:
        if not source.exists():
            raise InputError(f"{source}: no such file")
        if is_many(source):
            raise InputError(f"{source}: is a folder, not an image file")


def beside(
    inputs: Sequence[Input], where: Path | None, word: str, suffix: str, many: bool = False
) -> list[Path | None]:
    """The panel or report of each input: the file; for several ``NAME-WORD.SUFFIX`` in a folder.

    Raises:
        UsageError: several inputs and one file.
    """
    if where is None:
        return [None] * len(inputs)
    several = many or len(inputs) > 1
    if not several and where.suffix:
        return [where]
    if where.suffix and not where.is_dir():
        raise UsageError(f"{len(inputs)} inputs need a folder for {word}s, and {where} is a file")
    return [where / each.name.with_name(f"{each.name.name}-{word}{suffix}") for each in inputs]


def truths(inputs: Sequence[Input], truth: Path | None) -> list[Path | None]:
    """The truth of each input: the file; in a folder, the file of the same path, name or stem.

    Raises:
        InputError: the folder has no such file, or several.
    """
    if truth is None or not is_many(truth):
        return [truth] * len(inputs)
    return [_truth(each.name, truth) for each in inputs]


def _truth(name: Path, folder: Path) -> Path:
    """The file in a folder that is the truth of an input."""
    for place in dict.fromkeys((folder / name.parent, folder)):
        same = place / name.name
        rest = sorted(p for p in place.glob("*") if p.stem == name.stem and p.suffix != ".json")
        if same.is_file() or len(rest) == 1:
            return same if same.is_file() else rest[0]
    raise InputError(f"{folder}: has no truth for {name}, or several")
