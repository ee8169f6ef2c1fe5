"""
How sure is the result
======================

A restoration is one picture of many that fit the data. Draws from the posterior tell how much they
differ.

.. code-block:: console

   $ ipx solve y.tif --op inpaint --op.mask mask.png --prior smooth --estimate mmse --interval 90
"""

# %%
# The right half of the picture has holes.
import matplotlib.pyplot as plt
import numpy as np
from skimage import data, img_as_float

import ipx

truth = img_as_float(data.coins())[60:124, 20:84]
mask = np.ones(truth.shape)
mask[:, 32:] = np.random.default_rng(0).random((64, 32)) < 0.3
np.save("mask.npy", mask)
holes = {"name": "inpaint", "mask": "mask.npy"}
noise = {"name": "gaussian", "sigma": 0.05}
y = ipx.degrade(truth, op=holes, noise=noise)

# %%
# With the quadratic prior ``smooth`` the posterior is Gaussian, and its draws are exact and
# independent. The tuner ``em`` takes the weight under which the data are likeliest.
how = ipx.solve(
    y, op=holes, noise=noise, prior="smooth", tuner="em", estimate="mmse", interval=90, draws=100
)
std, lower, upper = (how.outputs[name][0, 0].numpy() for name in ("std", "lower", "upper"))
print("status", how.status)
print(f"standard deviation, left {std[:, :32].mean():.3f}, right {std[:, 32:].mean():.3f}")
print(f"pixels within their bounds of 90 %: {np.mean((lower <= truth) & (truth <= upper)):.2f}")

# %%
# Where pixels are missing the deviation is larger.
shown = {"data": y, "mean of the draws": how.image, "standard deviation": std}
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for axis, (title, picture) in zip(axes, shown.items(), strict=True):
    axis.imshow(picture, cmap="magma" if title.startswith("standard") else "gray")
    axis.set_title(title)
    axis.set_axis_off()

# %%
# A statement about a region is surer than one about a pixel: ``claim="mean(x[20:40,4:24]) > 0.5"``
# gives its probability.
