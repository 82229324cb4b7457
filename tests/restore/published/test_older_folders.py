"""Folders as older releases of diffusers wrote them, which are still those of the hub."""

from __future__ import annotations

import shutil
from pathlib import Path

import huggingface_hub
import pytest
import torch
from diffusers import DDPMPipeline, DiTPipeline, PixArtAlphaPipeline
from huggingface_hub.utils import filter_repo_objects

from restore import open_run, pretrained
from restore.published.imported import import_model
from tests.restore.published.test_folders import entries

SHARED = {"dit": ("ada_norm_zero", DiTPipeline), "pixart": ("ada_norm_single", PixArtAlphaPipeline)}
WORDS = {"dit": "class 7", "pixart": "a cat"}


def sampled(pipeline, words: str = "") -> torch.Tensor:
    return pipeline.using(steps=2).generate(seed=3, condition=words, progress=False)


@pytest.mark.parametrize("everywhere", [True, False])
@pytest.mark.parametrize("name", SHARED)
def test_one_class_for_several(name, everywhere, published, tmp_path):
    """Transformer2DModel, told apart by its norm, in the index alone or in both files."""
    norm, theirs = SHARED[name]
    folder = shutil.copytree(published(name)[1], tmp_path / name)
    expected = sampled(pretrained(folder, "cpu"), WORDS[name])
    entries("model_index.json", transformer=["diffusers", "Transformer2DModel"])(folder)
    changes = {"_class_name": "Transformer2DModel"} if everywhere else {}
    entries("transformer/config.json", norm_type=norm, **changes)(folder)
    assert torch.equal(sampled(pretrained(folder, "cpu"), WORDS[name]), expected)
    import_model(folder, tmp_path / "run")
    assert torch.equal(sampled(open_run(tmp_path / "run", "cpu"), WORDS[name]), expected)
    opened = theirs.from_pretrained(str(tmp_path / "run")).transformer
    assert type(opened).__name__ == type(published(name)[0].transformer).__name__
    entries("transformer/config.json", norm_type="layer_norm")(folder)
    with pytest.raises(ValueError, match="transformer is a Transformer2DModel, which is not served: known are"):
        pretrained(folder, "cpu")


@pytest.fixture
def flat(published, tmp_path) -> Path:
    """All files beside the index, as google/ddpm-cifar10-32 has them."""
    folder = shutil.copytree(published("ddpm")[1], tmp_path / "flat")
    for place in ("unet", "scheduler"):
        for file in (folder / place).iterdir():
            file.rename(folder / file.name)
        (folder / place).rmdir()
    return folder


def test_no_folders(flat, published, tmp_path):
    """The run has them, and sums of what lies there; what is not at the root either is missing."""
    expected = sampled(pretrained(published("ddpm")[1], "cpu"))
    assert torch.equal(sampled(pretrained(flat, "cpu")), expected)
    import_model(flat, tmp_path / "run")
    assert torch.equal(sampled(open_run(tmp_path / "run", "cpu")), expected)
    assert DDPMPipeline.from_pretrained(str(tmp_path / "run")).unet.config.sample_size == 8
    sums = (tmp_path / "run/SHA256SUMS").read_text()
    assert "unet/diffusion_pytorch_model.safetensors" in sums and "scheduler/scheduler_config.json" in sums
    weights = tmp_path / "run/unet/diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ValueError, match="is broken: its content is not what was imported"):
        sampled(open_run(tmp_path / "run", "cpu"))
    (flat / "scheduler_config.json").unlink()
    with pytest.raises(ValueError, match="flat/scheduler is missing: model_index.json names it"):
        pretrained(flat, "cpu")


def test_files_of_the_root_are_fetched(flat, monkeypatch):
    """Those of a component, and no weights of another format beside them."""
    (flat / "v1-5-pruned.safetensors").write_bytes(b"")
    (flat / "diffusion_pytorch_model.bin").write_bytes(b"")
    fetched = []

    def snapshot(name, allow_patterns, ignore_patterns):
        names = [file.relative_to(flat).as_posix() for file in flat.rglob("*") if file.is_file()]
        fetched.extend(filter_repo_objects(names, allow_patterns=allow_patterns, ignore_patterns=ignore_patterns))
        return str(flat)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    pretrained("google/ddpm-cifar10-32", "cpu")
    assert sorted(fetched) == [
        *("config.json", "diffusion_pytorch_model.safetensors", "model_index.json", "scheduler_config.json"),
    ]
