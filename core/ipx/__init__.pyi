"""The public names of ipx, each with the module that defines it: the only list of them.

Type checkers read this file; `ipx` itself reads it to import each name when it is first used.
"""

from ipx._version import __version__ as __version__
from ipx.declare.capabilities import (
    Adjoint as Adjoint,
)
from ipx.declare.capabilities import (
    Capability as Capability,
)
from ipx.declare.capabilities import (
    CodePenalty as CodePenalty,
)
from ipx.declare.capabilities import (
    DataDual as DataDual,
)
from ipx.declare.capabilities import (
    DataGrad as DataGrad,
)
from ipx.declare.capabilities import (
    DataProx as DataProx,
)
from ipx.declare.capabilities import (
    DataQuadratic as DataQuadratic,
)
from ipx.declare.capabilities import (
    DataSplit as DataSplit,
)
from ipx.declare.capabilities import (
    Denoise as Denoise,
)
from ipx.declare.capabilities import (
    Diagonal as Diagonal,
)
from ipx.declare.capabilities import (
    Grad as Grad,
)
from ipx.declare.capabilities import (
    JointSolve as JointSolve,
)
from ipx.declare.capabilities import (
    Latent as Latent,
)
from ipx.declare.capabilities import (
    Linear as Linear,
)
from ipx.declare.capabilities import (
    LogProb as LogProb,
)
from ipx.declare.capabilities import (
    Matching as Matching,
)
from ipx.declare.capabilities import (
    NoiseGrad as NoiseGrad,
)
from ipx.declare.capabilities import (
    NoiseProx as NoiseProx,
)
from ipx.declare.capabilities import (
    Norm as Norm,
)
from ipx.declare.capabilities import (
    NormalSolve as NormalSolve,
)
from ipx.declare.capabilities import (
    PartSolve as PartSolve,
)
from ipx.declare.capabilities import (
    Prox as Prox,
)
from ipx.declare.capabilities import (
    ProxConjugate as ProxConjugate,
)
from ipx.declare.capabilities import (
    Quadratic as Quadratic,
)
from ipx.declare.capabilities import (
    QuadraticPrior as QuadraticPrior,
)
from ipx.declare.capabilities import (
    Sample as Sample,
)
from ipx.declare.capabilities import (
    Scalar as Scalar,
)
from ipx.declare.capabilities import (
    Shape as Shape,
)
from ipx.declare.capabilities import (
    SoftRange as SoftRange,
)
from ipx.declare.capabilities import (
    Spectrum as Spectrum,
)
from ipx.declare.capabilities import (
    StochasticGrad as StochasticGrad,
)
from ipx.declare.capabilities import (
    Value as Value,
)
from ipx.declare.capabilities import (
    has as has,
)
from ipx.declare.capabilities import (
    using as using,
)
from ipx.declare.hooks import hookimpl as hookimpl
from ipx.declare.kinds import KINDS as KINDS
from ipx.declare.options import NoOptions as NoOptions
from ipx.declare.options import Options as Options
from ipx.declare.options import opt as opt
from ipx.declare.specs import (
    AdapterSpec as AdapterSpec,
)
from ipx.declare.specs import (
    IOSpec as IOSpec,
)
from ipx.declare.specs import (
    ModelSpec as ModelSpec,
)
from ipx.declare.specs import (
    Need as Need,
)
from ipx.declare.specs import (
    NoiseSpec as NoiseSpec,
)
from ipx.declare.specs import (
    OperatorSpec as OperatorSpec,
)
from ipx.declare.specs import (
    PriorSpec as PriorSpec,
)
from ipx.declare.specs import (
    SolverSpec as SolverSpec,
)
from ipx.declare.specs import (
    TunerSpec as TunerSpec,
)
from ipx.declare.traits import DENOISER_SHARE as DENOISER_SHARE
from ipx.declare.traits import Traits as Traits
from ipx.errors import (
    InputError as InputError,
)
from ipx.errors import (
    IpxError as IpxError,
)
from ipx.errors import (
    MissingExtraError as MissingExtraError,
)
from ipx.errors import (
    OptionError as OptionError,
)
from ipx.errors import (
    PlanError as PlanError,
)
from ipx.errors import (
    PluginError as PluginError,
)
from ipx.errors import (
    ShapeError as ShapeError,
)
from ipx.errors import (
    UnknownNameError as UnknownNameError,
)
from ipx.errors import (
    UsageError as UsageError,
)
from ipx.errors import (
    did_you_mean as did_you_mean,
)
from ipx.files.format import Format as Format
from ipx.files.format import Raster as Raster
from ipx.files.images import read_array as read_array
from ipx.numerics.cg import conjugate_gradient as conjugate_gradient
from ipx.numerics.devices import open_device as open_device
from ipx.numerics.metrics import log_error as log_error
from ipx.numerics.metrics import psnr as psnr
from ipx.numerics.spectral import Spectral as Spectral
from ipx.numerics.spectral import irfft2 as irfft2
from ipx.numerics.tensors import (
    column as column,
)
from ipx.numerics.tensors import (
    image_dot as image_dot,
)
from ipx.numerics.tensors import (
    image_norm as image_norm,
)
from ipx.numerics.tensors import (
    image_sum as image_sum,
)
from ipx.numerics.tensors import (
    mirrored as mirrored,
)
from ipx.numerics.tensors import (
    normal_like as normal_like,
)
from ipx.numerics.tensors import (
    per_image as per_image,
)
from ipx.numerics.tensors import (
    vector as vector,
)
from ipx.parts.component import Component as Component
from ipx.parts.generative import Generative as Generative
from ipx.parts.generative import OneSize as OneSize
from ipx.parts.gradient import Gradient as Gradient
from ipx.parts.linear import (
    Identity as Identity,
)
from ipx.parts.linear import (
    LinearOperator as LinearOperator,
)
from ipx.parts.linear import (
    is_identity as is_identity,
)
from ipx.parts.linear import (
    operator_norm as operator_norm,
)
from ipx.parts.model import Model as Model
from ipx.parts.noise import Noise as Noise
from ipx.parts.normal import NormalSystem as NormalSystem
from ipx.parts.operator import Operator as Operator
from ipx.parts.prior import OuterProx as OuterProx
from ipx.parts.prior import Prior as Prior
from ipx.parts.stack import from_scipy as from_scipy
from ipx.parts.stack import vstack as vstack
from ipx.parts.weights import Weights as Weights
from ipx.parts.weights import load_weights as load_weights
from ipx.planning.plan import Plan as Plan
from ipx.planning.settings import SolveSettings as SolveSettings
from ipx.solving.attach import attach as attach
from ipx.solving.attach import plan_for as plan_for
from ipx.solving.build import (
    model as model,
)
from ipx.solving.build import (
    noise as noise,
)
from ipx.solving.build import (
    operator as operator,
)
from ipx.solving.build import (
    prior as prior,
)
from ipx.solving.build import (
    solver as solver,
)
from ipx.solving.build import (
    tuner as tuner,
)
from ipx.solving.degrade import degrade as degrade
from ipx.solving.loop import iterate as iterate
from ipx.solving.observers import (
    BestSoFar as BestSoFar,
)
from ipx.solving.observers import (
    History as History,
)
from ipx.solving.observers import (
    Observer as Observer,
)
from ipx.solving.observers import (
    Statistics as Statistics,
)
from ipx.solving.problem import (
    DataTerm as DataTerm,
)
from ipx.solving.problem import (
    Problem as Problem,
)
from ipx.solving.problem import (
    Term as Term,
)
from ipx.solving.problem import (
    known_count as known_count,
)
from ipx.solving.problem import (
    noise_variance as noise_variance,
)
from ipx.solving.progress import Progress as Progress
from ipx.solving.progress import Result as Result
from ipx.solving.restore import Restoration as Restoration
from ipx.solving.restore import restore as restore
from ipx.solving.restore import solve as solve
from ipx.solving.solver import Solver as Solver
from ipx.solving.solver import State as State
from ipx.solving.states import load_state as load_state
from ipx.solving.states import save_state as save_state
from ipx.solving.tuner import Solve as Solve
from ipx.solving.tuner import Tuned as Tuned
from ipx.solving.tuner import Tuner as Tuner
