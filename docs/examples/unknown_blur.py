"""
I do not know the blur
======================

A photograph is blurred, and nobody measured the PSF. For a Gaussian, a defocus or diffraction, ipx
finds the width in the picture itself.

.. code-block:: console

   $ ipx solve photo.jpg --op blur --op.kernel auto -o sharp.png
"""

# %%
# The data: a part of a photograph behind a Gaussian blur of two pixels. The next steps do not use
# that number.
import matplotlib.pyplot as plt
from skimage import data, img_as_float

import ipx

truth = img_as_float(data.camera())[150:310, 150:310]
noise = {"name": "gaussian", "sigma": 0.01}
blurred = ipx.degrade(truth, op={"name": "blur", "sigma": 2.0}, noise=noise)

# %%
# ``kernel="auto"`` finds the width, and ``boundary="unknown"`` assumes nothing of the scene beyond
# the border.
unknown = {"name": "blur", "kernel": "auto", "boundary": "unknown"}
how = ipx.solve(blurred, op=unknown, prior="tv")
print(how.warnings)
print("sigma", how.op.options.sigma)

# %%
# The restored picture has edges where the data had slopes.
shown = {"truth": truth, "blurred": blurred, "restored": how.image}
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for axis, (title, picture) in zip(axes, shown.items(), strict=True):
    axis.imshow(picture, cmap="gray", vmin=0, vmax=1)
    axis.set_title(title)
    axis.set_axis_off()

# %%
# For a PSF of any other shape, such as motion, take ``kind="motion"`` besides. ipx then looks for
# the PSF itself. The data do not always decide; a remark says so when they do not.
