"""What a network is conditioned on beside the image and the severity: a class, a vector, tokens, another picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Condition(NamedTuple):
    """The condition of each image of a batch: tensors with leading dimension B. Any part may be None, for all images.

    | part | shape | values | "nothing" for one image |
    | --- | --- | --- | --- |
    | label | (B,) | integers, the number of a class | -1 |
    | pooled | (B, D) | floating point, such as the embedding of a sentence | zeros |
    | tokens, with their mask | (B, L, D), (B, L) | floating point; bool, False where there is no token | zeros, False |
    | image | (B, C', *space) | floating point, a picture of the image's size | zeros |
    | text | (B, L) | integers, the bytes of a caption (`written`), 0 after its end | zeros |

    A network declares the parts that it takes as `accepts: tuple[str, ...]`, and is called net(x, t, condition) then; where it
    declares none, net(x, t).
    """

    label: Tensor | None = None
    pooled: Tensor | None = None
    tokens: Tensor | None = None
    mask: Tensor | None = None
    image: Tensor | None = None
    text: Tensor | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts that are there; the mask belongs to the tokens."""
        return tuple(part for part in PARTS if getattr(self, part) is not None)

    @property
    def batch(self) -> int | None:
        """The number of images that it is for; None where no part is there."""
        return next((len(value) for value in self if value is not None), None)

    def map(self, change: Callable[[Tensor], Tensor]) -> Condition:
        """The condition with `change` applied to every tensor: moved to a device, cut to a few images of the batch."""
        return Condition(*(None if value is None else change(value) for value in self))

    @classmethod
    def written(cls, *captions: str) -> Condition:
        """Captions, one for each image, as the bytes of their UTF-8. Raises ValueError for one of more than LONGEST bytes."""
        import torch

        encoded = [caption.encode() for caption in captions]
        longest = max(encoded, key=len)
        length = max(1, len(longest))
        if len(longest) > LONGEST:
            raise ValueError(f"a caption has at most {LONGEST} bytes, got {len(longest)}: {longest.decode()[:60]}...")
        rows = [[*line, *[0] * (length - len(line))] for line in encoded]
        return cls(text=torch.tensor(rows, dtype=torch.long))

    def dropped(self, drop: Mapping[str, Tensor]) -> Condition:
        """The condition with "nothing" in place of the parts that `drop` names, for the images whose entry (B,) is True."""
        parts = {part: _zeroed(getattr(self, part), drop[part]) for part in self.parts if part in drop}
        if self.label is not None and "label" in drop:
            parts["label"] = self.label.masked_fill(drop["label"].to(self.label.device, non_blocking=True), -1)
        if self.mask is not None and "tokens" in drop:
            parts["mask"] = _zeroed(self.mask, drop["tokens"])
        return self._replace(**parts)

    def check(self) -> None:
        """Raises ValueError, in one line, for a wrong rank or dtype, parts of different batches, tokens that no mask fits."""
        there = {name: value for name, value in zip(self._fields, self, strict=True) if value is not None}
        for name, value in there.items():
            shape, dtype = _EXPECTED[name]
            if not hasattr(value, "ndim"):
                raise ValueError(f"{name} of a condition is a tensor of shape {shape}, got a {type(value).__name__}.")
            if _seen(value) and value.is_floating_point() and not bool(value.isfinite().all()):
                raise ValueError(f"{name} of a condition holds NaN or infinite values: expected finite numbers.")
            rank = len(shape.split(","))
            if _kind(value) != dtype or value.ndim < rank or (value.ndim > rank and name != "image"):
                got = f"{tuple(value.shape)}, {value.dtype}"
                raise ValueError(f"{name} of a condition has the shape {shape} and is {dtype}, got {got}.")
        sizes = {name: len(value) for name, value in there.items()}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"the parts of a condition are for one batch, got {sizes}: give one entry for each image.")
        bytes_ = self.text is None or not _seen(self.text) or bool(((self.text >= 0) & (self.text < 256)).all())
        if self.text is not None and (self.text.shape[1] > LONGEST or not bytes_):
            raise ValueError(f"text of a condition holds bytes, 0 to 255, at most {LONGEST}: `Condition.written` makes it.")
        tokens, mask = (None if value is None else tuple(value.shape[:2]) for value in (self.tokens, self.mask))
        if tokens != mask:
            raise ValueError(f"tokens (B, L, D) come with a mask (B, L), got (B, L) = {tokens} and {mask}: give both.")


class Conditioning(NamedTuple):
    """What the blocks of a network are told: a vector that scales and shifts them, and tokens that they attend to."""

    vector: Tensor
    """(B, width)."""
    tokens: Tensor | None = None
    """(B, L, width); None for a network that was built for none."""
    mask: Tensor | None = None
    """(B, L), False where there is no token."""


LONGEST = 256
"""Bytes of a caption, at most."""
PARTS = ("label", "pooled", "tokens", "image", "text")
"""What can be conditioned on, and dropped, by name."""

_EXPECTED = {
    "label": ("(B)", "integers"),
    "pooled": ("(B, D)", "floating point"),
    "tokens": ("(B, L, D)", "floating point"),
    "mask": ("(B, L)", "bool"),
    "image": ("(B, C, ...)", "floating point"),
    "text": ("(B, L)", "integers"),
}


def _seen(value: Tensor) -> bool:
    """Whether the host looks at values: on a CPU only, since it would wait for a GPU."""
    return value.device.type == "cpu"


def _kind(value: Tensor) -> str:
    return "bool" if str(value.dtype) == "torch.bool" else "floating point" if value.is_floating_point() else "integers"


def _zeroed(value: Tensor, drop: Tensor) -> Tensor:
    return value.masked_fill(drop.to(value.device, non_blocking=True).reshape(-1, *[1] * (value.ndim - 1)), 0)
