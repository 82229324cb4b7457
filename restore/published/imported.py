"""A published model made a run: a folder of its own with all that it needs, whose files are checked against their sums."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from degrade.files import beside, flush
from restore.machine.processes import usable_device
from restore.published.folder import (
    FORMAT,
    INDEX,
    LEFT_OUT,
    MARK,
    SUMS,
    WEIGHTS,
    Part,
    PublishedFolder,
    config_name,
    published_folder,
    tokenizer_files,
    weight_files,
    weights_place,
)
from restore.published.opening import check_extra, local
from restore.storage.reading import sha256

if TYPE_CHECKING:
    from torch import nn

    from restore.pipelines.published import Published
    from restore.published.component import Component


def open_imported(folder: Path, device: str | None = None) -> Published:
    """The pipeline of an imported model. Raises ValueError in one line."""
    from restore.published.diffusers_format import assembled

    check_extra()
    return assembled(published_folder(folder), usable_device(device), "float32")


def import_model(path: str | Path, out: Path) -> Published:
    """Copies a published model into the folder `out`, and opens it. Raises ValueError in one line for what cannot be used, and
    for a folder that holds something; nothing is left there then.

    Weights are looked at, by name, shape and value, and whether all parts fit each other, before they are copied; no code that
    comes with a model is executed.
    """
    from restore.published.diffusers_format import assembled, components
    from restore.published.rehearsal import rehearse

    check_extra()
    source = published_folder(local(path))
    pipeline = assembled(source, "cpu", "float32")
    for component in components(pipeline):
        component.check()
    rehearse(pipeline)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is not empty: name another folder with --out.")
    _write(source, out, {"source": str(path)})
    return open_imported(out)


def export_tuned(pipeline: Published, module: nn.Module, out: Path) -> None:
    """Writes the model of a pipeline, `module` in place of its denoiser, into the folder `out`, as an imported one, which
    diffusers opens too. Files that lie there stay."""
    component: Component = pipeline.restorer.network.load  # type: ignore[attr-defined]
    _write(component.folder, out, {"source": str(component.folder.path), "tuned": component.part.place}, module)


def _write(source: PublishedFolder, out: Path, origin: dict[str, str], tuned: nn.Module | None = None) -> None:
    """Copies a model to `out`, which appears whole or not at all, and which diffusers opens too: what is left out, its index
    does not name. The part that `origin` names as tuned has the weights of the module."""
    part = beside(out)
    try:
        part.mkdir(parents=True)
        left_out = {place: [None, None] for place in LEFT_OUT if place in source.entries}
        (part / INDEX).write_text(json.dumps({**source.entries, **left_out}, indent=2) + "\n", encoding="utf-8")
        for one in source.parts.values():
            (part / one.place).mkdir()
            own = tuned is not None and one.place == origin.get("tuned")
            for file in [file for file in _files(one) if not (own and "safetensors" in file.name)]:
                shutil.copyfile(file, part / one.place / file.name)
            if own:
                _save(tuned, part / one.place / f"{WEIGHTS[one.library]}.safetensors")
        (part / MARK).write_text(json.dumps({"format": FORMAT, **origin}, indent=2) + "\n", encoding="utf-8")
        files = sorted(file for file in part.rglob("*") if file.is_file())
        sums = "".join(f"{sha256(file)}  {file.relative_to(part).as_posix()}\n" for file in files)
        (part / SUMS).write_text(sums, encoding="utf-8")
        for file in (*files, part / SUMS):
            flush(file)
        if out.exists():
            for left in out.iterdir():
                left.rename(part / left.name)
            out.rmdir()
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _save(module: nn.Module | None, path: Path) -> None:
    from safetensors.torch import save_file

    assert module is not None
    save_file({name: weight.detach().cpu().contiguous() for name, weight in module.state_dict().items()}, path)


def _files(part: Part) -> list[Path]:
    """What of a component is needed."""
    if part.place.startswith("tokenizer"):
        return tokenizer_files(part.folder)
    weights = () if part.place == "scheduler" else dict.fromkeys((weights_place(part), *weight_files(part)))
    return [part.folder / config_name(part.place), *weights]
