"""One function, of which napari makes a form.

Its annotations are values and not text, since the form is made of them.
"""

import shlex
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

import ipx
from ipx.declare.registry import registry

if TYPE_CHECKING:
    import napari

KINDS = {"op": "operator", "noise": "noise", "prior": "prior"}


def operators(widget: Any = None) -> list[str]:
    """The operators of all plugins."""
    return registry().names("operator")


def noises(widget: Any = None) -> list[str]:
    """The noise models of all plugins."""
    return registry().names("noise")


def priors(widget: Any = None) -> list[str]:
    """The priors of all plugins, and ``auto``."""
    return ["auto", *registry().names("prior")]


def restore(
    layer: "napari.layers.Image",
    operator: Annotated[str, {"choices": operators}] = "identity",
    noise: Annotated[str, {"choices": noises}] = "gaussian",
    prior: Annotated[str, {"choices": priors}] = "auto",
    options: str = "",
    lam: str = "auto",
) -> "napari.types.LayerDataTuple":
    """Restore a layer.

    Args:
        layer: ``(H, W)``, or ``(H, W, 3)`` with its mark for RGB.
        operator: what degraded the image.
        noise: its noise model.
        prior: the prior.
        options: of the three, as in ``op.sigma=2 prior.boundary=reflect``.
        lam: weight of the prior, or ``auto``.

    Returns:
        A layer above it; its metadata tell plan, lam and warnings.

    Raises:
        InputError: the layer is a stack, or has several scales.
        IpxError: the restoration cannot be made; napari shows the line.
    """
    data = np.asarray(layer.data) if hasattr(layer.data, "dtype") else None
    if data is None or data.ndim != (3 if layer.rgb else 2):
        raise ipx.InputError(
            f"{layer.name}: take a plane, grey or RGB; for a stack there is ipx solve --axes ZYX"
        )
    parts = told({"op": operator, "noise": noise, "prior": prior}, options)
    weight = lam if lam == "auto" else float(lam)
    how = ipx.solve(data, **parts, lam=weight)
    metadata = {"ipx": {"plan": how.plan.lines(), "lam": str(how.lam), "warnings": how.warnings}}
    shown = {
        "name": f"{layer.name} restored",
        "scale": layer.scale,
        "translate": layer.translate,
        "rgb": layer.rgb,
        "metadata": metadata,
    }
    return how.image, shown, "image"


def told(names: dict[str, str], options: str) -> dict[str, Any]:
    """Names and options as `ipx.solve` takes them.

    Raises:
        UsageError: an option is unknown, or its value does not fit.
    """
    parts: dict[str, Any] = {role: {"name": name} for role, name in names.items()}
    if names["prior"] == "auto":
        parts["prior"] = "auto"
    for word in shlex.split(options):
        key, _, value = word.partition("=")
        role, _, option = key.partition(".")
        if role not in parts or not isinstance(parts[role], dict):
            raise ipx.UsageError(f"{word}: write op.NAME=VALUE, or noise. or prior. instead of op.")
        infos = registry().get(KINDS[role], names[role]).options.infos()
        if option not in infos:
            known = ", ".join(infos) or "none"
            raise ipx.UsageError(f"{names[role]} has no option {option}; it has {known}")
        parts[role][option] = infos[option].parse(value)
    return parts
