"""The README's Python is executed, in order and verbatim; only the recipe is shrunk so that it trains in a second."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import torch

from degrade.laws import check_laws
from degrade.spectral import gaussian_blur
from models import PatchUNetConfig
from recipes import sindiffusion
from restore import Crops, load_image, save_image
from restore.own_types import types_in
from restore.pipelines.likeness import Likeness
from restore.run import open_run
from restore.training.session import resume, train
from samplers import Improved
from tests.tiny import tiny

ROOT = Path(__file__).resolve().parents[1]


def test_snippets(photo, monkeypatch):
    whole = sindiffusion.recipe

    def small(*args, **kwargs):
        recipe = whole(*args, **kwargs)
        network = PatchUNetConfig(channels=8, multipliers=(1,), kernels=(3,), patch=4, norm="pixel")
        training = replace(recipe.training, steps=2, warmup=1)
        prior = recipe.prior and Likeness(directions=2)
        return replace(recipe, network=network, data=Crops(size=32, crop=16), training=training, prior=prior)

    monkeypatch.setattr(sindiffusion, "recipe", small)
    monkeypatch.chdir(photo.parent)
    photo.rename("photo.jpg")
    save_image(gaussian_blur(load_image("photo.jpg")[None], 1.0)[0], "blurry.jpg")
    snippets = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(snippets) == 5
    names: dict = {}
    for snippet in snippets:
        exec(compile(snippet, "README.md", "exec"), names)
    assert names["images"].shape == (4, 3, 23, 32) and names["panorama"].shape == (1, 3, 128, 384)
    assert load_image("sharp.png").shape == (3, 40, 56) and load_image("panorama.png").shape == (3, 128, 384)
    assert names["recipe"].data.size == 192
    check_laws(names["storm"])


def test_snippet_of_the_editing_guide(photo, monkeypatch):
    """As written, but for the size."""
    monkeypatch.chdir(photo.parent)
    photo.rename("photo.jpg")
    save_image(load_image("photo.jpg").flip(-1), "strokes.png")
    hole = torch.zeros(1, 40, 56)
    hole[:, 15:22, 20:30] = 1
    save_image(2 * hole - 1, "mask.png")
    (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/editing.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict = {}
    exec(compile(snippet.replace("(256, 384)", "(60, 80)"), "docs/editing.md", "exec"), names)
    assert names["wider"].shape == (2, 3, 60, 80) and names["painted"].shape == (1, 3, 40, 56)
    assert float((names["wider"][0, :, 10:50, 12:68] - load_image("photo.jpg")).abs().max()) < 1e-4
    assert torch.equal(names["filled"] * (1 - hole), load_image("photo.jpg") * (1 - hole))


def test_operator_of_the_contributing_guide(photo, tmp_path, monkeypatch):
    """As written, in a file of its own: it keeps the laws, and is trained with, opened and resumed."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = re.search(r"(?m)^    from dataclasses import dataclass\n(?:(?:    .*)?\n)+", text)
    assert block is not None
    file = tmp_path / "darken.py"
    file.write_text("\n".join(line[4:] for line in block.group(0).splitlines()), encoding="utf-8")
    (darken,) = types_in(file)
    check_laws(darken())
    x0, t = torch.rand(2, 3, 4, 5), torch.tensor([0.0, 1.0])
    x_t = darken()(x0, t)
    assert torch.equal(x_t[0], x0[0])
    torch.testing.assert_close(x_t[1], x0[1] - 0.9 * (x0[1] + 1))
    recipe = tiny(photo)
    sampling = replace(recipe.sampling, sampler=Improved())
    train(replace(recipe, degradation=darken(), prediction="residual", sampling=sampling), tmp_path / "run")
    assert open_run(tmp_path / "run", types=[darken]).step == resume(tmp_path / "run", types=[darken]).step == 4


def test_commands_of_the_readme_are_the_ones_of_ci():
    readme, ci = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", ".ci/run"))
    command = 'python -m pip install -c constraints.txt -e ".[test]" && python -m pytest'
    assert f"    {command}\n" in readme and f"\n{command}\n" in ci


def test_what_the_contributing_guide_points_to_is_there():
    """Its files; and the types of the tests that show what adding costs, in the tests that it names."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    files = re.findall(r"[\w.]+/[\w/]+\.(?:py|md)", text)
    assert len(files) > 20 and not [file for file in files if not (ROOT / file).exists()]
    rows = re.findall(r"(?m)^\| .* \| (`.*`.*test_own_types.py.*) \|$", text)
    own = (ROOT / "tests/recipes/test_own_types.py").read_text(encoding="utf-8")
    types = re.findall(r"`([A-Z]\w+)`", "".join(rows))
    assert {"Darken", "Bands", "Signed"} < {*types} and all(f"{name}(" in own for name in {*types} - {"Stripes"})
