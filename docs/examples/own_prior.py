"""
My own prior
============

A prior is a class with what it can do: a value and a gradient, a proximal map, or a denoiser. One
of them is enough.
"""

# %%
# Images whose second differences are small: R is the sum of ``sqrt((Lx)^2 + e^2)`` over the pixels,
# L the Laplacian.
import matplotlib.pyplot as plt
import torch
from skimage import data, img_as_float
from torch.nn.functional import avg_pool2d, conv2d, pad

import ipx


class Bends(ipx.Prior):
    """Few bends of the surface of grey levels."""

    def laplacian(self, x):
        kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]).to(x).view(1, 1, 3, 3)
        flat = pad(x.flatten(0, 1)[:, None], (1, 1, 1, 1), mode="replicate")
        return conv2d(flat, kernel).view(x.shape)

    def value(self, x):
        return ipx.image_sum((self.laplacian(x) ** 2 + 1e-4).sqrt())


# %%
# ``value`` is all it needs: ipx differentiates it. The weight is given here; without it a search
# finds one, which takes several solves.
truth = img_as_float(data.camera())[90:186, 200:296]
blur = {"name": "blur", "sigma": 1.5}
noise = {"name": "gaussian", "sigma": 0.02}
y = ipx.degrade(truth, op=blur, noise=noise)
bends = ipx.solve(y, op=blur, noise=noise, prior=Bends(), lam=0.002)
print("\n".join(bends.plan.lines()))


# %%
# A denoiser is a prior, too, by plug-and-play. Any function goes in: a filter, a network.
class Smoothing(ipx.Prior):
    """A local Wiener filter."""

    def denoise(self, x, sigma):
        mean = avg_pool2d(x, 5, 1, 2, count_include_pad=False)
        power = avg_pool2d((x - mean) ** 2, 5, 1, 2, count_include_pad=False)
        noise = ipx.column(ipx.vector(sigma, x), x) ** 2
        return mean + (power - noise).clamp_min(0) / power.clamp_min(1e-9) * (x - mean)


smoothed = ipx.solve(y, op=blur, noise=noise, prior=Smoothing())
print("\n".join(smoothed.plan.lines()))

shown = {"data": y, "Bends": bends.image, "Smoothing": smoothed.image}
figure, axes = plt.subplots(1, 3, figsize=(9, 3.4), layout="constrained")
for axis, (title, picture) in zip(axes, shown.items(), strict=True):
    axis.imshow(picture, cmap="gray")
    axis.set_title(f"{title}, {float(ipx.psnr(picture, truth)):.1f} dB")
    axis.set_axis_off()
