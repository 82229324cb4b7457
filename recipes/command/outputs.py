"""Where a command writes: refused before the work, not after it.

What this project wrote before may be replaced; a file that it did not write is not, whatever its name, and nothing that is read
is. Results say what made them (restore/machine/provenance.py), so that they are known again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from restore.machine.terminal import counted

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Outputs:
    """The files of pictures that a command makes, by their names: of a folder, or of one picture a file that the user named."""

    out: Path
    """That folder, or file."""
    files: Mapping[str, Path]
    count: int
    """Of pictures that were asked for; the others show them together, or say more."""

    def __getitem__(self, name: str) -> Path:
        return self.files[name]

    def save(self, name: str, image: Tensor, note: Mapping[str, str] | None = None) -> Path:
        """Writes image (C, H, W) in [-1, 1] to the file of `name`, with what made it and `note`."""
        from restore.data.images import save_image
        from restore.machine.provenance import provenance

        return save_image(image, self[name], {**provenance(), **(note or {})})

    def said(self, shows: str = "") -> str:
        """4 images in runs/photo, and which file shows them."""
        sheet = f"; {self[shows].name} shows {'it' if self.count == 1 else 'them'}" if shows else ""
        return f"{counted(self.count)} in {self.out}{sheet}"


def check_outputs(
    out: Path | None,
    default: Path,
    pictures: Sequence[str],
    beside: Sequence[str] = (),
    inputs: Iterable[Path | None] = (),
) -> Outputs:
    """The files `pictures` and `beside` (PNGs, without their endings) of the folder `out`, or `default`, each as
    `check_file`.

    Of a single picture `out` may be the name of a picture file, which it is then written to; x.png has x-grid.png beside it.
    Raises ValueError in one line.
    """
    home, names, inputs = out or default, [*pictures, *beside], [*inputs]
    if out is None or not names_picture(out):
        check_folder(home)
        files = {name: home / f"{name}.png" for name in names}
    else:
        if len(pictures) != 1:
            raise ValueError(f"{out} names one picture, and there will be {len(pictures)}: --out names a folder for them.")
        from restore.data.images import format_of

        format_of(out)  # refuses what could not be written in the end
        files = {name: out.with_stem(f"{out.stem}-{name.rpartition('-')[2]}") for name in beside} | {pictures[0]: out}
    for folder in dict.fromkeys(path.parent for path in files.values()):
        check_folder(folder)
    for path in files.values():
        _check_replaced(path, *inputs)
    return Outputs(home, files, len(pictures))


def names_picture(path: Path) -> bool:
    """Whether `path` ends as the name of a picture file, and is no folder."""
    return path.suffix.lower() in _suffixes() and not os.path.isdir(path)  # unlike pathlib, of a name that is too long too


def _suffixes() -> tuple[str, ...]:
    from restore.data.images import SUFFIXES

    return SUFFIXES


def check_folder(folder: Path) -> Path:
    """`folder`, in which files can be written, or which can be made. Nothing is left there. Raises ValueError in one line."""
    try:
        if os.path.isfile(folder):
            raise ValueError(f"{folder} is a file: --out names a folder here.")
        if names_picture(folder):
            raise ValueError(f"{folder} is the name of a picture: --out names a folder here.")
        there = next(path for path in (folder, *folder.parents) if path.exists())
        with TemporaryFile(dir=there):
            return folder
    except OSError as error:
        raise ValueError(f"{folder} cannot be written to ({error.strerror}): name another folder with --out.") from None


def check_file(path: Path, *inputs: Path | None) -> Path:
    """`path`, where a file can be written in place of none but a result of this project, and of none of `inputs`. Raises
    ValueError in one line."""
    if os.path.isdir(path):
        raise ValueError(f"{path} is a folder: --out names a file here, such as {path / 'image.png'}.")
    check_folder(path.parent)
    return _check_replaced(path, *inputs)


def _check_replaced(path: Path, *inputs: Path | None) -> Path:
    if not path.exists():
        return path
    if path.is_dir():
        raise ValueError(f"{path} is a folder where a file is to be written: name another folder with --out.")
    if any(one is not None and one.exists() and path.samefile(one) for one in inputs):
        raise ValueError(f"{path} is what is read: --out names another file.")
    if not is_result(path):
        raise ValueError(f"{path} is there, and does not say that this project made it: move it away, or name another place.")
    return path


def is_result(path: Path) -> bool:
    """Whether a picture says that this project made it; any other file, whether the picture of the same name beside it does."""
    from restore.data.images import image_text

    return "thaw" in image_text(path if path.suffix.lower() in _suffixes() else path.with_suffix(".png"))


def first_free(folder: Path) -> Path:
    """`folder`, or the first of folder-2, folder-3, ... that does not exist."""
    number, candidate = 1, folder
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate


def plain_stem(path: Path) -> str:
    """The name of a file without its ending, as the name of a folder: no dots at its ends, nothing a terminal would obey, and
    not that of a picture."""
    stem = "".join(c if c.isprintable() else "-" for c in path.stem).strip(". ") or "picture"
    return plain_stem(Path(stem)) if Path(stem).suffix.lower() in _suffixes() else stem


def severity_name(severity: float) -> str:
    """What results of a severity are called: severity-0.5, severity-1."""
    return f"severity-{repr(severity).removesuffix('.0')}"
