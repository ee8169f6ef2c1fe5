"""ipx: restore images. Given y = noise(A x), find x.

Importing this package is cheap; whatever needs torch is imported when it is first used.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ipx.capabilities import (
    Adjoint,
    CodePenalty,
    DataDual,
    DataGrad,
    DataProx,
    DataQuadratic,
    Denoise,
    Diagonal,
    Grad,
    Latent,
    LogProb,
    Matching,
    NoiseGrad,
    NoiseProx,
    Norm,
    NormalSolve,
    Prox,
    ProxConjugate,
    Quadratic,
    QuadraticPrior,
    Sample,
    Scalar,
    Shape,
    SoftRange,
    Spectrum,
    StochasticGrad,
    Value,
)
from ipx.errors import (
    InputError,
    IpxError,
    MissingExtraError,
    OptionError,
    PlanError,
    PluginError,
    ShapeError,
    UnknownNameError,
    UsageError,
    did_you_mean,
)
from ipx.hookspecs import hookimpl
from ipx.options import NoOptions, Options, opt
from ipx.specs import (
    AdapterSpec,
    ModelSpec,
    Need,
    NoiseSpec,
    OperatorSpec,
    PriorSpec,
    SolverSpec,
    TunerSpec,
)

if TYPE_CHECKING:
    from ipx.algebra import from_scipy, vstack
    from ipx.bridges import Identity, Normal, conjugate_gradient
    from ipx.component import (
        Component,
        has,
        image_dot,
        image_norm,
        image_sum,
        mirrored,
        normal_like,
        per_image,
    )
    from ipx.compose import model, noise, operator, prior, solver, tuner
    from ipx.devices import open_device
    from ipx.generative import Generative, OneSize
    from ipx.gradient import Gradient
    from ipx.images import read_array
    from ipx.iterate import Result, iterate, known_count, noise_variance
    from ipx.metrics import log_error, psnr
    from ipx.model import Model
    from ipx.noise import Noise
    from ipx.operator import LinearOperator, Operator, operator_norm
    from ipx.prior import OuterProx, Prior
    from ipx.problem import DataTerm, Problem
    from ipx.restore import Restoration, degrade, restore, solve
    from ipx.solver import Solver, State
    from ipx.spectral import Spectral, irfft2
    from ipx.tuner import Solve, Tuned, Tuner
    from ipx.weights import Weights, load_weights

__version__ = "0.1.0"

_LAZY = {
    "ipx.algebra": ("from_scipy", "vstack"),
    "ipx.bridges": ("Identity", "Normal", "conjugate_gradient"),
    "ipx.component": (
        "Component",
        "has",
        "image_dot",
        "image_norm",
        "image_sum",
        "mirrored",
        "normal_like",
        "per_image",
    ),
    "ipx.compose": ("model", "noise", "operator", "prior", "solver", "tuner"),
    "ipx.gradient": ("Gradient",),
    "ipx.devices": ("open_device",),
    "ipx.images": ("read_array",),
    "ipx.iterate": ("Result", "iterate", "known_count", "noise_variance"),
    "ipx.metrics": ("log_error", "psnr"),
    "ipx.generative": ("Generative", "OneSize"),
    "ipx.model": ("Model",),
    "ipx.noise": ("Noise",),
    "ipx.operator": ("LinearOperator", "Operator", "operator_norm"),
    "ipx.prior": ("OuterProx", "Prior"),
    "ipx.problem": ("DataTerm", "Problem"),
    "ipx.restore": ("Restoration", "degrade", "restore", "solve"),
    "ipx.solver": ("Solver", "State"),
    "ipx.spectral": ("Spectral", "irfft2"),
    "ipx.tuner": ("Solve", "Tuned", "Tuner"),
    "ipx.weights": ("Weights", "load_weights"),
}
_WHERE = {name: module for module, names in _LAZY.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'ipx' has no attribute {name!r}")


class _Face(ModuleType):
    """Lets `ipx.operator` and its like be the functions, not the modules of the same name.

    Importing ``ipx.operator`` makes Python set the attribute to the module; it is not let.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _WHERE and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Face


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])


__all__ = [
    "AdapterSpec",
    "Adjoint",
    "CodePenalty",
    "Component",
    "DataDual",
    "DataGrad",
    "DataProx",
    "DataQuadratic",
    "DataTerm",
    "Denoise",
    "Diagonal",
    "Generative",
    "Grad",
    "Gradient",
    "Identity",
    "InputError",
    "IpxError",
    "Latent",
    "LinearOperator",
    "LogProb",
    "Matching",
    "MissingExtraError",
    "Model",
    "ModelSpec",
    "Need",
    "NoOptions",
    "Noise",
    "NoiseGrad",
    "NoiseProx",
    "NoiseSpec",
    "Norm",
    "Normal",
    "NormalSolve",
    "OneSize",
    "Operator",
    "OperatorSpec",
    "OptionError",
    "Options",
    "OuterProx",
    "PlanError",
    "PluginError",
    "Prior",
    "PriorSpec",
    "Problem",
    "Prox",
    "ProxConjugate",
    "Quadratic",
    "QuadraticPrior",
    "Restoration",
    "Result",
    "Sample",
    "Scalar",
    "Shape",
    "ShapeError",
    "SoftRange",
    "Solve",
    "Solver",
    "SolverSpec",
    "Spectral",
    "Spectrum",
    "State",
    "StochasticGrad",
    "Tuned",
    "Tuner",
    "TunerSpec",
    "UnknownNameError",
    "UsageError",
    "Value",
    "Weights",
    "conjugate_gradient",
    "degrade",
    "did_you_mean",
    "from_scipy",
    "has",
    "hookimpl",
    "image_dot",
    "image_norm",
    "image_sum",
    "irfft2",
    "iterate",
    "known_count",
    "load_weights",
    "log_error",
    "mirrored",
    "model",
    "noise",
    "noise_variance",
    "normal_like",
    "open_device",
    "operator",
    "operator_norm",
    "opt",
    "per_image",
    "prior",
    "psnr",
    "read_array",
    "restore",
    "solve",
    "solver",
    "tuner",
    "vstack",
]
