"""Text encoders: CLIP's (Radford et al. 2021, arXiv 2103.00020) and T5's (Raffel et al. 2019, arXiv 1910.10683)."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from models.pretrained.network import Encoding, Load, running


@dataclass(frozen=True, eq=False)
class TextEncoder(ABC):
    """B prompts -> `Encoding`."""

    load: Load
    tokenizer: Callable[[], Any]
    """Gives the tokenizer, read at the first call."""
    config: Mapping[str, Any]

    tokens: ClassVar[str]
    """The tokenizer that it takes."""

    @abstractmethod
    def __call__(self, prompts: Sequence[str], length: int, masked: bool) -> Encoding:
        """What it makes of prompts, each cut or filled up to its own number of tokens, or to `length` where it takes any.

        masked: whether an encoder that takes any is told which of them fill the prompt up."""

    def ids(self, prompts: Sequence[str], length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Numbers of tokens and their mask (B, L), on the device of the module. Warns of prompts that are cut."""
        tokenizer = self.tokenizer()
        tokens = tokenizer(list(prompts), padding="max_length", max_length=length, truncation=True, return_tensors="pt")
        longest = max(map(len, tokenizer(list(prompts), verbose=False).input_ids))
        if longest > length:
            warnings.warn(f"a prompt of {longest} tokens is cut to the {length} that the model reads.", stacklevel=3)
        device = next(self.load().parameters()).device
        return tokens.input_ids.to(device), tokens.attention_mask.to(device).bool()


class CLIPTextModel(TextEncoder):
    """Looks at all of its 77 tokens, filled up or not, unless its configuration asks for the mask."""

    tokens: ClassVar[str] = "CLIPTokenizer"

    def __call__(self, prompts: Sequence[str], length: int, masked: bool) -> Encoding:
        ids, mask = self.ids(prompts, int(self.config.get("max_position_embeddings", 77)))
        told = mask.long() if self.config.get("use_attention_mask") else None
        module = self.load()
        with torch.no_grad(), running(module):
            found = module(ids, attention_mask=told, output_hidden_states=True)
        return Encoding(found.last_hidden_state, found.hidden_states[-2], mask, self.vector(found))

    def vector(self, found: Any) -> torch.Tensor | None:
        """What stands for the whole prompt."""
        return found.pooler_output


class CLIPTextModelWithProjection(CLIPTextModel):
    """The same, its vector projected to where pictures are embedded."""

    def vector(self, found: Any) -> torch.Tensor | None:
        return found.text_embeds


class T5EncoderModel(TextEncoder):
    """Takes any number of tokens."""

    tokens: ClassVar[str] = "T5Tokenizer"

    def __call__(self, prompts: Sequence[str], length: int, masked: bool) -> Encoding:
        ids, mask = self.ids(prompts, length)
        module = self.load()
        with torch.no_grad(), running(module):
            found = module(ids, attention_mask=mask.long() if masked else None).last_hidden_state
        return Encoding(found, found, mask)
