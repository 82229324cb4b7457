"""The model card of a shared run, README.md: what it does, how it was trained, how to use it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from degrade import Gaussian
from degrade.lazy import torch
from restore.recipe import Recipe
from restore.sharing.address import Address
from restore.sharing.pack import Packed
from restore.training.metrics_log import lines

LONGEST_TABLE = 2**16
"""Characters of a table of figures."""


def card(packed: Packed, address: Address, run: Path) -> str:
    """The text of README.md, with the figures that lie in the folder of the run."""
    recipe = packed.specification.recipe
    parts = [
        _header(recipe),
        f"# {address.name}\n\n{_what(packed)}",
        *(f"![{name}]({name})" for name in packed.pictures if name != "curve.png"),
        _use(recipe, packed.specification.size, address),
        "## Training\n\n" + "\n".join(["| | |", "| --- | --- |", *(f"| {a} | {b} |" for a, b in _training(packed, run))]),
        *(f"![{name}]({name})" for name in packed.pictures if name == "curve.png"),
        *_figures(packed, run),
        _LICENCE,
    ]
    return "\n\n".join(parts) + "\n"


def _header(recipe: Recipe) -> str:
    task = "unconditional-image-generation" if recipe.show == "samples" else "image-to-image"
    return f"---\nlicense: unknown\nlibrary_name: thaw\npipeline_tag: {task}\ntags:\n- thaw\n- diffusion\n---"


def _what(packed: Packed) -> str:
    specification = packed.specification
    recipe, (_, height, width) = specification.recipe, specification.size
    learned = f"learned from `{_plain(Path(recipe.images).name)}`, at {height} x {width} pixels"
    names = specification.classes
    classes = f" Its {len(names)} classes: {_plain(', '.join(names))}." if names else ""
    if recipe.paired is not None:
        return f"Restores pictures as it has learned from pairs of degraded and clean ones, {learned}.{classes}"
    if isinstance(recipe.degradation, Gaussian) and recipe.show == "samples":
        return f"Makes new images, {learned}: a diffusion model, that undoes {_type(recipe.degradation)}.{classes}"
    return f"Undoes {_type(recipe.degradation)} of images, {learned}.{classes}"


def _use(recipe: Recipe, size: tuple[int, int, int], address: Address) -> str:
    if recipe.show == "samples":
        more = (
            f"edit panorama {address} --size {size[1]}x{8 * size[2]}"
            if isinstance(recipe.degradation, Gaussian)
            else f"restore {address} yours.jpg"
        )
        commands = (f"sample {address} --size {size[1]}x{3 * size[2]} --count 4", more)
        call = 'save_image(run.generate(count=1)[0], "new.png")'
    else:
        more = f"restore {address} yours.jpg --direct" if recipe.paired else f"degrade-and-restore {address} --image clean.jpg"
        commands = (f"restore {address} yours.jpg", more)
        call = 'save_image(run.restore(run.read("yours.jpg"), severity=0.5), "restored.png")'
    return (
        "## Use\n\nWith Thaw and its extra `hub`; nothing that is downloaded is executed.\n\n"
        + "\n".join(f"    thaw {command}" for command in commands)
        + f'\n\n```python\nfrom restore import open_run, save_image\nrun = open_run("{address}")\n{call}\n```'
    )


def _training(packed: Packed, run: Path) -> Iterator[tuple[str, str]]:
    recipe = packed.specification.recipe
    made = packed.checkpoint.run.get("provenance", {})
    with torch.device("meta"):
        parameters = sum(p.numel() for p in recipe.build().parameters())
    yield "degradation", _code(recipe.degradation)
    yield "data", _code(recipe.data)
    yield "network", f"{_code(recipe.network)}, {parameters:,} parameters"
    yield "predicts", f"{recipe.prediction}, {_code(recipe.objective)}"
    settings = recipe.training
    yield "steps", f"{packed.checkpoint.step:,} of {settings.batch} images, {settings.optimizer}, rate {settings.rate:g}"
    losses = [line["loss"] for line in lines(run / "metrics.jsonl") if line["step"] <= packed.checkpoint.step and line["loss"]]
    if losses:
        yield "loss", f"{losses[0]:.4g} at first, {losses[-1]:.4g} at last"
    yield "samples by", f"{_code(recipe.sampling.sampler)}, {recipe.sampling.steps} steps"
    yield (
        "versions",
        ", ".join(f"{name} {_plain(str(made[name]))}" for name in ("thaw", "python", "torch", "commit") if name in made),
    )
    yield "weights", f"SHA-256 `{packed.checkpoint.sums['ema.safetensors']}`"


def _figures(packed: Packed, run: Path) -> Iterator[str]:
    """The tables of `evaluate.py` that are about these weights."""
    weights = packed.checkpoint.sums["ema.safetensors"][:16]
    for path in sorted((run / "evaluation").glob("*.md")):
        text = path.read_text(encoding="utf-8", errors="replace")[:LONGEST_TABLE] if path.is_file() else ""
        if f"weights {weights}" in text:
            table = "\n".join(line for line in text.splitlines() if line.startswith("|"))
            yield f"## Figures: {_plain(path.stem)}\n\n{table}"


_LICENCE = """## Licence

Not chosen yet: put one here, and its name in place of `unknown` at the top. What a run has learned from one photograph shows
that photograph: whoever holds its rights has a say."""


def _type(value: object) -> str:
    return f"`{type(value).__name__}`"


def _code(value: object) -> str:
    return f"`{_plain(repr(value))}`"


def _plain(text: str) -> str:
    """What a name holds, without what a card would take for its own marks."""
    return "".join(c if c.isprintable() and c not in "|`<>[]" else "-" for c in text)[:600]
