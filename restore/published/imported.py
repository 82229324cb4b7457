"""A published model made a run: a folder of its own with all that it needs, whose files are checked against their sums."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from degrade.files import beside, flush
from restore.machine.processes import usable_device
from restore.published.folder import INDEX, MARK, SUMS, Part, published_folder, tokenizer_files, weight_files
from restore.published.opening import check_extra, local
from restore.storage.reading import sha256

if TYPE_CHECKING:
    from restore.pipelines.published import Published

FORMAT = 1


def open_imported(folder: Path, device: str | None = None) -> Published:
    """The pipeline of an imported model. Raises ValueError in one line."""
    from restore.published.diffusers_format import assembled

    check_extra()
    return assembled(published_folder(folder), usable_device(device), "float32")


def import_model(path: str | Path, out: Path) -> Published:
    """Copies a published model into the folder `out`, and opens it. Raises ValueError in one line for what cannot be used, and
    for a folder that holds something; nothing is left there then.

    Weights are looked at, by name and shape, before they are copied; no code that comes with a model is executed.
    """
    from restore.published.diffusers_format import assembled, components

    check_extra()
    source = published_folder(local(path))
    for component in components(assembled(source, "cpu", "float32")):
        component.check()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is not empty: name another folder with --out.")
    part = beside(out)
    try:
        part.mkdir(parents=True)
        shutil.copyfile(source.path / INDEX, part / INDEX)
        for one in source.parts.values():
            (part / one.folder.name).mkdir()
            for file in _files(one):
                shutil.copyfile(file, part / one.folder.name / file.name)
        (part / MARK).write_text(json.dumps({"format": FORMAT, "source": str(path)}, indent=2) + "\n", encoding="utf-8")
        files = sorted(file for file in part.rglob("*") if file.is_file())
        sums = "".join(f"{sha256(file)}  {file.relative_to(part).as_posix()}\n" for file in files)
        (part / SUMS).write_text(sums, encoding="utf-8")
        for file in (*files, part / SUMS):
            flush(file)
        if out.exists():
            out.rmdir()
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return open_imported(out)


def _files(part: Part) -> list[Path]:
    """What of a component is needed."""
    if part.folder.name.startswith("tokenizer"):
        return tokenizer_files(part.folder)
    if part.folder.name == "scheduler":
        return [part.folder / "scheduler_config.json"]
    weights = weight_files(part)
    return [part.folder / "config.json", *sorted(part.folder.glob("*.safetensors.index.json")), *weights]
