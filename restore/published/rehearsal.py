"""Whether the parts of a published model fit each other: all are run once, on tensors that have shapes and no content."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from degrade.lazy import torch
from models import Condition
from restore.latents import Latents
from restore.published.diffusers_format import Words

if TYPE_CHECKING:
    from restore.pipelines.published import Published

NOWHERE = "meta"
"""The device of tensors without memory."""


def rehearse(pipeline: Published) -> None:
    """Encodes a prompt, calls the network on one image of its size, and the autoencoder both ways. Nothing is loaded but the
    tokenizers. Raises ValueError in one line for parts that cannot be run, or do not fit."""
    try:
        condition = _condition(pipeline)
        if condition is not None:
            _denoised(pipeline, condition)
        _coded(pipeline)
    except RuntimeError as error:
        if "meta tensor" not in str(error):  # some look at the content of what they are given: found at first use
            raise


def _condition(pipeline: Published) -> Condition | None:
    """That of a prompt or a class; None where the content of tokens is needed for it."""
    network: Any = pipeline.restorer.network
    words = pipeline.words
    found = Condition()
    if isinstance(words, Words):
        _known(pipeline, words)
        encoders = [encoder and _hollow(encoder) for encoder in words.encoders]
        try:  # told no mask, into which T5 would look
            found = network.words([encoder and encoder(["a"], network.length, False) for encoder in encoders])
        except RuntimeError as error:
            if "meta tensor" not in str(error):
                raise
            return None
    if pipeline.classes:
        found = found._replace(label=torch.zeros(1, dtype=torch.long, device=NOWHERE))
    if getattr(network, "picture", 0):
        found = found._replace(image=torch.zeros(1, network.picture, *pipeline.padded(pipeline.size[1:]), device=NOWHERE))
    return found


def _known(pipeline: Published, words: Words) -> None:
    """Raises where a tokenizer has tokens that its encoder has no embedding of."""
    for encoder in filter(None, words.encoders):
        known = encoder.config.get("vocab_size")
        highest = max(encoder.tokenizer().get_vocab().values())
        if known is not None and highest >= int(known):
            raise ValueError(
                f"{pipeline.name}: its {encoder.tokens} has the token {highest}, {type(encoder).__name__} knows those below "
                f"{known}; they are not of the same model."
            )


def _denoised(pipeline: Published, condition: Condition) -> None:
    network: Any = pipeline.restorer.network
    x = torch.zeros(1, network.channels, *pipeline.padded(pipeline.size[1:]), device=NOWHERE)
    made = _hollow(network)(x, torch.full((1,), 0.5, device=NOWHERE), condition)
    if made.shape != x.shape:
        raise ValueError(f"{pipeline.name}: {type(network).__name__} makes {tuple(made.shape)} of x of {tuple(x.shape)}.")


def _coded(pipeline: Published) -> None:
    if not isinstance(pipeline.space, Latents):
        return
    codec = _hollow(pipeline.space.codec)
    images = torch.zeros(1, *pipeline.size, device=NOWHERE)
    cells = (1, codec.channels, *(side // pipeline.space.stride for side in pipeline.size[1:]))
    mean, std = codec.encode(images)
    made = codec.decode(mean)
    if not (mean.shape == std.shape == cells and made.shape == images.shape):
        raise ValueError(
            f"{pipeline.name}: its autoencoder makes latents of {tuple(mean.shape)[1:]} of images of {pipeline.size}, and "
            f"images of {tuple(made.shape)[1:]} of these."
        )


def _hollow(part: Any) -> Any:
    """A network, an autoencoder or a text encoder without its weights."""
    module = part.load.drawn()
    return replace(part, load=lambda: module)
