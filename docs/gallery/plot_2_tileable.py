"""
A texture that tiles
====================

A guide is a function from a restorer to a restorer. ``seamless`` lets the restorer see the image
wrapped around, at every scale, and so what it makes goes on across the edges.

On the command line: ``thaw instant sky.jpg --tileable --preset texture``.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import skimage

from restore import Edit, closed_form, load_image
from restore.data.images import to_bytes
from restore.patches.settings import dialled
from samplers import seamless

sky = load_image(Path(skimage.data_dir) / "hubble_deep_field.jpg", size=330)
pipeline = closed_form(sky[:, 100:212, 100:212], settings=dialled(0.75))  # a texture: rearranged freely
side = pipeline.settings.side
edit = Edit(guides=[lambda restore, size: seamless(restore, side)])
texture = pipeline.generate((80, 80), edit=edit, progress=False)[0]

# %%
# Left: a piece of the Hubble eXtreme Deep Field (NASA, public domain) laid side by side, whose seams
# cut galaxies. Right: what was made from it, laid likewise.

_, axes = plt.subplots(1, 2, figsize=(10, 5.2), layout="constrained")
for ax, tile, name in zip(axes, (pipeline.photograph, texture), ("the photograph, 2 x 2", "made from it, 2 x 2"), strict=True):
    ax.imshow(to_bytes(tile.repeat(1, 2, 2)).permute(1, 2, 0))
    ax.set(title=name, xticks=[], yticks=[])
