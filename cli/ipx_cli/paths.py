"""Paths of outputs, and what may be overwritten."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ipx.declare.options import as_path, shortened
from ipx.errors import InputError, UsageError
from ipx.files.record import record_path
from ipx.files.written import wrote


def pair(
    inputs: Sequence[Path], output: str | None, word: str, suffix: str | None = None
) -> list[tuple[Path, Path]]:
    """Each input with its output.

    Args:
        inputs: the input images.
        output: the value of ``-o``: a file for one input, or a folder in which each output has the
            name of its input; None puts ``NAME-word.EXT`` beside the input.
        word: ``restored``, ``degraded``.
        suffix: extension EXT; that of the input when None.

    Raises:
        UsageError: several inputs and one file, two outputs of the same name, or a name that is too
            long.
        InputError: an input is a folder.
    """

    for source in inputs:
        if not source.name:  # "." and "/"
            raise InputError(f"{source}: is a folder, not an image file")

    def beside(source: Path) -> Path:
        return source.with_name(f"{source.stem}-{word}{suffix or source.suffix}")

    if output is None:
        pairs = [(source, beside(source)) for source in inputs]
    else:
        target = Path(output)
        folder = target.is_dir() or output.endswith(("/", os.sep)) or not target.suffix
        if not folder and len(inputs) > 1:
            raise UsageError(f"{len(inputs)} inputs need a folder, and {output} is a file name")
        pairs = [(source, target / source.name if folder else target) for source in inputs]
    _check_names(target for _, target in pairs)
    seen: dict[str, Path] = {}
    for source, target in pairs:
        other = seen.setdefault(os.path.realpath(target), source)
        if other is not source:
            raise UsageError(f"{other} and {source} would both be written to {target}")
    return pairs


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
        if source.is_dir():
            raise InputError(f"{source}: is a folder, not an image file")


def beside(
    pairs: Sequence[tuple[Path, Path]], where: Path | None, word: str, suffix: str
) -> dict[Path, Path]:
    """The panel or report of each input: the file; in a folder, ``NAME-WORD.SUFFIX`` for several.

    Raises:
        UsageError: several inputs and one file.
    """
    if where is None:
        return {}
    if len(pairs) == 1 and where.suffix:
        return {pairs[0][0]: where}
    if where.suffix and not where.is_dir():
        raise UsageError(f"{len(pairs)} inputs need a folder for {word}s, and {where} is a file")
    return {source: where / f"{source.name}-{word}{suffix}" for source, _ in pairs}


def truths(pairs: Sequence[tuple[Path, Path]], truth: Path | None) -> dict[Path, Path]:
    """The truth of each input: the file; in a folder, the file of the same name or stem.

    Raises:
        InputError: the folder has no such file, or several.
    """
    if truth is None:
        return {}
    if not truth.is_dir():
        return {source: truth for source, _ in pairs}
    out = {}
    for source, _ in pairs:
        same = truth / source.name
        rest = sorted(p for p in truth.glob("*") if p.stem == source.stem and p.suffix != ".json")
        if not same.is_file() and len(rest) != 1:
            raise InputError(f"{truth}: has no truth for {source.name}, or several")
        out[source] = same if same.is_file() else rest[0]
    return out
