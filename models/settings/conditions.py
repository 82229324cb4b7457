"""What networks of this project's own can be conditioned on: settings that several of them share."""

from __future__ import annotations

from dataclasses import dataclass

from models.settings.bounds import optional, positive


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Sizes of the parts of a condition (`models.condition.Condition`) that a network takes; 0 for a part that it does not."""

    classes: int = 0
    """Classes that it can be conditioned on; 0 for none."""
    pooled: int = 0
    """Channels of a vector that it can be conditioned on, such as a sentence's embedding; 0 for none."""
    picture: int = 0
    """Channels of a picture that it can be conditioned on, of the image's size; 0 for none."""
    tokens: int = 0
    """Channels of tokens that it can be conditioned on, such as a text encoder's; 0 for none."""
    text: int = 0
    """Channels of a transformer of its own over the bytes of a caption; 0 for none."""
    text_depth: int = 2
    """Blocks of that transformer."""

    def __post_init__(self) -> None:
        positive(self, "text_depth")
        optional(self, "classes", "pooled", "picture", "tokens", "text")

    @property
    def accepts(self) -> tuple[str, ...]:
        """The parts of a condition that a network of these settings takes; where it takes text, tokens in place of it too."""
        tokens = self.tokens or self.text
        sizes = {"label": self.classes, "pooled": self.pooled, "tokens": tokens, "image": self.picture, "text": self.text}
        return tuple(part for part, size in sizes.items() if size)

    @property
    def attends(self) -> bool:
        """Whether a network of these settings attends to tokens."""
        return bool(self.tokens or self.text)
