"""
A folder of pictures
====================

One command restores all pictures of a folder. Each output has the name of its input, and a record
beside it.

.. code-block:: console

   $ ipx solve photos/ --prior bm3d -o restored/ --json > results.jsonl
"""

# %%
# Three noisy pictures to begin with.
import json
import subprocess
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from skimage import data, io

noisy = Path("noisy")
noisy.mkdir(exist_ok=True)
random = np.random.default_rng(0)
for name in ("camera", "coins", "moon"):
    picture = getattr(data, name)()[100:196, 100:196] / 255
    picture = (picture + 0.08 * random.standard_normal(picture.shape)).clip(0, 1)
    io.imsave(noisy / f"{name}.png", (255 * picture).astype(np.uint8), check_contrast=False)

# %%
# ``--json`` prints a line for each picture. ``--resume`` skips the pictures that are done, so an
# interrupted command may simply be typed again.
command = "ipx solve noisy --prior drunet -o restored --resume --force --json --quiet"
done = subprocess.run(command.split(), capture_output=True, text=True, check=True)
for line in done.stdout.splitlines():
    row = json.loads(line)
    print(row["input"], "->", row["output"], row["status"], "noise level", row["sigma"])

# %%
# The pictures, before and after.
figure, axes = plt.subplots(2, 3, figsize=(7, 4.8), layout="constrained")
for row, folder in zip(axes, ("noisy", "restored"), strict=True):
    for axis, path in zip(row, sorted(Path(folder).glob("*.png")), strict=True):
        axis.imshow(io.imread(path), cmap="gray", vmin=0, vmax=255)
        axis.set_title(f"{folder}/{path.name}")
        axis.set_axis_off()
