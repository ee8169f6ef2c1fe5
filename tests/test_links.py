"""Links of README, CHANGELOG and docs: every relative link resolves, every anchor exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[1]
MADE = {"_build", "gallery", "how-to", "notebooks", "reference", "index.md"}
"""What sphinx makes in docs; `test_site` checks it."""

DOCS = sorted(
    page
    for page in (ROOT / "docs").rglob("*.md")
    if page.relative_to(ROOT / "docs").parts[0] not in MADE
)
PAGES = [*sorted(ROOT.glob("*.md")), *DOCS]

FENCE = re.compile(r"^( *)(```+|~~~+).*?^\1\2", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"\[[^\[\]]*\]\(([^()\s]+)(?: \"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)?$", re.MULTILINE)


def links(text: str) -> list[str]:
    """Targets of the links of a page, those in code left out."""
    return LINK.findall(CODE.sub("code", FENCE.sub("", text)))


def anchors(text: str) -> set[str]:
    """Anchors of the headings of a page, as GitHub makes them."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        shown = re.sub(r"\[([^\[\]]*)\]\([^()]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        repeated = (f"{slug}-{n}" for n in range(1, 1000))
        found.add(slug if slug not in found else next(s for s in repeated if s not in found))
    return found


def broken(page: Path) -> Iterator[str]:
    """The links of a page that lead nowhere, with the reason."""
    for target in links(page.read_text("utf-8")):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):  # https:, mailto:
            continue
        place, _, anchor = unquote(target).partition("#")
        path = (page.parent / place).resolve() if place else page
        if not path.exists():
            yield f"{target}: there is no such file"
        elif anchor and (path.suffix != ".md" or anchor not in anchors(path.read_text("utf-8"))):
            yield f"{target}: there is no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page(page: Path) -> None:
    assert list(broken(page)) == []


def test_broken_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text(
        "# One, `two_2`!\n## Same\n## Same\n```\n# no heading\n[code](no.md)\n```\n"
        "[up](#one-two_2) [again](b.md#same-1) [`x[0]`](b.md) `[code](no.md)` [out](https://x.org)\n"
        "[across\nlines](gone.md) [bad](#no-heading) [text](b.md#sam) ![image](gone.png)\n"
    )
    (tmp_path / "b.md").write_text("# Same\n# Same\n")
    assert [line.split(":")[0] for line in broken(page)] == [
        "gone.md", "#no-heading", "b.md#sam", "gone.png",
    ]  # fmt: skip
    assert anchors(page.read_text()) == {"one-two_2", "same", "same-1"}
