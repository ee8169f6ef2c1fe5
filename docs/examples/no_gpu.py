"""
I have no GPU
=============

ipx runs on a CPU, and its networks are small for that reason. This page shows what costs time.

.. code-block:: console

   $ ipx solve large.tif --op blur --op.sigma 2 --prior drunet --dry-run

tells memory and time before anything starts.
"""

# %%
# The same data with several priors. The time is that of the processor, with the choice of the
# weight.
import time

import matplotlib.pyplot as plt
from skimage import data, img_as_float

import ipx

truth = img_as_float(data.camera())[60:188, 180:308]
blur = {"name": "blur", "sigma": 1.5}
noise = {"name": "gaussian", "sigma": 0.02}
y = ipx.degrade(truth, op=blur, noise=noise)
ipx.restore(y, op=blur, noise=noise, prior="drunet")  # the first call imports and reads weights

ways = {
    "smooth": {"prior": "smooth"},
    "tv": {"prior": "tv"},
    "tv, lam given": {"prior": "tv", "lam": 0.003},
    "drunet": {"prior": "drunet"},
}
results = {}
for name, way in ways.items():
    before = time.process_time()
    results[name] = ipx.restore(y, op=blur, noise=noise, **way)
    seconds = time.process_time() - before
    print(f"{name:14} {float(ipx.psnr(results[name], truth)):5.2f} dB {seconds:5.2f} s")

# %%
# * Choosing the weight takes several solves. Find it once on a picture of the series, and give it
#   for the others: ``--lam``.
# * ``drunet`` has no weight to choose, and takes eight steps.
# * Tell the noise level if you know it.
# * Restore a crop first. The weight for the crop serves the whole picture.
# * One thread for each core is the default of PyTorch. For a folder, several processes with
#   ``OMP_NUM_THREADS=1`` are faster.
figure, axes = plt.subplots(1, 4, figsize=(10, 2.8), layout="constrained")
for axis, (title, picture) in zip(axes, results.items(), strict=True):
    axis.imshow(picture, cmap="gray", vmin=0, vmax=1)
    axis.set_title(title)
    axis.set_axis_off()
