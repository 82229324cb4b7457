"""
A panorama
==========

A photograph as high as the panorama, whose patches span the height of the coarsest scale: so the
sky stays above the ground, and the scene goes on to the side.

On the command line: ``thaw edit panorama photo.jpg --size 120x600``, which works in tiles on
disk: a panorama may be larger than memory, and the same command goes on after an interruption.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import sklearn

from restore import closed_form
from restore.data.images import to_bytes
from samplers import panorama

photo = Path(sklearn.__file__).parent / "datasets/images/china.jpg"
size = (80, 340)
pipeline = closed_form(photo, detail=120).spanning(size)

# %%
# ``scales`` are the restorer's, coarse to fine; ``halo`` is what it has to see around a tile for
# the tiles to fit together. Random numbers are addressed by place, so the picture does not depend
# on the size of the tiles.

with TemporaryDirectory() as folder:
    canvas = panorama(
        Path(folder),
        pipeline.scales(size),
        pipeline.sampling.sampler,
        pipeline.degradation,
        tile=256,
        halo=pipeline.halo,
        stride=pipeline.stride,
        seed=2,
    )
    image = canvas.window(slice(0, size[0]), slice(0, size[1]))[0]

plt.figure(figsize=(10, 2.4), layout="constrained")
plt.imshow(to_bytes(image).permute(1, 2, 0))
plt.axis("off")
