"""A call on tensors recorded once as a CUDA graph, and replayed: one launch for the host in place of hundreds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from degrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

WARM = 3
"""Calls before the one that is recorded: kernels are chosen, tables and the optimizer's state made."""


class Captured:
    """`call`, a function of the tensors in its arguments and of those that it changes in place, which waits for nothing
    (tests/test_waits.py) and gives tensors.

    Arguments are trees of tensors (tuples, NamedTuples), the same tree at every call. The first `WARM` calls run as they are,
    the next is recorded; calls with tensors of other shapes run as they are, so do those that gradients go through, and all on
    a device that is no CUDA GPU. What it gives is a copy: the recorded results are written over by the next replay.
    """

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call
        self.calls = 0
        self.stream: Any = None
        self.graph: Any = None
        self.inputs: list[Tensor] = []
        self.results: Any = None

    def __call__(self, *arguments: Any) -> Any:
        from torch.utils._pytree import tree_flatten, tree_map_only, tree_unflatten

        leaves, tree = tree_flatten(arguments)
        tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
        if tensors[0].device.type != "cuda" or any(x.requires_grad for x in tensors):
            return self.call(*arguments)
        if self.graph is None and self.calls < WARM:
            self.calls += 1
            return self._aside(lambda: self.call(*arguments))
        if self.graph is None:
            self.inputs = [x.clone() for x in tensors]
            copies = iter(self.inputs)
            fixed = tree_unflatten([next(copies) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves], tree)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self.results = self.call(*fixed)
            self.graph = graph  # not before: one whose recording failed is empty
        if [x.shape for x in tensors] != [x.shape for x in self.inputs]:
            return self.call(*arguments)
        for fixed, given in zip(self.inputs, tensors, strict=True):
            fixed.copy_(given)
        self.graph.replay()
        return tree_map_only(torch.Tensor, lambda x: x.clone(), self.results)

    def _aside(self, call: Callable[[], Any]) -> Any:
        """On a stream of its own, as CUDA asks of calls before a capture: the same each time, since memory belongs to one."""
        self.stream, here = self.stream or torch.cuda.Stream(), torch.cuda.current_stream()
        self.stream.wait_stream(here)
        with torch.cuda.stream(self.stream):
            results = call()
        here.wait_stream(self.stream)
        return results
