"""A folder in diffusers' format: what it says of itself, checked before anything of it is loaded or executed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from restore.machine.memory import readable
from restore.storage.reading import CheckpointError, sha256, size, text

INDEX = "model_index.json"
LABELS = "id2label"
"""Its entry of the names of classes."""
MARK, SUMS, FORMAT = "imported.json", "SHA256SUMS", 1
"""What an import adds: where the model came from, and the sums of its files."""
LIBRARIES = ("diffusers", "transformers")
LEFT_OUT = ("safety_checker", "feature_extractor", "image_encoder")
"""Components that nothing here needs."""
PIPELINES = (
    *("DDPM", "DDIM", "PNDM", "DiT", "PixArtAlpha", "PixArtSigma"),
    *(f"StableDiffusion{use}" for use in ("", "Img2Img", "Inpaint", "InstructPix2Pix", "DiffEdit", "Panorama")),
    *(f"StableDiffusion3{use}" for use in ("", "Img2Img", "Inpaint")),
)
"""Pipelines, without the word at their end, whose networks are asked and answer as is served: others of the same classes may be
told their pictures in another order, or make what is none."""
PLACES = (
    "unet",
    "transformer",
    "vae",
    "scheduler",
    *(f"{kind}{n}" for kind in ("text_encoder", "tokenizer") for n in ("", "_2", "_3")),
)
WEIGHTS = {"diffusers": "diffusion_pytorch_model", "transformers": "model"}


SMALL = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
TOKENIZER = (*SMALL, "tokenizer.json", "vocab.json", "merges.txt", "spiece.model")
"""The files that a tokenizer is read from, and no others."""
VOCABULARIES = (("tokenizer.json",), ("vocab.json", "merges.txt"), ("spiece.model",))
"""Those that hold its words, any of which will do: without them its library makes an empty one."""
PARTED = {
    "Transformer2DModel": {"ada_norm_zero": "DiTTransformer2DModel", "ada_norm_single": "PixArtTransformer2DModel"},
}
"""Classes that became several, by the `norm_type` of the configuration: older folders have their names."""
VARIANTS = ("", ".fp16")
"""Of weights, the first that is there."""
LARGEST_TOKENIZER = 2**26
UNBOUNDED = ("model_max_length",)
"""Entries of a tokenizer that are published as 10^30, and ask for nothing."""
LARGEST_NUMBER, DEEPEST = 2**20, 8
"""Of a configuration: vocabularies have some 50,000 words."""


class Part(NamedTuple):
    """A component by the names of its library and class, its configuration, and where its files lie."""

    library: str
    kind: str
    place: str
    """Its name in the index."""
    folder: Path
    config: Mapping[str, Any]


class PublishedFolder(NamedTuple):
    """What model_index.json says."""

    path: Path
    name: str
    """Of the published pipeline."""
    parts: Mapping[str, Part]
    entries: Mapping[str, Any]
    sums: Mapping[str, str] | None
    """SHA-256 of each file, by its name in the folder, where it was imported; None elsewhere."""


def is_imported(folder: Path) -> bool:
    """Whether a folder is that of an imported model."""
    return (folder / MARK).is_file()


def published_folder(path: Path) -> PublishedFolder:
    """Reads a folder's index and its components' configurations. Raises ValueError in one line for what is not served: classes
    that are not known, code of its own, missing components."""
    sums = _sums(path)
    entries = _json(path / INDEX)
    name = entries.get("_class_name")
    if not isinstance(name, str):
        raise ValueError(f"{path / INDEX} names the pipeline {str(name)[:80]!r}: code of a folder's own is not executed.")
    if name not in [f"{served}Pipeline" for served in PIPELINES]:
        raise ValueError(f"{path / INDEX} is of a {name[:80]!r}, which is not served: known are {', '.join(PIPELINES)}.")
    parts = {}
    for place, entry in entries.items():
        if place.startswith("_") or place in (*LEFT_OUT, LABELS) or not isinstance(entry, list) or entry == [None, None]:
            continue
        if place not in PLACES:
            raise ValueError(
                f"{path / INDEX} has the component {place[:40]!r}, which is not served: known are {', '.join(PLACES)}."
            )
        if len(entry) != 2 or entry[0] not in LIBRARIES or not re.fullmatch(r"[A-Za-z0-9]{1,80}", str(entry[1])):
            raise ValueError(
                f"{path / INDEX}: {place} is {str(entry)[:80]}, expected a class of {' or '.join(LIBRARIES)}: code of a "
                "folder's own is not executed."
            )
        folder = _home(path, place)
        config = _config(folder, place)
        parts[place] = Part(entry[0], _parted(entry[1], config), place, folder, config)
    if sums is not None:
        _compare(path, parts, sums)
    return PublishedFolder(path, name, parts, entries, sums)


def config_name(place: str) -> str:
    """The file of a component's configuration."""
    kind = next((kind for kind in ("tokenizer", "scheduler") if place.startswith(kind)), "")
    return f"{kind}_config.json" if kind else "config.json"


def _home(path: Path, place: str) -> Path:
    """Where the files of a component lie: in the folder of its name, or, as in the first models of DDPM, beside the index."""
    folder = path / place
    if folder.is_dir():
        return folder
    if not (path / config_name(place)).is_file():
        raise ValueError(f"{folder} is missing: {INDEX} names it.")
    return path


def _parted(kind: str, config: Mapping[str, Any]) -> str:
    """The class that diffusers reads a component as."""
    norm = config.get("norm_type")
    return PARTED.get(kind, {}).get(norm, kind) if isinstance(norm, str) else kind


def _config(folder: Path, place: str) -> dict[str, Any]:
    """The component's configuration."""
    config = _json(folder / config_name(place))
    if "auto_map" in config:
        raise ValueError(f"{folder} brings code of its own (auto_map), which is not executed: take a model without.")
    if place.startswith("tokenizer"):
        for file in tokenizer_files(folder):
            if file.name in SMALL:
                _check_numbers({key: value for key, value in _json(file).items() if key not in UNBOUNDED}, folder)
    elif place != "scheduler":  # whose numbers have bounds of their own
        _check_numbers(config, folder)
    return config


def tokenizer_files(folder: Path) -> list[Path]:
    """The files of a tokenizer that are there. Raises ValueError in one line for one that is larger than any is, and where
    they hold no words."""
    files = [folder / name for name in TOKENIZER if (folder / name).is_file()]
    if not any({folder / name for name in names} <= set(files) for names in VOCABULARIES):
        raise ValueError(f"{folder} holds no words: expected {', or '.join(' and '.join(names) for names in VOCABULARIES)}.")
    large = next((file for file in files if size(file) > LARGEST_TOKENIZER), None)
    if large is not None:
        raise ValueError(f"{large} takes {readable(size(large))}: larger than any tokenizer's.")
    return files


def _compare(path: Path, parts: Mapping[str, Part], sums: Mapping[str, str]) -> None:
    """Raises ValueError for a file of an import that is another, or is new; weights are compared when they are loaded."""
    for file, value in sums.items():
        if not file.endswith(".safetensors") and sha256(path / file) != value:
            raise ValueError(f"{path / file} is broken: its content is not what was imported. Import the model again.")
    for part in parts.values():
        files = tokenizer_files(part.folder) if part.place.startswith("tokenizer") else []
        added = next((file for file in files if file.relative_to(path).as_posix() not in sums), None)
        if added is not None:
            raise ValueError(f"{added} was not there when the model was imported, and would change its words: remove it.")


def _check_numbers(config: Any, folder: Path, name: str = "", depth: int = 0) -> None:
    """Raises ValueError for a number that no network has, by which more would be built than there is room for."""
    if depth > DEEPEST:
        raise ValueError(f"{folder}: {name[:40]!r} of its configuration holds lists in lists, {DEEPEST} of which are served.")
    if isinstance(config, dict | list):
        for key, value in config.items() if isinstance(config, dict) else enumerate(config):
            _check_numbers(value, folder, key if isinstance(key, str) else name, depth + 1)
    elif isinstance(config, int | float) and not abs(config) <= LARGEST_NUMBER:
        raise ValueError(
            f"{folder}: {name[:40]!r} of its configuration is {str(config)[:40]}, and {LARGEST_NUMBER} the most that is served."
        )


def weight_files(part: Part) -> list[Path]:
    """The safetensors files of a component. Raises ValueError in one line where there are none, or pickled ones alone."""
    place = weights_place(part)
    if place.suffix == ".safetensors":
        return [place]
    names = _json(place).get("weight_map")
    names = sorted({str(name) for name in names.values()}) if isinstance(names, dict) else []
    if not names or any(not re.fullmatch(r"[\w.-]+\.safetensors", name) for name in names):
        raise ValueError(f"{place} does not name files beside it: it is broken, or not of {part.library}.")
    return [part.folder / name for name in names]


def weights_place(part: Part) -> Path:
    """The file of a component's weights, or the index of several. Raises ValueError as `weight_files`."""
    stem = WEIGHTS[part.library]
    for variant in VARIANTS:
        for name in (f"{stem}{variant}.safetensors", f"{stem}.safetensors.index{variant}.json"):
            if (part.folder / name).is_file():
                return part.folder / name
    pickled = next((file.name for end in ("bin", "pt", "pth", "ckpt") for file in part.folder.glob(f"*.{end}")), None)
    if pickled:
        raise ValueError(
            f"{part.folder} holds {pickled} and no safetensors: pickled weights can hold code, and are not read. Take the "
            "model's safetensors, or convert it where you trust it."
        )
    others = sorted(file.name for file in part.folder.glob("*.safetensors") if file.is_file())
    instead = f" Those of {others[0][:80]} are of another name: rename the file to use them." if others else ""
    missing = part.folder / f"{stem}.safetensors"
    raise ValueError(f"{missing} is missing: the folder holds no weights of {part.kind}.{instead}")


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(text(path))
    except CheckpointError as error:
        raise ValueError(f"{error}".replace("the checkpoint is incomplete", "the folder is incomplete")) from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read: {error}.") from None
    if not isinstance(data, dict):
        raise ValueError(f"{path} is no configuration: expected names with their values.")
    return data


def _sums(path: Path) -> dict[str, str] | None:
    """What an import wrote down. Raises ValueError where it lacks, names files elsewhere, or is of another format."""
    if not (path / MARK).exists():
        return None
    if _json(path / MARK).get("format") != FORMAT:
        raise ValueError(f"{path / MARK} is not of format {FORMAT}: import the model anew, with this version of the project.")
    lines = [line.partition("  ") for line in text(path / SUMS).splitlines()]
    if any(not re.fullmatch(r"(\w+/)?[\w.-]+", name) for _, _, name in lines):
        raise ValueError(f"{path / SUMS} names files that are none of a model's: it is broken.")
    return {name: value for value, _, name in lines}
