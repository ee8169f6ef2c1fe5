"""Building blocks of solvers and operators: starts, steps, searches, gradients of linear maps.

All functions work image by image: a batch of N gives what N batches of one give.
"""

from ipx.numerics.cg import conjugate_gradient as conjugate_gradient
from ipx.numerics.ends import END_SHARES as END_SHARES, cut_off as cut_off
from ipx.numerics.spectral import dct_matrix as dct_matrix
from ipx.numerics.tensors import (
    column as column,
    image_distance as image_distance,
    image_dot as image_dot,
    image_norm as image_norm,
    image_sum as image_sum,
    per_image as per_image,
    vector as vector,
)
from ipx.numerics.transpose import linear_map as linear_map
from ipx.parts.linear import is_identity as is_identity
from ipx.parts.normal import NormalSystem as NormalSystem
from ipx.toolkit.adam import AdamMoments as AdamMoments
from ipx.toolkit.anderson import anderson as anderson
from ipx.toolkit.search import wolfe_search as wolfe_search
from ipx.toolkit.start import filled_start as filled_start
from ipx.toolkit.steps import (
    SHARPER as SHARPER,
    curvature_ahead as curvature_ahead,
    descend as descend,
    expected_misfit as expected_misfit,
    first_step as first_step,
    gradient_of as gradient_of,
    momentum as momentum,
    penalty as penalty,
    relative as relative,
    value_and_gradient as value_and_gradient,
)
