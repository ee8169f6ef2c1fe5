"""
My own operator in 20 lines
===========================

An instrument that ipx does not know: a scanner whose lines are averaged in pairs, and fade to the
right. An operator says what it makes of an image, and its adjoint.
"""

# %%
# Tensors are ``(B, C, H, W)``. The data have half as many rows as the image.
import matplotlib.pyplot as plt
import torch
from skimage import data, img_as_float

import ipx


class Scanner(ipx.LinearOperator):
    """Means of pairs of rows, weaker to the right."""

    def __init__(self, image_shape):
        super().__init__(image_shape)
        channels, height, width = image_shape
        self.data_shape = (channels, height // 2, width)
        self.light = torch.linspace(1, 0.5, width)

    def forward(self, x):
        return self.light.to(x) * (x[..., ::2, :] + x[..., 1::2, :]) / 2

    def adjoint(self, y):
        return (self.light.to(y) * y / 2).repeat_interleave(2, -2)


# %%
# It is checked like those that come with ipx: <A x, u> = <x, A^T u>.
scanner = Scanner((1, 96, 96))
x, u = torch.rand(1, 1, 96, 96), torch.rand(1, 1, 48, 96)
assert torch.isclose((scanner(x) * u).sum(), (x * scanner.adjoint(u)).sum())

# %%
# It restores with any prior. The plan says how solvers get from it what they need.
truth = img_as_float(data.camera())[90:186, 200:296]
noise = {"name": "gaussian", "sigma": 0.02}
y = ipx.degrade(truth, op=scanner, noise=noise)
how = ipx.solve(y, op=scanner, noise=noise, prior="drunet")
print("\n".join(how.plan.lines()))

shown = {"truth": truth, "data": y, "restored": how.image}
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for axis, (title, picture) in zip(axes, shown.items(), strict=True):
    axis.imshow(picture, cmap="gray", vmin=0, vmax=1)
    axis.set_title(title)
    axis.set_axis_off()

# %%
# ``ipx new-plugin scanner`` writes a package for it, so that ``--op scanner`` works everywhere.
