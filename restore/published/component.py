"""A module of a published folder: built by its library's class, its weights taken from safetensors, once and without a copy."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from degrade.lazy import torch
from restore.machine.memory import free_memory, readable
from restore.machine.terminal import printable
from restore.published.folder import Part, PublishedFolder, weight_files
from restore.storage.reading import opened, sha256

if TYPE_CHECKING:
    from torch import Tensor, nn

ARCHITECTURE = (
    *("vocab_size", "hidden_size", "intermediate_size", "projection_dim", "num_hidden_layers", "num_attention_heads"),
    *("max_position_embeddings", "hidden_act", "layer_norm_eps", "attention_dropout", "initializer_range"),
    *("initializer_factor", "pad_token_id", "bos_token_id", "eos_token_id", "d_model", "d_kv", "d_ff", "num_layers"),
    *("num_decoder_layers", "num_heads", "relative_attention_num_buckets", "relative_attention_max_distance"),
    *("dropout_rate", "layer_norm_epsilon", "feed_forward_proj"),
)
"""Entries of a text encoder's configuration that are read: what it is made of. Of the others one has code fetched and run
(`attn_implementation`), some make names by the million (`num_labels`), and none changes what it computes."""
TIED = "encoder.embed_tokens.weight"
"""A second name of T5's embedding, which files hold or not."""
MOST_PARAMETERS = 5000
"""Weights by name: the largest models have some 2000."""
LARGEST_BUFFERS = 2**29
"""Bytes of what a module computes when it is built: a table of positions at most."""


@dataclass(frozen=True, eq=False)
class Component:
    """Loads its module when it is first asked for it. Raises ValueError, in one line, for files that are not what they should
    be."""

    folder: PublishedFolder
    part: Part
    device: str

    def __call__(self) -> nn.Module:
        return self.module

    @cached_property
    def module(self) -> nn.Module:
        """For inference, in float32. The weights stay in the file's pages until they are used, where it holds that dtype."""
        files, module = weight_files(self.part), self.drawn()
        names, like = self._checked(files, module), module.state_dict()
        needed = sum(parameter.nbytes for parameter in module.parameters())
        if needed > free_memory():
            raise ValueError(f"{self.part.folder} takes {readable(needed)}, and {readable(free_memory())} of memory are free.")
        if any(name not in module.state_dict() for name, _ in module.named_buffers()):  # computed when it is built
            with _registering(_weightless):
                module = self._built()
        for file in files:
            self._verify(file)
            with opened(file) as weights:
                there = [name for name in weights.keys() if name in names]  # noqa: SIM118
                state = {names[name]: _sound(weights.get_tensor(name), name, file) for name in there}
                state = {name: weight.reshape(like[name].shape) for name, weight in state.items()}
                module.load_state_dict(state, strict=False, assign=True)
        tie: Any = getattr(module, "tie_weights", None)
        if tie is not None:
            tie()
        return module.to(self.device).eval().requires_grad_(False)

    def check(self) -> None:
        """Looks at names, shapes and sums, and for weights that are no numbers, one after the other; none is kept."""
        files = weight_files(self.part)
        names = self._checked(files, self.drawn())
        for file in files:
            self._verify(file)
            with opened(file) as weights:
                for name in weights.keys():  # noqa: SIM118
                    if name in names:
                        _sound(weights.get_tensor(name), name, file)

    def drawn(self) -> nn.Module:
        """The module without memory. Raises ValueError for one that is larger than any that is served."""
        with torch.device("meta"), _registering(_Counted()):
            module = self._built()
        computed = sum(buffer.nbytes for buffer in module.buffers())
        if computed > LARGEST_BUFFERS:
            raise ValueError(f"{self.part.folder / 'config.json'} asks for tables of {readable(computed)}, no model's.")
        return module

    def _built(self) -> nn.Module:
        cls = getattr(importlib.import_module(self.part.library), self.part.kind, None)
        if cls is None:
            raise ValueError(f"{self.part.folder} is a {self.part.kind}, which is no class of {self.part.library}.")
        settings = {name: value for name, value in self.part.config.items() if not name.startswith("_")}
        try:
            if self.part.library == "diffusers":
                return cls.from_config(settings)
            return cls(cls.config_class(**{name: value for name, value in settings.items() if name in ARCHITECTURE}))
        except Exception as error:  # whatever a stranger's settings lead to
            reason = printable(" ".join(str(error).split()))[:200]
            raise ValueError(f"{self.part.folder / 'config.json'} does not describe a {self.part.kind}: {reason}") from None

    def _checked(self, files: list[Path], module: nn.Module) -> dict[str, str]:
        """The names in the module of what the files hold. Raises ValueError unless these are its weights, in their shapes."""
        like: dict[str, Tensor] = module.state_dict()
        names, shapes, kinds = {}, {}, set()
        for file in files:
            with opened(file) as weights:
                for name in weights.keys():  # noqa: SIM118
                    ours = name if name in like else renamed(name)
                    entry = weights.get_slice(name)
                    names[name], shapes[ours] = ours, tuple(entry.get_shape())
                    kinds |= {entry.get_dtype()} if ours in like else set()
        shapes.pop("embeddings.position_ids", None)
        surplus = sorted(set(shapes) - set(like) - {"text_model.embeddings.position_ids"})
        missing = sorted(set(like) - set(shapes) - {TIED})
        wrong = [name for name, shape in shapes.items() if name in like and not _fits(shape, tuple(like[name].shape))]
        if surplus or missing or wrong:
            raise ValueError(
                f"{self.part.folder} does not hold the weights of its {self.part.kind}: {len(missing)} missing "
                f"{[name[:60] for name in missing[:2]]}, {len(surplus)} surplus {[name[:60] for name in surplus[:2]]}, "
                f"{len(wrong)} of other shapes {[name[:60] for name in wrong[:2]]}."
            )
        if kinds - {"F16", "BF16", "F32", "F64"}:
            raise ValueError(f"{self.part.folder} holds weights of {', '.join(sorted(kinds))}: quantised ones are not served.")
        return {name: ours for name, ours in names.items() if ours in like}

    def _verify(self, file: Path) -> None:
        sums = self.folder.sums
        if sums is not None and sums.get(file.relative_to(self.folder.path).as_posix()) != sha256(file):
            raise ValueError(f"{file} is broken: its content is not what was imported. Import the model again.")


def renamed(name: str) -> str:
    """Today's name of a weight in an older file: of attention before diffusers 0.18, of CLIP before transformers 5.6."""
    name = name.removeprefix("text_model.")
    return OLD.sub(lambda found: f"{found[1]}.{TODAY[found[2]]}.", name)


TODAY = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
OLD = re.compile(rf"(\.attentions\.\d+)\.({'|'.join(TODAY)})\.")


def _fits(found: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    """Older files hold some linear layers as 1 x 1 convolutions."""
    return found == expected or found == (*expected, 1, 1)


def _sound(weight: Tensor, name: str, file: Path) -> Tensor:
    """The weight in float32. Raises ValueError where it holds what is no number there."""
    weight = weight.float() if weight.is_floating_point() else weight
    if weight.numel() and not all(bool(end.isfinite()) for end in weight.aminmax()):  # makes no copy, and finds NaN too
        raise ValueError(f"{file} holds weights that are NaN or infinite: {name[:60]}.")
    return weight


def _weightless(parameter: nn.Parameter) -> nn.Parameter:
    """Modules whose parameters pass here compute their buffers, and have parameters without memory."""
    return torch.nn.Parameter(parameter.to("meta"))


class _Counted:
    """Passes on MOST_PARAMETERS parameters: a stranger's configuration may ask for any number of layers."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, parameter: nn.Parameter) -> nn.Parameter:
        self.count += 1
        if self.count > MOST_PARAMETERS:
            raise ValueError(f"it has more than {MOST_PARAMETERS} weights by name, more than any model.")
        return parameter


@contextmanager
def _registering(change: Callable[[nn.Parameter], nn.Parameter]) -> Iterator[None]:
    """Modules that are built inside have what `change` makes of their parameters."""
    register = torch.nn.Module.register_parameter

    def changed(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        register(module, name, None if parameter is None else change(parameter))

    torch.nn.Module.register_parameter = changed  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        torch.nn.Module.register_parameter = register  # type: ignore[method-assign]
