"""Published .pt files: the network is found by names and shapes, and becomes an ordinary run."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
import torch

from degrade import GaussianBlur, GaussianNoise, LinearBeta, seeded
from models import ADMUNetConfig, Condition, DDPMUNetConfig, PatchUNetConfig
from models.published import published_name
from restore import Restorer, open_run, pretrained
from restore.published import weights_file
from restore.published.weights_file import Known, import_weights
from restore.sampling import Sampling
from restore.training.session import resume
from samplers import DDPM

NOISE = GaussianNoise(LinearBeta())
SMALL = {
    "adm": Known(ADMUNetConfig(3, 32, (1, 2), 1, (1,), 16, classes=3), 16, NOISE, "eps", Sampling(DDPM(), steps=2)),
    "sindiffusion": Known(PatchUNetConfig(channels=32), 24, NOISE, "eps", Sampling(DDPM("large"), steps=2, pad_to=8)),
    "cold": Known(DDPMUNetConfig(channels=32, multipliers=(1, 2), blocks=1), 16),
}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Small ones in place of the published networks."""
    monkeypatch.setattr(weights_file, "KNOWN", tuple(SMALL.values()))


def published(name: str, path, wrap=lambda state: state):
    """A network with random weights, and the file that its published code would have saved."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = SMALL[name].network.build().eval()
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    torch.save(wrap({published_name(network, key): value for key, value in network.state_dict().items()}), path)
    return network, path


@pytest.mark.parametrize("name", ["adm", "sindiffusion"])
def test_noise(name, tmp_path):
    """The estimate is the network's, by the published schedule; the run, opened again, is the same."""
    network, path = published(name, tmp_path / "model.pt")
    ours = pretrained(path, "cpu")
    x, t = torch.randn(2, 3, 16, 16, generator=seeded(1)), torch.full((2,), 0.7)
    label = Condition(label=torch.tensor([2, 0])) if name == "adm" else Condition()
    with torch.no_grad():
        expected = Restorer(network, NOISE, "eps").given(label)(x, t)
        torch.testing.assert_close(ours.using(clip=False).guided(label)(x, t), expected, rtol=0, atol=1e-6)
    import_weights(path, tmp_path / "run")
    path.unlink()
    run = open_run(tmp_path / "run", "cpu")
    again, made = (one.generate((16, 16), seed=4, progress=False) for one in (run, ours))
    torch.testing.assert_close(again, made, rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match="without what a training goes on with: train anew with --recipe"):
        resume(tmp_path / "run")
    assert run.classes == (("0", "1", "2") if name == "adm" else ())


def test_what_a_file_does_not_tell(tmp_path):
    """Cold Diffusion's are of a whole model in several processes, and need the degradation, and the steps that it took."""

    def wrap(state):
        return {"ema": {**{f"module.denoise_fn.module.{k}": v for k, v in state.items()}, "module.betas": torch.ones(3)}}

    network, path = published("cold", tmp_path / "model.pt", wrap)
    with pytest.raises(ValueError, match="does not tell what it undoes: name the degradation"):
        pretrained(path, "cpu")
    recipe = import_weights(path, tmp_path / "run", GaussianBlur(), 20)
    assert recipe.network.steps == 20 and recipe.sampling.steps == 20 and recipe.prediction == "x0"
    run = open_run(tmp_path / "run", "cpu")
    network.config = replace(network.config, steps=20)
    y = torch.rand(3, 16, 16, generator=seeded(2)) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(run.direct(y, 0.5), network(y[None], torch.full((1,), 0.5))[0].clamp(-1, 1))
    with pytest.raises(ValueError, match="run is not empty"):
        import_weights(path, tmp_path / "run", GaussianBlur())


def test_files_of_something_else(tmp_path):
    torch.save({"weight": torch.ones(3)}, tmp_path / "other.pt")
    torch.save({"a": 1}, tmp_path / "numbers.pt")
    torch.save({"a": torch.tensor(torch.nan)}, tmp_path / "unsound.pt")
    (tmp_path / "evil.pt").write_bytes(pickle.dumps(print))
    for name, message in (
        ("other", "other.pt holds 1 weights that are none of guided diffusion's"),
        ("numbers", "numbers.pt holds no weights of a network"),
        ("unsound", "unsound.pt holds weights that are NaN or infinite: 'a'"),
        ("evil", "evil.pt cannot be read as a .pt file of tensors: it holds something else, or is another kind of file.$"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            pretrained(tmp_path / f"{name}.pt", "cpu")
        assert "\n" not in str(error.value)
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match="is one file of safetensors: give the folder of its model in diffusers' format"):
        pretrained(tmp_path / "model.safetensors", "cpu")


def test_folders_tell_themselves(tmp_path):
    with pytest.raises(ValueError, match="says itself what it undoes: degradation and steps are for .pt files"):
        pretrained(tmp_path, degradation=GaussianBlur())
