"""
Train on my pictures
====================

A network that has seen pictures like yours removes noise better than one that has not. A folder of
good pictures is all it takes, and time.

.. code-block:: console

   $ ipx train drunet --data photos/ --hold-out '000*' -o mine.safetensors
   $ ipx solve noisy.png --prior drunet --prior.weights mine.safetensors
"""

# %%
# A folder of pictures of one kind: stripes in all directions.
import json
import subprocess
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from skimage import io

import ipx

random = np.random.default_rng(0)
rows, columns = np.mgrid[:64, :64]


def stripes():
    """A picture of stripes, of random direction and width."""
    angle, width = random.uniform(0, np.pi), random.uniform(0.4, 1.2)
    return 0.5 + 0.4 * np.sin(width * (np.cos(angle) * rows + np.sin(angle) * columns))


photos = Path("photos")
photos.mkdir(exist_ok=True)
for number in range(24):
    path = photos / f"{number:03}.png"
    io.imsave(path, (255 * stripes()).astype(np.uint8), check_contrast=False)

# %%
# A small network and 60 steps, so that this page takes seconds. ``--hold-out`` names the pictures
# for validation. A real training takes 10,000 steps and more: see ``ipx train drunet --help``.
command = (
    "ipx train dncnn --data photos --hold-out 00* -o mine.safetensors --model.width 16 "
    "--model.depth 5 --crop 32 --batch 8 --steps 60 --warmup 5 --lr 0.003 --ema 0.9 "
    "--validate-every 20 --force --quiet --json"
)
done = subprocess.run(command.split(), capture_output=True, text=True, check=True)
card = json.loads(done.stdout)
print("the card of the weights tells:", sorted(card))

# %%
# The weights are a file, which a prior takes.
truth = stripes()
noise = {"name": "gaussian", "sigma": 0.15}
y = ipx.degrade(truth, noise=noise)
mine = {"name": "dncnn", "weights": "mine.safetensors", "mix": False}
shown = {"noisy": y}
shown |= {"tv": ipx.restore(y, noise=noise, prior="tv")}
shown |= {"mine": ipx.restore(y, noise=noise, prior=mine)}
figure, axes = plt.subplots(1, 3, figsize=(9, 3.4), layout="constrained")
for axis, (title, picture) in zip(axes, shown.items(), strict=True):
    axis.imshow(picture, cmap="gray", vmin=0, vmax=1)
    axis.set_title(f"{title}, {float(ipx.psnr(picture, truth)):.1f} dB")
    axis.set_axis_off()
