"""
Part of a photograph made anew
==============================

What a mask shows in white is made from the rest of the photograph; every other pixel stays as it
is.

On the command line: ``thaw edit inpaint photo.jpg --mask mask.png``.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import skimage
import torch

from restore import closed_form, load_image
from restore.data.images import grid, to_bytes
from restore.pipelines.native import inpaint

picture = load_image(Path(skimage.data_dir) / "rocket.jpg", size=320)
hole = torch.zeros(1, *picture.shape[1:])
hole[:, 50:, 140:186] = 1  # the rocket

# %%
# Pieces of what is around the hole, found coarse to fine; another seed takes others.

pipeline = closed_form(picture)
images = [inpaint(pipeline, picture, hole, seed) for seed in range(2)]
strip = grid([picture, picture * (1 - hole) + hole, *images], columns=4)
plt.figure(figsize=(10, 10 * strip.shape[1] / strip.shape[2]), layout="constrained")
plt.imshow(to_bytes(strip).permute(1, 2, 0))
plt.axis("off")

# %%
# The photograph, the hole, and two answers. What was known is known still:

float(((images[0] - picture) * (1 - hole)).abs().max())
