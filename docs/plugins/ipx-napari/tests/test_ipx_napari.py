"""The widget's function, its form, and the manifest."""

from types import SimpleNamespace
from typing import Any

import ipx
import numpy as np
import pytest
from ipx_napari.widget import operators, priors, restore


def layer(data: Any, rgb: bool = False) -> Any:
    return SimpleNamespace(data=data, name="cells", scale=(0.1, 0.1), translate=(0, 0), rgb=rgb)


def blurred() -> tuple[np.ndarray, np.ndarray]:
    truth = np.tile(np.linspace(0.2, 0.4, 32), (32, 1))
    truth[8:20, 8:20] = 0.9
    noise = {"name": "gaussian", "sigma": 0.02}
    return truth, ipx.degrade(truth, op={"name": "blur", "sigma": 1.2}, noise=noise, seed=1)


def test_a_layer_is_restored() -> None:
    truth, y = blurred()
    x, shown, kind = restore(layer(y), "blur", prior="tv", options="op.sigma=1.2", lam="0.001")
    assert (kind, shown["name"], shown["scale"]) == ("image", "cells restored", (0.1, 0.1))
    assert "lam tv(x)" in shown["metadata"]["ipx"]["plan"][0]
    assert np.mean((x - truth) ** 2) < 0.6 * np.mean((y - truth) ** 2)


def test_colour() -> None:
    _, y = blurred()
    x, shown, _ = restore(layer(np.stack([y] * 3, -1), rgb=True), prior="tv", lam="0.01")
    assert (x.shape, shown["rgb"]) == ((32, 32, 3), True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"layer": layer(np.zeros((4, 8, 8)))}, "cells: take a plane"),
        ({"options": "op.size=3"}, "identity has no option size; it has none"),
        ({"options": "sigma=3"}, "sigma=3: write op.NAME=VALUE"),
        ({"operator": "blur", "options": "op.sigma=wide"}, "sigma"),
    ],
)
def test_mistakes_are_one_line(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ipx.IpxError, match=message):
        restore(**{"layer": layer(np.zeros((8, 8))), "lam": "0.1", "prior": "tv", **given})


def test_components_are_those_of_the_registry() -> None:
    assert {"blur", "identity"} <= set(operators())
    assert priors()[0] == "auto"


def test_the_manifest_is_valid() -> None:
    npe2 = pytest.importorskip("npe2")
    manifest = npe2.PluginManifest.from_distribution("ipx-napari")
    manifest.validate_imports()
    (widget,) = manifest.contributions.widgets
    assert widget.display_name == "Restore (ipx)"
