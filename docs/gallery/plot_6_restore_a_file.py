"""
Restore a file that is degraded already
=======================================

A network learns to undo a blur from one photograph, and then restores a file that another program
blurred. How far a real picture is degraded is unknown: so it is restored from several severities,
and one looks.

On the command line: ``thaw sindiffusion train left.jpg degradation:gaussian-blur``, then ``thaw
restore runs/left blurry.jpg --severities .1 .2 .3``.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import skimage
from PIL import Image, ImageFilter

from degrade import GaussianBlur
from recipes import sindiffusion
from restore import Crops, load_image, train
from restore.data.images import to_bytes

work = TemporaryDirectory()
left, blurry = Path(work.name) / "left.png", Path(work.name) / "blurry.png"
whole = Image.open(Path(skimage.data_dir) / "brick.png").convert("RGB").resize((256, 256))
whole.crop((0, 0, 128, 256)).save(left)
right = whole.crop((128, 0, 256, 256))
right.filter(ImageFilter.GaussianBlur(1.6)).save(blurry)

# %%
# A recipe is a frozen dataclass; ``replace`` changes parts of it. This one learns from the left
# half of a wall in 120 steps, where its own preset takes 2500.

recipe = sindiffusion.recipe(left, degradation=GaussianBlur(sigma_max=8.0))
training = replace(recipe.training, steps=120, warmup=10, preview_every=1000, layout="channels-last", precision="float32")
recipe = replace(recipe, data=Crops(size=256, crop=64), training=replace(training, batch=2))
run = train(recipe, Path(work.name) / "run").using(steps=8)

# %%
# A severity s of this blur is one of 8 s pixels; Pillow's was one of 1.6, severity .2. Below it
# blur is left, above it edges ring.

severities = (0.1, 0.2, 0.3)
found = [run.restore(load_image(blurry), severity=s, progress=False) for s in severities]
titles = ["blurred by Pillow", *(f"severity {s}" for s in severities), "before it was blurred"]
shown = [load_image(blurry), *found]
_, axes = plt.subplots(1, 5, figsize=(10, 4.6), layout="constrained")
for ax, title, image in zip(axes, titles, [*(to_bytes(x).permute(1, 2, 0) for x in shown), right], strict=True):
    ax.imshow(image)
    ax.set_title(title, fontsize=9)
    ax.axis("off")
work.cleanup()
