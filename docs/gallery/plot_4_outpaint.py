"""
More around a photograph
========================

A photograph in the middle of a larger canvas, and the rest of the canvas made to go on from it.

On the command line: ``thaw edit outpaint photo.jpg --size 112x184``.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import sklearn

from restore import Edit, closed_form
from restore.data.images import to_bytes
from restore.pipelines.editing import on_canvas

photo = Path(sklearn.__file__).parent / "datasets/images/china.jpg"
pipeline = closed_form(photo, detail=128)
canvas, mask = on_canvas(pipeline.photograph, (112, 184))
wider = pipeline.generate((112, 184), seed=3, edit=Edit(known=(canvas, mask), resample=3), progress=False)[0]

# %%
# Left: what is known (china.jpg of scikit-learn, by danielbuechele, CC BY 2.0). Right: with more
# around it.

_, axes = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained")
for ax, image in zip(axes, (canvas + (1 - mask), wider), strict=True):
    ax.imshow(to_bytes(image).permute(1, 2, 0))
    ax.axis("off")
