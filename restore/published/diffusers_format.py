"""A pipeline of a folder in diffusers' format, component by component."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from degrade import GaussianPrior
from models import Condition
from models.pretrained import CODECS, DENOISERS, TEXT_ENCODERS, AutoencoderKL, Denoiser, Reader, TextEncoder
from models.pretrained.network import flow, levels
from restore.data.sources import LEAST, OneImage
from restore.latents import Latents
from restore.machine.terminal import printable
from restore.pipelines.published import Published
from restore.published.component import Component
from restore.published.folder import INDEX, Part, PublishedFolder, config_name, tokenizer_files
from restore.published.labels import class_names
from restore.published.scheduler import Process, process
from restore.restorer import Precision, Restorer
from restore.space import Pixels

IMAGE_CHANNELS = (1, 3)
"""Those that an image may have."""
REMEMBERED = 16
"""Prompts whose encodings are kept."""


def assembled(folder: PublishedFolder, device: str, precision: Precision) -> Published:
    """The pipeline of a folder, of which nothing is loaded before it is used. Raises ValueError in one line for what is not
    served."""
    try:
        return _assembled(folder, device, precision)
    except (LookupError, TypeError, AttributeError, ArithmeticError) as error:  # a stranger's settings
        raise ValueError(f"{folder.path}: a configuration lacks an entry, or has one of another kind: {error}.") from None


def _assembled(folder: PublishedFolder, device: str, precision: Precision) -> Published:
    place = next((name for name in ("unet", "transformer") if name in folder.parts), None)
    if place is None or "scheduler" not in folder.parts:
        raise ValueError(f"{folder.path} lacks {'a scheduler' if place else 'a unet, and a transformer'}: it makes no images.")
    part = folder.parts[place]
    kind = _known(part, DENOISERS)
    made = _process(folder.parts["scheduler"], kind.offset)
    time = flow(made.steps) if made.prediction == "velocity" else levels(made.steps)
    denoiser = kind(Component(folder, part, device), part.config, time)
    codec = _codec(folder, device)
    if codec is None and denoiser.channels not in IMAGE_CHANNELS:
        raise ValueError(
            f"{folder.path} lacks a vae: its {part.kind} works on {denoiser.channels} channels, which are no image's."
        )
    space = Pixels() if codec is None else Latents(codec, codec.scale, codec.shift)
    if space.channels(denoiser.channels) != denoiser.channels:
        raise ValueError(
            f"{folder.path}: {part.kind} works on {denoiser.channels} channels, its autoencoder makes "
            f"{space.channels(denoiser.channels)}."
        )
    numbers = (denoiser.channels, denoiser.stride, space.stride, *denoiser.size)
    if not all(isinstance(number, int) and number >= 1 for number in numbers):
        raise ValueError(f"{folder.path} works on whole numbers of channels and cells, at least 1, got {numbers}.")
    height, width = (side * space.stride for side in denoiser.size)
    return Published(
        degradation=made.degradation,
        prior=GaussianPrior(),
        size=(denoiser.channels if codec is None else 3, height, width),
        data=OneImage(size=max(LEAST, height, width)),
        sampling=replace(
            made.sampling,
            steps=made.most(denoiser.steps),
            guidance=denoiser.guidance,
            picture_guidance=denoiser.picture_guidance,
        ),
        space=space,
        classes=class_names(folder, denoiser.classes),
        device=device,
        restorer=Restorer(denoiser, made.degradation, made.prediction, precision),
        name=str(folder.path),
        network_stride=denoiser.stride,
        words=_words(folder, denoiser, device),
    )


def components(pipeline: Published) -> list[Component]:
    """Those that a pipeline is made of."""
    found: list[Any] = [pipeline.restorer.network.load]  # type: ignore[attr-defined]
    if isinstance(pipeline.space, Latents):
        found.append(pipeline.space.codec.load)  # type: ignore[attr-defined]
    encoders = pipeline.words.encoders if isinstance(pipeline.words, Words) else ()
    return [*found, *(encoder.load for encoder in encoders if encoder is not None)]


@dataclass(frozen=True, eq=False)
class Words:
    """Prompts -> the condition that they are, for a network that takes tokens; the last ones are remembered."""

    denoiser: Reader
    encoders: tuple[TextEncoder | None, ...]

    def __call__(self, prompts: str | Sequence[str]) -> Condition:
        return self._remembered((prompts,) if isinstance(prompts, str) else tuple(prompts))

    @cached_property
    def _remembered(self) -> Callable[[tuple[str, ...]], Condition]:
        return lru_cache(maxsize=REMEMBERED)(self._encoded)

    def _encoded(self, prompts: tuple[str, ...]) -> Condition:
        length, masked, read = self.denoiser.length, self.denoiser.masked, [self.denoiser.read(prompt) for prompt in prompts]
        encodings = [None if encoder is None else encoder(read, length, masked) for encoder in self.encoders]
        return self.denoiser.words(encodings)


def _known(part: Part, classes: Sequence[type]) -> Any:
    found = {cls.__name__: cls for cls in classes}
    if part.kind not in found:
        raise ValueError(f"{part.folder} is a {part.kind}, which is not served: known are {', '.join(found)}.")
    return found[part.kind]


def _process(part: Part, offset: int | None) -> Process:
    """Raises ValueError for a configuration of another class than the index names, as which diffusers would read it."""
    made = process({"_class_name": part.kind, **part.config}, offset)
    name = part.config.get("_class_name", part.kind)
    if name != part.kind:
        raise ValueError(f"{part.folder} is of a {name}, and {INDEX} names a {part.kind}: write the one that you mean in both.")
    return made


def _codec(folder: PublishedFolder, device: str) -> AutoencoderKL | None:
    part = folder.parts.get("vae")
    return None if part is None else _known(part, CODECS)(Component(folder, part, device), part.config)


def _words(folder: PublishedFolder, denoiser: Denoiser, device: str) -> Words | None:
    if not isinstance(denoiser, Reader):
        return None
    places = ("", "_2", "_3")
    surplus = [f"text_encoder{place}" for place in places[denoiser.encoders :] if f"text_encoder{place}" in folder.parts]
    if surplus:
        raise ValueError(f"{folder.path} holds a {surplus[0]}, which its {type(denoiser).__name__} does not take.")
    return Words(denoiser, tuple(_encoder(folder, place, device) for place in places[: denoiser.encoders]))


def _encoder(folder: PublishedFolder, place: str, device: str) -> TextEncoder | None:
    part, tokens = (folder.parts.get(f"{kind}{place}") for kind in ("text_encoder", "tokenizer"))
    if part is None:
        return None
    kind = _known(part, TEXT_ENCODERS)
    if tokens is None or tokens.kind.removesuffix("Fast") != kind.tokens:
        raise ValueError(f"{folder.path}: text_encoder{place} needs a {kind.tokens}, got {tokens and tokens.kind}.")
    return kind(Component(folder, part, device), lru_cache(maxsize=1)(partial(_tokenizer, tokens, kind.tokens)), part.config)


def _tokenizer(part: Part, kind: str) -> Any:
    """From copies of the files that were looked at: beside them its library reads others, and those that its configuration
    names."""
    import transformers

    files = tokenizer_files(part.folder)
    if {"spiece.model"} == {file.name for file in files} & {"spiece.model", "tokenizer.json"}:
        _check_pieces(part.folder)
    settings = {key: value for key, value in part.config.items() if "file" not in key and key != "name_or_path"}
    try:
        with TemporaryDirectory() as folder:
            for file in files:
                shutil.copyfile(file, Path(folder) / file.name)
            (Path(folder) / config_name(part.place)).write_text(json.dumps(settings), encoding="utf-8")
            return getattr(transformers, kind).from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # whatever a stranger's files lead to
        reason = printable(" ".join(str(error).split()))[:200]
        raise ValueError(f"{part.folder} is no {kind}: {reason}") from None


def _check_pieces(folder: Path) -> None:
    """Raises ValueError where what reads spiece.model is not installed."""
    try:
        missing = [name for name in ("sentencepiece", "google.protobuf") if importlib.util.find_spec(name) is None]
    except ModuleNotFoundError:  # of `google`
        missing = ["protobuf"]
    if missing:
        raise ValueError(
            f"{folder} has its words in spiece.model, which sentencepiece and protobuf read: "
            'python -m pip install -c constraints.txt -e ".[pretrained]"'
        )
