"""
New images of one photograph
============================

A photograph is enough: every patch of a new image is a mean of patches of the photograph,
weighted by how well each explains what is there. Nothing is trained.

On the command line: ``thaw instant photo.jpg``.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import skimage

from restore import closed_form
from restore.data.images import grid, to_bytes
from restore.patches.settings import dialled

photo = Path(skimage.data_dir) / "coffee.png"
pipeline = closed_form(photo, detail=128)  # its longer side is reduced to 128 pixels; 250 is usual
images = pipeline.generate(count=2, seed=1, progress=False)  # (2, 3, H, W) in [-1, 1]

# %%
# The photograph, and two images that were made from it. Image i has the seed ``seed + i``, and
# does not depend on the others.


def show(rows):
    """Images (C, H, W), row by row."""
    strip = grid([image for row in rows for image in row], columns=len(rows[0]))
    plt.figure(figsize=(10, 10 * strip.shape[1] / strip.shape[2]), layout="constrained")
    plt.imshow(to_bytes(strip).permute(1, 2, 0))
    plt.axis("off")


show([[pipeline.photograph, *images]])

# %%
# One dial leads from images that are near the photograph to freely rearranged ones. An object is
# best kept near (``thaw instant cup.jpg --preset object``), a texture can be rearranged
# (``--preset texture``); ``--novelty`` names any value between 0 and 1.

row = [closed_form(photo, 128, dialled(novelty)).generate(seed=1, progress=False)[0] for novelty in (0, 0.5, 1)]
show([row])

# %%
# Novelty 0, .5 and 1, where nothing of the layout is left. Images have the photograph's size unless
# another is named: ``pipeline.generate((100, 180))``, or ``--size 100x180``.
