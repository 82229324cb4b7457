"""
Digits from a folder of images
==============================

Generation learned from a folder whose sub-folders are classes: simple diffusion, at sizes that
train in a minute. The digits come with scikit-learn; ``digits`` is the name of the set, in place
of a folder.

On the command line: ``thaw simple-diffusion train digits``, then ``thaw simple-diffusion sample
runs/digits --label 3 --guidance 2``.
"""

import json
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import torch

from models import Condition
from recipes import simple_diffusion
from restore import train
from restore.data.images import grid, to_bytes

work = TemporaryDirectory()
folder = Path(work.name) / "run"

# %%
# The preset has 2500 steps; 400 are enough to see digits. Layout and precision are named, so that
# nothing is measured beforehand.

recipe = simple_diffusion.recipe("digits")
training = replace(recipe.training, steps=400, preview_every=1000, layout="channels-last", precision="float32")
recipe = replace(recipe, training=training)
with chdir(work.name):  # the set is written to runs/data below it
    run = train(recipe, folder)

# %%
# A column for each class, at guidance 2: what tells the classes apart weighs twice as much as the
# network learned it to.

classes = Condition(label=torch.arange(10).repeat(4))
images = run.using(guidance=2.0, steps=20).generate(count=40, condition=classes, batch=40, progress=False)
sheet = grid(list(images), columns=10, gap=2)
plt.figure(figsize=(10, 4.2), layout="constrained")
plt.imshow(to_bytes(sheet).permute(1, 2, 0).expand(-1, -1, 3))
plt.axis("off")

# %%
# ``metrics.jsonl`` holds a line every 50 steps:

lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
plt.figure(figsize=(6, 2.6), layout="constrained")
plt.semilogy([line["step"] for line in lines], [line["loss"] for line in lines])
plt.xlabel("step")
plt.ylabel("loss")
work.cleanup()
