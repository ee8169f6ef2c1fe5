"""
A 16-bit micrograph with a measured PSF
=======================================

Fluorescence counts photons, a camera stores them with 16 bits, and beads tell the PSF.

.. code-block:: console

   $ ipx psf beads.tif -o psf.tif
   $ ipx solve cells.tif --op blur --op.kernel psf.tif --noise poisson -o sharp.tif

The output has 16 bits and the range of the input.
"""

# %%
# A simulated specimen: bright discs on a dim background, 300 photons where it is brightest, stored
# as the camera does.
import matplotlib.pyplot as plt
import numpy as np
import tifffile

import ipx

random = np.random.default_rng(0)
rows, columns = np.mgrid[:72, :72]
specimen = np.full((72, 72), 0.05)
for row, column, radius in random.uniform((8, 8, 2), (64, 64, 7), (15, 3)):
    specimen[np.hypot(rows - row, columns - column) < radius] += 0.2
specimen = specimen.clip(0, 1)

places = np.arange(-7, 8)
psf = np.exp(-(places[:, None] ** 2 + places**2) / (2 * 1.6**2))
tifffile.imwrite("psf.tif", psf.astype(np.float32))
measured = {"name": "blur", "kernel": "psf.tif"}
counts = ipx.degrade(specimen, op=measured, noise={"name": "poisson", "peak": 300})
cells = (counts / counts.max() * 50_000).astype(np.uint16)

# %%
# An array of 16 bits goes in, and one of 16 bits comes out. How many photons a unit stands for is
# estimated. ``boundary="unknown"`` assumes nothing of what lies beyond the border.
how = ipx.solve(cells, op=measured | {"boundary": "unknown"}, noise="poisson", prior="tv")
print(how.image.dtype, how.image.max(), how.status, f"lam {float(how.lam[0]):.4f}")

# %%
# The discs are flat, which is what total variation expects.
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for axis, title, picture in zip(
    axes, ("specimen", "16-bit data", "restored"), (specimen, cells, how.image), strict=True
):
    axis.imshow(picture, cmap="magma")
    axis.set_title(title)
    axis.set_axis_off()
