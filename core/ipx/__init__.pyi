"""The list of the public names of ipx, each with the module that defines it.

Type checkers read this file, and ``ipx/__init__.py`` to import each name on first use.
"""

from ipx._version import __version__ as __version__
from ipx.declare.capabilities import (
    Adjoint as Adjoint,
    AuxiliaryField as AuxiliaryField,
    Box as Box,
    Capability as Capability,
    CodePenalty as CodePenalty,
    DataDual as DataDual,
    DataGrad as DataGrad,
    DataProx as DataProx,
    DataQuadratic as DataQuadratic,
    DataSplit as DataSplit,
    Denoise as Denoise,
    Diagonal as Diagonal,
    Grad as Grad,
    JointSolve as JointSolve,
    Latent as Latent,
    Linear as Linear,
    Local as Local,
    LogProb as LogProb,
    Matching as Matching,
    NoiseGrad as NoiseGrad,
    NoiseProx as NoiseProx,
    Nonnegative as Nonnegative,
    Norm as Norm,
    NormalSolve as NormalSolve,
    Orthonormal as Orthonormal,
    PartSolve as PartSolve,
    Prox as Prox,
    ProxConjugate as ProxConjugate,
    Quadratic as Quadratic,
    QuadraticModel as QuadraticModel,
    QuadraticPrior as QuadraticPrior,
    Sample as Sample,
    Sampled as Sampled,
    SampledSolve as SampledSolve,
    Scalar as Scalar,
    Shape as Shape,
    SoftRange as SoftRange,
    Spectrum as Spectrum,
    Stabilised as Stabilised,
    StochasticGrad as StochasticGrad,
    Value as Value,
    ValueGrad as ValueGrad,
    has as has,
    using as using,
)
from ipx.declare.facts import Ask as Ask, Gain as Gain
from ipx.declare.foreign import (
    ExecutorSpec as ExecutorSpec,
    IOSpec as IOSpec,
    LayoutSpec as LayoutSpec,
    LibrarySpec as LibrarySpec,
)
from ipx.declare.hooks import hookimpl as hookimpl
from ipx.declare.kinds import KINDS as KINDS
from ipx.declare.options import (
    NoOptions as NoOptions,
    OneSizeOptions as OneSizeOptions,
    Options as Options,
    opt as opt,
)
from ipx.declare.specs import (
    AdapterSpec as AdapterSpec,
    GeneratorSpec as GeneratorSpec,
    Knowledge as Knowledge,
    ModelSpec as ModelSpec,
    Need as Need,
    NoiseSpec as NoiseSpec,
    OperatorSpec as OperatorSpec,
    PriorSpec as PriorSpec,
    SamplerSpec as SamplerSpec,
    SolverSpec as SolverSpec,
    TunerSpec as TunerSpec,
)
from ipx.declare.traits import (
    DENOISER_SHARE as DENOISER_SHARE,
    LEAST_SIGMA as LEAST_SIGMA,
    Traits as Traits,
)
from ipx.errors import (
    InputError as InputError,
    IpxError as IpxError,
    MissingExtraError as MissingExtraError,
    OptionError as OptionError,
    PlanError as PlanError,
    PluginError as PluginError,
    ShapeError as ShapeError,
    UnknownNameError as UnknownNameError,
    UsageError as UsageError,
    did_you_mean as did_you_mean,
)
from ipx.files.cards import (
    find_weights as find_weights,
    trained_for as trained_for,
    trained_traits as trained_traits,
)
from ipx.files.compare import psnr as psnr
from ipx.files.format import Format as Format, Raster as Raster
from ipx.files.numbers import read_array as read_array
from ipx.files.storage import Storage as Storage
from ipx.jobs.comparison import Compared as Compared, Comparison as Comparison, compare as compare
from ipx.jobs.executor import Executor as Executor, Team as Team, Workers as Workers
from ipx.jobs.explain import explain as explain
from ipx.jobs.explained import Explained as Explained
from ipx.numerics.cg import conjugate_gradient as conjugate_gradient
from ipx.numerics.devices import open_device as open_device
from ipx.numerics.metrics import log_error as log_error
from ipx.numerics.spectral import (
    BasisName as BasisName,
    Spectral as Spectral,
    irfft2 as irfft2,
    irfftn as irfftn,
)
from ipx.numerics.tensors import (
    column as column,
    image_dot as image_dot,
    image_norm as image_norm,
    image_sum as image_sum,
    levels as levels,
    mirrored as mirrored,
    normal_like as normal_like,
    opponent as opponent,
    per_image as per_image,
    squares as squares,
    vector as vector,
)
from ipx.parts.component import Component as Component
from ipx.parts.functions import denoiser as denoiser, linear as linear
from ipx.parts.generative import Generative as Generative, OneSize as OneSize
from ipx.parts.generator import Generator as Generator
from ipx.parts.gradient import Gradient as Gradient
from ipx.parts.imports import import_weights as import_weights
from ipx.parts.layout import Imported as Imported, Layout as Layout
from ipx.parts.library import Library as Library, adapt as adapt, export as export
from ipx.parts.linear import (
    Identity as Identity,
    LinearOperator as LinearOperator,
    is_identity as is_identity,
    operator_norm as operator_norm,
    signed_data as signed_data,
)
from ipx.parts.model import LabelledModel as LabelledModel, Model as Model
from ipx.parts.noise import Noise as Noise
from ipx.parts.normal import NormalSystem as NormalSystem
from ipx.parts.operator import (
    Estimate as Estimate,
    Operator as Operator,
)
from ipx.parts.prior import OuterProx as OuterProx, Prior as Prior
from ipx.parts.stack import from_scipy as from_scipy, vstack as vstack
from ipx.parts.sum import Sum as Sum
from ipx.parts.weights import (
    Weights as Weights,
    load_generative as load_generative,
    load_weights as load_weights,
)
from ipx.planning.plan import Plan as Plan
from ipx.planning.settings import SolveSettings as SolveSettings
from ipx.solving.attach import attach as attach, best_for as best_for, plan_for as plan_for
from ipx.solving.build import (
    generator as generator,
    model as model,
    noise as noise,
    operator as operator,
    prior as prior,
    sampler as sampler,
    solver as solver,
    tuner as tuner,
)
from ipx.solving.degrade import degrade as degrade
from ipx.solving.doors import (
    deconvolve as deconvolve,
    denoise_bm3d as denoise_bm3d,
    denoise_tv as denoise_tv,
    inpaint as inpaint,
)
from ipx.solving.loop import iterate as iterate
from ipx.solving.observers import (
    BestSoFar as BestSoFar,
    History as History,
    Observer as Observer,
    Statistics as Statistics,
)
from ipx.solving.posterior import Posterior as Posterior, Statistic as Statistic
from ipx.solving.problem import (
    DataTerm as DataTerm,
    Problem as Problem,
    Term as Term,
    kinked as kinked,
    known_count as known_count,
    noise_deviation as noise_deviation,
    noise_variance as noise_variance,
)
from ipx.solving.progress import Progress as Progress, Result as Result
from ipx.solving.restore import Restoration as Restoration, restore as restore, solve as solve
from ipx.solving.sample import sample as sample
from ipx.solving.sampler import (
    Random as Random,
    Sampler as Sampler,
    temperature as temperature,
)
from ipx.solving.solver import Solver as Solver, State as State
from ipx.solving.states import load_state as load_state, save_state as save_state
from ipx.solving.tuner import Solve as Solve, Tuned as Tuned, Tuner as Tuner
