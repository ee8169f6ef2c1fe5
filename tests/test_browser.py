"""Reports in a browser: slider, zoom, sorting, colours, phone width, accessibility, no network.

They run where Playwright (the extra ``browser``) and Chromium are installed, else they are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browsing import chromium, violations

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made


class Looked:
    """A page in a window, with all that it asked for and complained about."""

    def __init__(self, browser: Any, path: Path, width: int = 1200, scheme: str = "light") -> None:
        size = {"width": width, "height": 800}
        self.context = browser.new_context(
            viewport=size, color_scheme=scheme, reduced_motion="reduce"
        )
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.goto(path.as_uri())

    def __enter__(self) -> Any:
        return self.page

    def __exit__(self, kind: object, *rest: object) -> None:
        self.context.close()
        if kind is None:
            others = [url for url in self.asked if not url.startswith(("data:", "file:"))]
            assert others == []
            assert self.said == []


def report(pages: Path) -> Path:
    return pages / "out" / "a.png-report.html"


def test_the_slider_moves_by_mouse_and_keys(browser: Any, pages: Path) -> None:
    with Looked(browser, report(pages)) as page:
        split = (
            "() => parseFloat(document.querySelector('.stage').style.getPropertyValue('--split'))"
        )
        assert page.evaluate(split) == 50
        box = page.locator(".stage").bounding_box()
        middle = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + 0.5 * box["width"], middle)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.2 * box["width"], middle, steps=3)
        page.mouse.up()
        assert page.evaluate(split) == pytest.approx(20, abs=1)
        page.keyboard.press("ArrowRight")
        assert page.evaluate(split) == pytest.approx(21, abs=1)
        page.keyboard.press("End")
        assert page.evaluate(split) == 100
        page.locator("[data-side=right]").select_option("truth")
        assert page.locator(".tag.right").inner_text() == "Truth"
        source = "(what) => document.querySelector(what).src"
        assert page.evaluate(source, ".stage img.right") == page.evaluate(
            source, "[data-name=truth]"
        )


def test_one_zoom_for_all_images(browser: Any, pages: Path) -> None:
    with Looked(browser, report(pages)) as page:
        all_same = """() => {
            const found = [...document.querySelectorAll('.frame img, .stage img')];
            return [...new Set(found.map((image) => image.style.transform))];
        }"""
        page.locator("[data-zoom=in]").click()
        first = page.evaluate(all_same)
        assert len(first) == 1
        assert "scale(2)" in first[0]
        frame = page.locator(".frame").nth(2)
        frame.focus()
        page.keyboard.press("ArrowLeft")
        moved = page.evaluate(all_same)
        assert len(moved) == 1
        assert moved != first
        box = frame.bounding_box()
        page.mouse.move(box["x"] + 50, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + 20, box["y"] + 30, steps=2)
        page.mouse.up()
        assert page.evaluate(all_same) not in (moved, first)
        page.keyboard.press("0")
        assert page.evaluate(all_same) == [""]
        frame.dblclick()
        assert page.locator(".zoom output").inner_text() == "2×"  # noqa: RUF001


def test_the_index_sorts_and_searches(browser: Any, pages: Path) -> None:
    with Looked(browser, pages / "out" / "index.html") as page:
        column = """() => [...document.querySelectorAll('tbody tr')].map(
            (row) => Number(row.cells[3].dataset.key))"""
        button = page.get_by_role("button", name="PSNR", exact=True)
        button.click()
        values = page.evaluate(column)
        assert values == sorted(values, reverse=True)
        assert page.locator("th[aria-sort=descending]").inner_text().startswith("PSNR")
        button.focus()
        page.keyboard.press("Enter")
        assert page.evaluate(column) == sorted(values)
        page.get_by_role("searchbox").fill("b.png")
        assert page.locator("tbody tr:visible").count() == 1
        page.get_by_role("link", name="b.png").click()
        assert page.locator("h1").inner_text() == "b.png"


def test_dark_and_light(browser: Any, pages: Path) -> None:
    back = "getComputedStyle(document.body).backgroundColor"
    with Looked(browser, report(pages)) as page:
        light = page.evaluate(back)
        page.locator("#theme").click()
        dark = page.evaluate(back)
        assert dark != light
        page.locator("#theme").click()
        assert page.evaluate(back) == light
    with Looked(browser, report(pages), scheme="dark") as page:
        assert page.evaluate(back) == dark


@pytest.mark.parametrize("name", ["out/a.png-report.html", "out/index.html", "compare.html"])
def test_phone_width_and_accessibility(browser: Any, pages: Path, name: str) -> None:
    for width, scheme in ((375, "dark"), (1200, "light")):
        with Looked(browser, pages / name, width, scheme) as page:
            if scheme == "light":
                page.evaluate("document.querySelectorAll('details').forEach((d) => d.open = true)")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            # what colours and width do not change is looked at once
            found = violations(page, ["color-contrast"] if scheme == "dark" else None)
            bad = [(v["id"], [node["target"] for node in v["nodes"]]) for v in found]
            assert bad == [], (name, width)
