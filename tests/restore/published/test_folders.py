"""Folders that are not what they should be: one line each, and nothing in them is executed."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import diffusers
import pytest
import torch
from safetensors.torch import load_file, save_file

from restore import open_run, pretrained
from restore.published.folder import PIPELINES
from restore.published.imported import import_model
from restore.sharing.pack import pack

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
RAN = []
"""What a file's code would leave here, if any were executed."""


class Evil:
    def __reduce__(self):
        return RAN.append, ("a pickle",)


@pytest.fixture
def folder(published, tmp_path) -> Path:
    return shutil.copytree(published("ddpm")[1], tmp_path / "ddpm")


def entries(file: str, **changes) -> Callable[[Path], None]:
    """A JSON file with other entries; None leaves one out."""

    def change(folder: Path) -> None:
        data = {**json.loads((folder / file).read_text()), **changes}
        kept = {name: value for name, value in data.items() if value is not ...}
        (folder / file).write_text(json.dumps(kept))

    return change


def code(folder: Path) -> None:
    (folder / "pipeline.py").write_text("from tests.restore.published.test_folders import RAN\nRAN.append('a module')")


def of_its_own(folder: Path) -> None:
    code(folder)
    entries("model_index.json", _class_name=["pipeline", "Mine"])(folder)


def module_of_its_own(folder: Path) -> None:
    code(folder)
    entries("model_index.json", unet=["pipeline", "Mine"])(folder)


def pickled(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    (folder / "unet/diffusion_pytorch_model.bin").write_bytes(pickle.dumps(Evil()))


def without(name: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return remove


def weights(change: Callable[[dict], dict]) -> Callable[[Path], None]:
    return lambda folder: save_file(change(load_file(folder / WEIGHTS)), folder / WEIGHTS)


def indexed(name: str) -> Callable[[Path], None]:
    """Weights that lie where an index says."""

    def change(folder: Path) -> None:
        (folder / WEIGHTS).rename(folder / "elsewhere.safetensors")
        (folder / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": {"conv_in.bias": name}}))

    return change


def huge_shapes(folder: Path) -> None:
    header = json.dumps({"conv_in.bias": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    (folder / WEIGHTS).write_bytes(len(header).to_bytes(8, "little") + header)


def device(folder: Path) -> None:
    (folder / "unet/config.json").unlink()
    (folder / "unet/config.json").symlink_to("/dev/zero")


UNET = "unet/config.json"
SCHEDULER = "scheduler/scheduler_config.json"
BAD = {
    "a pickle": (pickled, "holds diffusion_pytorch_model.bin and no safetensors: pickled weights can hold code"),
    "code of its own": (of_its_own, r"names the pipeline \"\['pipeline', 'Mine'\]\": code of a folder's own is not executed"),
    "a module of its own": (
        module_of_its_own,
        r"unet is \['pipeline', 'Mine'\], expected a class of diffusers or transformers",
    ),
    "auto_map": (entries("unet/config.json", auto_map={"AutoModel": "pipeline.Mine"}), "brings code of its own .auto_map."),
    "a pipeline that asks otherwise": (
        entries("model_index.json", _class_name="MarigoldDepthPipeline"),
        "is of a 'MarigoldDepthPipeline', which is not served: known are DDPM, DDIM, .*StableDiffusionInstructPix2Pix, ",
    ),
    "no index": (without("model_index.json"), "holds no model_index.json: expected a model in diffusers' format"),
    "no weights": (without(WEIGHTS), "diffusion_pytorch_model.safetensors is missing: the folder holds no weights of UNet2D"),
    "no component": (without("unet"), "unet is missing: model_index.json names it"),
    "no configuration": (without("unet/config.json"), "config.json cannot be read .No such file.*the folder is incomplete"),
    "no scheduler": (entries("model_index.json", scheduler=[None, None]), "lacks a scheduler"),
    "no network": (entries("model_index.json", unet=[None, None]), "lacks a unet, and a transformer"),
    "an unknown class": (
        entries("model_index.json", unet=["diffusers", "UNet3DConditionModel"]),
        "unet is a UNet3DConditionModel, which is not served: known are UNet2DModel, UNet2D",
    ),
    "a class of the other library": (
        entries("model_index.json", unet=["transformers", "UNet2DModel"]),
        "unet is a UNet2DModel, which is no class of transformers|unet/model.safetensors is missing",
    ),
    "an unknown component": (entries("model_index.json", controlnet=["diffusers", "X"]), "has the component 'controlnet'"),
    "a codec as a network": (entries("model_index.json", unet=["diffusers", "AutoencoderKL"]), "which is not served"),
    "other shapes": (entries("unet/config.json", block_out_channels=[8, 32]), "of other shapes"),
    "weights of another name": (
        lambda folder: (folder / WEIGHTS).rename(folder / "unet/diffusion_pytorch_model.non_ema.safetensors"),
        "is missing: .* Those of diffusion_pytorch_model.non_ema.safetensors are of another name: rename the file",
    ),
    "weights that lead nowhere": (
        lambda folder: ((folder / WEIGHTS).unlink(), (folder / WEIGHTS).symlink_to("../../blobs/gone")),
        "diffusion_pytorch_model.safetensors is missing: the folder holds no weights of UNet2DModel.$",
    ),
    "a weight is missing": (weights(lambda w: {k: v for k, v in w.items() if "conv_in" not in k}), "2 missing .'conv_in.bias'"),
    "a weight too many": (weights(lambda w: {**w, "more": torch.ones(1)}), "1 surplus .'more'"),
    "not a number": (weights(lambda w: {**w, "conv_in.bias": w["conv_in.bias"] * torch.nan}), "NaN or infinite: conv_in.bias"),
    "settings of nonsense": (entries("unet/config.json", norm_num_groups=-3), "config.json does not describe a UNet2DModel"),
    "quantised": (
        weights(lambda w: {k: v.to(torch.int8) for k, v in w.items()}),
        "holds weights of I8: quantised ones are not",
    ),
    "an entry is missing": (entries("unet/config.json", in_channels=...), "lacks an entry, or has one of another kind: 'in_"),
    "an entry of words": (entries("unet/config.json", block_out_channels=3), "lacks an entry, or has one of another kind"),
    "an index that leads out": (indexed("../elsewhere.safetensors"), "does not name files beside it"),
    "an index of nothing": (indexed("gone.safetensors"), "gone.safetensors cannot be read"),
    "shapes without end": (huge_shapes, "diffusion_pytorch_model.safetensors is broken"),
    "a device": (device, "config.json is not an ordinary file"),
    "a huge number": (
        entries(UNET, sample_size=10**12),
        "'sample_size' of its configuration is 1000000000000, and 1048576 the",
    ),
    "a number in words": (
        entries(UNET, sample_size="64"),
        "sample_size of UNet2DModel is a whole number of .* got '64': write",
    ),
    "one side": (entries(UNET, sample_size=[8]), r"sample_size of UNet2DModel is a whole number of cells, or two, got '\[8\]'"),
    "three sides": (entries(UNET, sample_size=[8, 8, 8]), "sample_size of UNet2DModel is a whole number of cells, or two, got"),
    "half a cell": (entries(UNET, sample_size=8.5), "sample_size of UNet2DModel is a whole number of cells, or two, got '8.5'"),
    "not a number in it": (entries(UNET, dropout=float("nan")), "'dropout' of its configuration is nan"),
    "lists in lists": (entries(UNET, down_block_types=[[[[[[[[[0]]]]]]]]]), "holds lists in lists, 8 of which"),
    "no levels": (entries(UNET, block_out_channels=[]), "works on whole numbers of channels and cells, at least 1, got"),
    "no groups": (entries(UNET, attn_norm_num_groups=-1), "UNet2DModel cannot be run as it is configured: Expected num"),
    "layers without end": (entries(UNET, layers_per_block=2**20), "it has more than 5000 weights by name"),
    "no JSON": (lambda folder: (folder / "unet/config.json").write_text("{"), "config.json cannot be read"),
    "a list": (lambda folder: (folder / "unet/config.json").write_text("[]"), "is no configuration"),
    "cut short": (
        lambda folder: (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-9]),
        "is broken .* Get it again",
    ),
    "another scheduler": (
        entries(SCHEDULER, _class_name="LCMScheduler"),
        "the scheduler 'LCMScheduler' is not read: known are",
    ),
    "an entry of no scheduler": (entries(SCHEDULER, use_waves=True), "has the entry 'use_waves': 'True', which this"),
    "learned variance": (entries(SCHEDULER, variance_type="learned"), "variance_type of DDPMScheduler is one of fixed_small"),
    "two schedulers": (
        entries("model_index.json", scheduler=["diffusers", "DDIMScheduler"]),
        "is of a DDPMScheduler, and model_index.json names a DDIMScheduler: write the one that you mean in both",
    ),
    "a scheduler of two names": (
        entries(SCHEDULER, _class_name=["DDPMScheduler"]),
        "the scheduler .*DDPMScheduler.* is not read: known are",
    ),
    "a word for a flag": (entries(SCHEDULER, clip_sample="no"), "clip_sample of DDPMScheduler is true or false, got 'no'"),
    "flow of levels": (entries(SCHEDULER, prediction_type="flow_prediction"), "is one of epsilon, v_prediction, sample, got"),
    "words for a number": (entries(SCHEDULER, beta_start="low"), "beta_start of DDPMScheduler is a number, got 'low'"),
    "betas of its own": (entries(SCHEDULER, trained_betas=[0.1]), "has the entry 'trained_betas'"),
    "a prediction": (entries(SCHEDULER, prediction_type="score"), "prediction_type of DDPMScheduler is one of epsilon,"),
    "a range": (entries(SCHEDULER, clip_sample_range=3.0), "clip_sample_range of DDPMScheduler is 1 here, got 3.0"),
    "eps without signal": (entries(SCHEDULER, rescale_betas_zero_snr=True), "eps prediction divides by alpha, which is 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_folders(name, folder):
    change, message = BAD[name]
    change(folder)
    with pytest.raises(ValueError, match=message) as error:
        pretrained(folder, "cpu").generate(progress=False)
    assert "\n" not in str(error.value) and len(str(error.value)) < 500
    assert not RAN


@pytest.mark.parametrize("name", ["DDPM", "DDIM", "PNDM"])
def test_pipelines_of_one_meaning(name, folder):
    """They differ in how they are sampled, which the scheduler says."""
    expected = pretrained(folder, "cpu").using(steps=2).generate(progress=False)
    entries("model_index.json", _class_name=f"{name}Pipeline")(folder)
    assert torch.equal(pretrained(folder, "cpu").using(steps=2).generate(progress=False), expected)


def test_pipelines_that_are_served():
    """All are of diffusers."""
    assert all(hasattr(diffusers, f"{name}Pipeline") for name in PIPELINES)


def test_a_tokenizer_of_any_size(published, tmp_path):
    folder = shutil.copytree(published("sd")[1], tmp_path / "sd")
    with open(folder / "tokenizer/tokenizer.json", "r+b") as file:
        file.truncate(2**27)
    with pytest.raises(ValueError, match="tokenizer.json takes 128 MiB: larger than any tokenizer's"):
        pretrained(folder, "cpu")


def test_names_of_older_files(folder):
    """Attention's, as 1 x 1 convolutions too; half the precision becomes the whole."""
    today = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def old(state: dict) -> dict:
        for new, name in today.items():
            state = {key.replace(f".{new}.", f".{name}."): value for key, value in state.items()}
        state = {key: value[..., None, None] if ".query.weight" in key else value for key, value in state.items()}
        return {key: value.half() for key, value in state.items()}

    before = pretrained(folder, "cpu").using(steps=2).generate(progress=False)
    weights(old)(folder)
    module = pretrained(folder, "cpu").restorer.network.load()
    assert {value.dtype for value in module.state_dict().values()} == {torch.float32}
    after = pretrained(folder, "cpu").using(steps=2).generate(progress=False)
    torch.testing.assert_close(after, before, rtol=0, atol=0.02)


def test_what_is_neither_a_folder_nor_a_name(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "none", tmp_path / "file"):
        with pytest.raises(ValueError, match="is no folder of a model, and no name of one on the hub"):
            pretrained(path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match="nobody/nothing is no folder, and cannot be had from the hub: ") as error:
        pretrained("nobody/nothing")
    assert "\n" not in str(error.value)


def test_an_import_is_a_run_of_its_own(folder, tmp_path):
    """It does not need what it was made from; broken files are found by their sums; a folder that holds something is left."""
    expected = pretrained(folder, "cpu").using(steps=2).generate(seed=3, progress=False)
    import_model(folder, tmp_path / "run")
    code(folder)
    shutil.rmtree(folder)
    assert torch.equal(open_run(tmp_path / "run", "cpu").using(steps=2).generate(seed=3, progress=False), expected)
    with pytest.raises(ValueError, match="run is not empty: name another folder"):
        import_model(tmp_path / "run", tmp_path / "run")
    with pytest.raises(ValueError, match="is an imported model, .* share the folder that it came from"):
        pack(tmp_path / "run", tmp_path)
    weights(lambda w: {**w, "conv_in.bias": w["conv_in.bias"] + 1})(tmp_path / "run")
    run = open_run(tmp_path / "run", "cpu")
    with pytest.raises(ValueError, match="diffusion_pytorch_model.safetensors is broken: its content is not what was imported"):
        run.generate(progress=False)
    entries("unet/config.json", sample_size=16)(tmp_path / "run")
    with pytest.raises(ValueError, match="unet/config.json is broken"):
        open_run(tmp_path / "run", "cpu")


def test_a_bad_import_leaves_nothing(folder, tmp_path):
    weights(lambda w: {**w, "more": torch.ones(1)})(folder)
    with pytest.raises(ValueError, match="1 surplus"):
        import_model(folder, tmp_path / "run")
    assert {path.name for path in tmp_path.iterdir()} == {"ddpm"}
