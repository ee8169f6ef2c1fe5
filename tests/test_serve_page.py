"""The page of ``ipx serve`` in headless Chromium. Skipped, with a word, where it is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browsing import chromium, violations
from ipx.files import images
from serving import Server, serving
from third_party import as_installed

for extra in ("starlette", "uvicorn", "multipart", "jinja2"):
    pytest.importorskip(extra, reason=f"not run: {extra} is missing")
pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[1] / "docs" / "plugins" / "ipx-example"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With the example package installed, as a third party's."""
    package = shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("third") / EXAMPLE.name)
    where = tmp_path_factory.mktemp("serve")
    with serving(where, sites=[as_installed(package)]) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made


def opened(browser: Any, server: Server, errors: list[str], **options: Any) -> Any:
    """A page; what its console says goes to ``errors``."""
    page = browser.new_context(reduced_motion="reduce", **options).new_page()
    page.set_default_timeout(60_000)
    page.on("console", lambda m: errors.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(server.address)
    return page


def test_from_a_picture_to_its_restoration(server: Server, browser: Any, tmp_path: Path) -> None:
    source, errors = tmp_path / "photo.tif", list[str]()
    images.write(source, images.bundled().pixels[:, 20:68, 90:154], dtype="uint16")
    page = opened(browser, server, errors, viewport={"width": 1280, "height": 900})
    assert not violations(page)
    page.set_input_files("#file", source)
    page.wait_for_selector("#shown")
    assert " 48, colour, uint16" in page.inner_text("figcaption")

    page.select_option("#role-op", "blur")
    page.fill("#op-blur-sigma", "1.2")
    page.wait_for_selector("#plan >> text=gaussian(blur(x), y)")
    offered = page.locator("#role-op option").all_inner_texts()
    assert any("(ipx-example)" in name for name in offered)
    page.select_option("#role-prior", "tv")
    page.select_option("#role-solver", "fbp")
    page.wait_for_selector("#plan >> text=Does not start")
    page.select_option("#role-solver", "admm")
    page.locator("#weight > summary").focus()
    page.keyboard.press("Enter")
    page.fill("#settings-iterations", "1000000")
    page.fill("#settings-tol", "0")
    page.fill("#lam", "0.01")
    page.wait_for_selector("#plan >> text=admm: minimise")

    page.locator("#run").press("Enter")
    page.wait_for_selector("#job[data-frame]")  # a picture of the run
    page.wait_for_selector("#shown[src*='/frame.png']")
    assert not violations(page)
    page.click("#cancel")
    page.wait_for_selector("#job[data-state=cancelled]")
    page.fill("#settings-iterations", "20")
    page.wait_for_selector("#retold code:has-text('--iterations 20 ')", state="attached")
    page.click("#run")
    page.wait_for_selector("#job[data-state=done] .compare")

    divider = page.locator(".compare input")
    at = "document.querySelector('.compare').style.getPropertyValue('--at')"
    divider.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(at) == "50.5%"
    box = divider.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    assert abs(float(page.evaluate(at)[:-1]) - 25) < 3
    assert page.evaluate(
        "[...document.querySelectorAll('.compare img')].every(i => i.complete && i.naturalWidth)"
    )
    with page.expect_download() as waiting:
        page.click("text=photo-restored.tif >> visible=true")
    written = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(written)
    assert written.name == "photo-restored.tif"
    assert images.read(written).dtype == "uint16"
    assert not violations(page)
    assert errors == []


def test_dark_and_on_a_phone(server: Server, browser: Any) -> None:
    errors = list[str]()
    size = {"width": 390, "height": 844}
    page = opened(browser, server, errors, viewport=size, color_scheme="dark", has_touch=True)
    page.click("text=or try a bundled one")
    page.wait_for_selector("#shown")
    page.wait_for_selector("#plan >> text=gaussian(blur(x), y)")
    page.click("#fits > summary")
    page.click("#retold > summary")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not violations(page)
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(paper)
    page.click("#theme")
    assert page.evaluate(paper) != dark
    page.reload()
    assert page.evaluate(paper) != dark  # it is remembered
    assert not violations(page)
    assert errors == []
