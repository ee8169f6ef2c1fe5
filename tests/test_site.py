"""The documentation site, without sphinx: each thing has its entry, each link resolves."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest

import ipx
from ipx.declare import hooks
from ipx.declare.capabilities import capabilities_of
from ipx.declare.kinds import KINDS
from ipx.declare.registry import PluginInfo, registry
from ipx_cli.listing import plural
from ipx_cli.main import cli
from test_layers import PUBLIC_TOOLKIT
from test_links import DOCS as COMMITTED, MADE, broken

DOCS = Path(__file__).parents[1] / "docs"
sys.path.insert(0, str(DOCS))

from _site import gallery, generate, markdown, notebooks, pages, reference  # noqa: E402

PICTURES = frozenset({"operator-blur", "prior-tv"})
EXAMPLES = sorted(p for p in (DOCS / "examples").glob("*.py"))


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return generate.texts(DOCS, PICTURES)


@pytest.fixture(scope="module")
def site(texts: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages as sphinx reads them; for the how-to pages, which it makes, empty files."""
    root = tmp_path_factory.mktemp("site") / "docs"
    shutil.copytree(DOCS, root, ignore=shutil.ignore_patterns(*MADE, "_site", "__pycache__"))
    for page in root.rglob("*.md"):
        doc = page.relative_to(root).with_suffix("").as_posix()
        page.write_text(pages.read(doc, page.read_text("utf-8")), "utf-8")
    for place, text in texts.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(text, "utf-8")
    for name in PICTURES:
        (root / "gallery" / "pictures").mkdir(exist_ok=True)
        (root / "gallery" / "pictures" / f"{name}.png").touch()
    (root / "how-to").mkdir()
    for name in ("index", *(p.stem for p in EXAMPLES)):
        (root / "how-to" / f"{name}.rst").touch()
    return root


def sections(text: str) -> dict[str, str]:
    """Heading of the second level to what stands below it."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_links_of_the_site(site: Path) -> None:
    found = {str(p.relative_to(site)): list(broken(p)) for p in site.rglob("*.md")}
    found.pop("README.md")  # of the repository, whose links test_links checks
    assert {page: bad for page, bad in found.items() if bad} == {}
    assert len(found) > 50


@pytest.mark.parametrize("kind", KINDS)
def test_every_component_and_option_has_its_entry(kind: str, texts: dict[str, str]) -> None:
    entries = sections(texts[f"reference/{plural(kind)}.md"])
    reg = registry()
    assert list(entries) == list(reg.names(kind))
    for name, entry in entries.items():
        role = KINDS[kind].role or kind
        told = set(re.findall(rf"^\| `--{role}\.([\w-]+)` \|", entry, re.MULTILINE))
        spec = reg.get(kind, name)
        assert told == {option.replace("_", "-") for option in spec.options.infos()}, name
        assert markdown.escaped(spec.summary) in entry


def test_every_setting_capability_and_hook_has_its_entry(texts: dict[str, str]) -> None:
    told = set(re.findall(r"^\| `--([\w-]+)` \|", texts["reference/settings.md"], re.MULTILINE))
    assert {name.replace("_", "-") for name in ipx.SolveSettings.infos()} <= told
    entries = sections(texts["reference/capabilities.md"])
    kinds = ("operator", "noise", "prior", "data", "problem")
    assert set(entries) == {c.__name__ for kind in kinds for c in capabilities_of(kind)}
    assert list(sections(texts["reference/hooks.md"])) == [
        name for name in vars(hooks) if name.startswith("ipx_")
    ]


def test_every_command_has_its_entry(texts: dict[str, str]) -> None:
    entries = sections(texts["reference/commands.md"])
    with click.Context(cli) as context:
        for name in cli.list_commands(context):
            command = cli.get_command(context, name)
            assert command is not None
            entry = entries[f"ipx {name}"]
            options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
            assert all(f"`{p.opts[0]}`" in entry for p in options), name
    assert "ipx latent sample" in entries  # of a group


def test_every_public_name_has_its_entry(texts: dict[str, str]) -> None:
    entries = sections(texts["reference/python.md"])
    public = [f"ipx.{n}" for n in ipx.__all__ if not n.startswith("_")]
    tools = [f"ipx.toolkit.{n}" for n in PUBLIC_TOOLKIT if n not in ipx.__all__]
    assert set(entries) == {*public, *tools}


def test_every_page_is_in_the_navigation(texts: dict[str, str]) -> None:
    trees = re.findall(r"^```\{toctree\}\n(.*?)^```", texts["index.md"], re.MULTILINE | re.DOTALL)
    listed = {line for tree in trees for line in tree.splitlines() if line and line[0] != ":"}
    for page in COMMITTED:
        doc = page.relative_to(DOCS).with_suffix("").as_posix()
        assert doc in listed or doc == "README" or doc.startswith("benchmarks/"), doc


def test_figures_of_the_table_of_priors_are_measured() -> None:
    text = (DOCS / "which_prior.md").read_text("utf-8")
    rows = re.findall(r"^\| (.*) \| \[\w+\]\((benchmarks/\w+\.md)[^)]*\) \|$", text, re.MULTILINE)
    assert len(rows) > 20
    for row, page in rows:
        measured = re.findall(r"-?\d+\.\d+", (DOCS / page).read_text("utf-8"))
        measured += [m.lstrip("+") for m in measured]
        figures = re.findall(r"-?\d+\.\d\d(?!\d)", row)
        assert figures
        assert set(figures) <= set(measured), (row, set(figures) - set(measured))


def test_a_picture_for_each_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {"operator": "inpaint", "noise": "poisson", "prior": "tikhonov", "solver": "direct"}
    monkeypatch.setattr(gallery, "ITERATIONS", 3)
    for kind, name in chosen.items():
        panel = gallery.first(registry().get(kind, name))
        assert panel is not None, name
        assert len(panel) == (2 if kind == "noise" else 3)
        assert gallery.drawn(panel).size[1] == gallery.SCALE * gallery.SIDE
    assert gallery.first(registry().get("prior", "dncnn")) is None  # no weights
    page = gallery.pages(frozenset({"prior-tv"}))["gallery/priors.md"]
    assert page.count("](pictures/prior-tv.png)") == page.count("](pictures/") == 1


def test_a_component_of_a_third_party_appears_by_itself() -> None:
    ours = registry().get("prior", "tikhonov")
    spec = replace(ours, name="of-mine", summary="Mine.", plugin="mine")
    try:
        registry().add(PluginInfo("mine", "mine", "mine", "1", "ok"), [spec])
        assert "## of-mine" in reference.texts()["reference/priors.md"]
        assert "`of-mine`" in gallery.pages(frozenset())["gallery/priors.md"]
        assert gallery.first(spec) is not None
    finally:
        registry.cache_clear()


def test_a_notebook_writes_files_and_runs_commands() -> None:
    text = "See [this](a.md).\n\n```python\n# a/b.py\nx = 1\n```\n\n```console\n$ ipx list\n```\n"
    assert notebooks.source(text) == (
        "See this.\n\n```python\n%%writefile a/b.py\nx = 1\n```\n\n```python\n!ipx list\n```\n"
    )


def test_markup_in_docstrings_is_text() -> None:
    def function() -> None:
        """|x|_1 < 2 with ``a*b`` and [1].

        Args:
            x: shape ``(B,)``,
                or more.
            y: *any*.

        >>> 1 + 1
        2
        """

    assert markdown.docstring(function) == (
        "|x|_1 \\< 2 with `a*b` and \\[1\\].\n\n**Args**\n\n"
        "* `x`: shape `(B,)`, or more.\n* `y`: \\*any\\*.\n\n```python\n>>> 1 + 1\n2\n```"
    )
