"""Weights from files of strangers: copied exactly, or refused in one line, and never code."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from restore.storage.weights import load_network


class Small(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Linear(3, 4), nn.BatchNorm1d(4, track_running_stats=False))


def test_weights_are_those_of_the_file(tmp_path):
    """Bit for bit, in a network for inference."""
    theirs = Small()
    save_file(theirs.state_dict(), tmp_path / "small.safetensors")
    ours = load_network(Small, tmp_path / "small.safetensors")
    assert not ours.training and not any(p.requires_grad for p in ours.parameters())
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"0.weight": torch.zeros(4, 2)}, r"1 entries differ \['0.weight'\]"),
        ({"0.weight": torch.zeros(4, 3, dtype=torch.float64)}, r"1 entries differ \['0.weight'\]"),
        ({"0.weight": torch.zeros(4, 3, dtype=torch.int64)}, r"1 entries differ \['0.weight'\]"),
        ({"another": torch.zeros(1)}, r"1 entries differ \['another'\]"),
        ({"0.bias": None}, r"1 entries differ \['0.bias'\]"),
    ],
)
def test_weights_of_another_network_are_refused(change, found, tmp_path):
    state = {name: value for name, value in (Small().state_dict() | change).items() if value is not None}
    save_file(state, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=rf"other.safetensors does not hold the weights of Small: {found}"):
        load_network(Small, tmp_path / "other.safetensors")


class Writes(nn.Module):
    """As TorchScript, writes a file when it is called."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.save(x, self.path)
        return x.float().mean([2, 3])


def test_what_is_no_safetensors_file_is_refused_and_not_run(tmp_path):
    torch.jit.script(Writes(str(tmp_path / "planted"))).save(tmp_path / "script.pt")
    torch.save(Small().state_dict(), tmp_path / "pickle.pth")
    (tmp_path / "text.safetensors").write_text("hello")
    (tmp_path / "empty.safetensors").touch()
    for name in ("script.pt", "pickle.pth", "text.safetensors", "empty.safetensors"):
        with pytest.raises(ValueError, match=rf"{name} is no safetensors file") as caught:
            load_network(Small, tmp_path / name)
        assert "\n" not in str(caught.value)
    for name in (".", "missing.safetensors"):
        with pytest.raises(ValueError, match="is no file: expected the weights of Small"):
            load_network(Small, tmp_path / name)
    assert not (tmp_path / "planted").exists()
