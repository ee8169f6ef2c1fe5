"""The course pages: every command is one of the command line, every picture is there."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from ipx.files.sheets import sheet
from ipx_cli.main import cli

COURSE = Path(__file__).parents[1] / "docs" / "course"
sys.path.insert(0, str(COURSE))

import make  # noqa: E402

COMMANDS = [
    pytest.param(words, id=f"{name}-{i}")
    for name in make.PAGES
    for i, words in enumerate(make.commands(COURSE / f"{name}.md"))
]


def parsed(words: Sequence[str]) -> dict[str, object]:
    """The parameters of a command line, as click parses and checks them; nothing runs."""
    command: click.Command = cli
    context, rest = click.Context(cli, info_name="ipx"), list(words)
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None, name
        command = found
        if isinstance(command, click.Group):
            context = click.Context(command, parent=context, info_name=name)
    return command.make_context(name, rest, parent=context).params


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_of_the_pages_is_one(words: list[str], tmp_path: Path,
                                       monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert words[0] == "ipx"
    assert parsed(words[1:])


def test_a_wrong_command_is_found() -> None:
    with pytest.raises(click.UsageError):
        parsed(["solve", "--no-such-option"])
    with pytest.raises(Exception, match="no option"):
        parsed(["generate", "texture", "a.png", "-o", "b.png", "--generator.nothing", "1"])


@pytest.mark.parametrize("name", make.PAGES)
def test_what_a_page_reads_and_shows_is_made(name: str) -> None:
    page = COURSE / f"{name}.md"
    commands = make.commands(page)
    made = {name for words in commands for name in make.outputs(words)}
    given = {place for place, _ in make.inputs()}
    for picture in make.pictures(page):
        assert f"{picture}.png" in made, picture
        assert Image.open(COURSE / "pictures" / f"{picture}.webp").width <= make.WIDE
    before = set(given)
    for words in commands:
        own = make.outputs(words)
        read = {w for w in words[1:] if w.endswith((".png", ".tif"))} - set(own)
        assert {w for w in read if not w.startswith(("digits/", "small/"))} <= before, words
        before |= set(own)


def test_the_pictures_are_small_and_none_is_left_over() -> None:
    files = list((COURSE / "pictures").iterdir())
    assert sum(path.stat().st_size for path in files) < 3_000_000
    shown = {f"{p}.webp" for name in make.PAGES for p in make.pictures(COURSE / f"{name}.md")}
    assert {path.name for path in files} == shown


def test_a_tall_sheet_is_cut_between_its_pictures() -> None:
    made = [np.full((1, 6, 8), (i + 1) / 16, np.float32) for i in range(12)]
    tall = sheet(made, 1, 1)[0]  # 94 x 8
    shown = make.folded(Image.fromarray(tall * 255).convert("RGB"))
    assert shown.size == (3 * 8 + 2 * make.BETWEEN, 4 * 8 - 2)
    left = [c * (8 + make.BETWEEN) for c in range(3)]
    pixels = np.asarray(shown)[..., 0]
    columns = np.concatenate([pixels[::8, x] for x in left])  # a pixel of each picture
    np.testing.assert_allclose(columns / 255, [p[0, 0, 0] for p in made], atol=1 / 255)
    whole = Image.fromarray(np.uint8(200) * np.ones((94, 8), np.uint8)).convert("RGB")
    assert make.folded(whole) is whole  # no gaps
    assert make.folded(shown).size == shown.size


def test_a_page_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its commands run in a folder, once, and pictures of the page are made of what they wrote."""
    page = tmp_path / "vae.md"
    page.write_text(
        "```console\n$ ipx degrade camera.png -o spoilt.png --noise.sigma 0.1\n"
        "$ ipx generate texture brick.png -o wall.png --size 40\n```\n"
        "![a](pictures/spoilt.webp) ![b](pictures/wall.webp)\n"
    )
    monkeypatch.setattr(make, "HERE", tmp_path)
    monkeypatch.setattr(sys, "argv", ["make.py", "vae", "--work", str(tmp_path / "work")])
    runs: list[list[str]] = []

    def called(words: list[str], work: Path) -> tuple[int, str]:
        monkeypatch.chdir(work)
        runs.append(words)
        return CliRunner().invoke(cli, words).exit_code, ""

    monkeypatch.setattr(make, "call", called)
    assert make.main() == 0
    assert make.main() == 0  # nothing is made again
    assert len(runs) == 2
    assert Image.open(tmp_path / "pictures" / "wall.webp").size == (400, 400)


def test_a_figure_that_no_command_said_is_told(tmp_path: Path) -> None:
    page = tmp_path / "vae.md"
    page.write_text(
        "```console\n$ ipx solve a.png --lam 0.25\n```\n"
        "`tv` 24.50, then 26.12 dB; in 1.25.2 of 2026-12-01, 0.5, and 7.00 dB.\n"
    )
    assert make.stale(page, "psnr 24.50 -> 26.13, 7.00") == ["26.12"]
    assert make.stale(page, "") == ["24.50", "26.12", "7.00"]
