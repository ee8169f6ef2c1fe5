"""What authors of solvers need, beyond `ipx` itself: starts, steps, searches, Adam, Anderson.

Everything works image by image: a batch gives what its images give alone.
"""

from ipx.numerics.cg import conjugate_gradient as conjugate_gradient
from ipx.numerics.tensors import column as column
from ipx.numerics.tensors import image_dot as image_dot
from ipx.numerics.tensors import image_norm as image_norm
from ipx.numerics.tensors import image_sum as image_sum
from ipx.numerics.tensors import per_image as per_image
from ipx.numerics.tensors import vector as vector
from ipx.parts.linear import is_identity as is_identity
from ipx.parts.normal import NormalSystem as NormalSystem
from ipx.toolkit.adam import AdamMoments as AdamMoments
from ipx.toolkit.anderson import anderson as anderson
from ipx.toolkit.search import wolfe_search as wolfe_search
from ipx.toolkit.start import filled_start as filled_start
from ipx.toolkit.steps import SHARPER as SHARPER
from ipx.toolkit.steps import curvature_ahead as curvature_ahead
from ipx.toolkit.steps import descend as descend
from ipx.toolkit.steps import first_step as first_step
from ipx.toolkit.steps import gradient_of as gradient_of
from ipx.toolkit.steps import momentum as momentum
from ipx.toolkit.steps import penalty as penalty
from ipx.toolkit.steps import relative as relative
