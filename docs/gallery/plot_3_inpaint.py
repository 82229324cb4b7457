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

from restore import Edit, closed_form
from restore.data.images import grid, to_bytes

pipeline = closed_form(Path(skimage.data_dir) / "rocket.jpg", detail=160)
picture = pipeline.photograph
hole = torch.zeros(1, *picture.shape[1:])
hole[:, 25:, 70:93] = 1  # the rocket

# %%
# ``Edit.known`` is a picture with a mask of what stays; ``hole`` says that nothing may be taken
# from there either. Each step of the coarsest scale is taken three times, going back in between,
# for old and new to agree.

edit = Edit(known=(picture, 1 - hole), hole=hole, resample=3)
images = pipeline.generate(picture.shape[1:], count=2, edit=edit, progress=False)
strip = grid([picture, picture * (1 - hole) + hole, *images], columns=4)
plt.figure(figsize=(10, 10 * strip.shape[1] / strip.shape[2]), layout="constrained")
plt.imshow(to_bytes(strip).permute(1, 2, 0))
plt.axis("off")

# %%
# The photograph, the hole, and two answers. What was known is known still:

float(((images - picture) * (1 - hole)).abs().max())
