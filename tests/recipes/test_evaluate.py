"""Tables of restoration, generation and classes, and what they refuse before any work is done."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
import tyro
from safetensors.torch import save_file
from torch import nn

from models.inception import InceptionV3
from models.lpips import LPIPS
from recipes import animorphosis, blur_generation, deblurring, evaluate
from restore import load_image, save_image
from restore.evaluation import features
from restore.training.session import train
from tests.refusals import refusal
from tests.tiny import short, tiny

ROOT = Path(__file__).resolve().parents[2]
KERNEL = r"-?[\d.]+ ± [\d.]+"
"""A kernel distance with its deviation."""


@pytest.fixture(autouse=True)
def quick_classifier(monkeypatch):
    monkeypatch.setattr(features, "of_classifier", partial(features.of_classifier, steps=20))


def evaluation(*args: str) -> None:
    tyro.cli(evaluate.Command, args=args)()


def test_the_table(digits, capsys):
    train(short(deblurring.recipe("digits"), 1), digits / "run")
    evaluation("restoration", "run", "--severities", "0.5", "1", "--images", "20")
    printed = capsys.readouterr().out
    rows = re.findall(rf"^\| (0\.5|1) \| ([\w ]+) \|(?: [\d.]+ \|){{4}} {KERNEL} \|$", printed, re.M)
    assert [row[:2] for row in rows] == [
        (severity, name) for severity in ("0.5", "1") for name in ("degraded", "direct", "Algorithm 1", "Algorithm 2")
    ]
    assert "classifier of 10 classes trained on these images" in printed
    assert (digits / "run/evaluation/restoration.md").read_text().startswith("| severity |")
    assert load_image(digits / "run/evaluation/restoration.png").shape[2] == 5 * (64 + 4) + 4


def test_the_table_of_a_mixture_has_the_estimated_latent(digits, capsys):
    train(short(animorphosis.recipe("digits"), 1), digits / "run")
    evaluation("restoration", "run", "--images", "6")
    assert "Algorithm 2, estimated latent" in capsys.readouterr().out


def test_the_table_of_generation(digits, capsys):
    train(short(blur_generation.recipe("digits"), 1), digits / "run")
    evaluation("generation", "run", "--images", "12", "--noise", "0")
    printed = capsys.readouterr().out
    assert re.search(rf"\| test images \| 0\.000 \| {KERNEL} \| [\d.]+ \| [\d.]+ \|", printed) and "| generated |" in printed
    assert (digits / "run/evaluation/generation-noise-0.png").exists()


def test_a_table_needs_other_images(digits):
    run = short(deblurring.recipe("digits"), 1)
    train(replace(run, images=digits / "runs/data/digits/train/1"), digits / "run")
    with pytest.raises(ValueError, match="name a folder of images that were not trained on"):
        evaluation("restoration", "run")
    with pytest.raises(ValueError, match="nowhere is no folder: name a folder"):
        evaluation("restoration", "run", "nowhere")


def test_inception_from_a_published_file(digits, capsys):
    """The snippet of docs/evaluation.md makes of a .pth what --features takes, and the table names it."""
    state = InceptionV3().state_dict()
    counts = {"Conv2d_1a_3x3.bn.num_batches_tracked": torch.tensor(1)}
    torch.save(state | counts, "pt_inception-2015-12-05-6726825d.pth")
    _, snippet, _ = re.findall(r"```python\n(.*?)```", (ROOT / "docs/evaluation.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(snippet, "docs/evaluation.md", "exec"), {})
    train(short(blur_generation.recipe("digits"), 1), digits / "run")
    evaluation("generation", "run", "--images", "2", "--features", "inception.safetensors")
    printed = capsys.readouterr().out
    assert re.search(r"\| test images \| 0\.000 \|", printed)
    assert "Frechet and kernel distance: 2048 features of FID's Inception-v3, weights inception.safetensors." in printed


def test_lpips_from_published_files(digits, capsys):
    """The last snippet of docs/evaluation.md makes of torchvision's and the authors' files what --lpips takes."""
    network = LPIPS("vgg")
    state = {name: value.abs() if name.startswith("lin") else value for name, value in network.state_dict().items()}
    heads = {name: value for name, value in state.items() if name.startswith("lin")}
    torch.save({**state, "classifier.0.bias": torch.zeros(4096)} | dict.fromkeys(heads), "alexnet-owt-7be5be79.pth")
    torch.save(heads, "alex.pth")
    snippet = re.findall(r"```python\n(.*?)```", (ROOT / "docs/evaluation.md").read_text(encoding="utf-8"), re.DOTALL)[-1]
    exec(compile(snippet, "docs/evaluation.md", "exec"), {"torch": torch, "save_file": save_file})
    train(short(deblurring.recipe("digits"), 1), digits / "run")
    evaluation("restoration", "run", "--images", "4", "--lpips", "lpips.safetensors")
    printed = capsys.readouterr().out
    assert re.search(rf"^\| 1 \| direct \|(?: [\d.]+ \|){{5}} {KERNEL} \|$", printed, re.M)
    assert "| RMSE | LPIPS | Frechet distance |" in printed and "LPIPS 0.1 with vgg, weights lpips.safetensors." in printed
    save_file({name: value for name, value in state.items() if name != "lin4.model.1.weight"}, "short.safetensors")
    assert "does not hold the weights of LPIPS: 1 entries differ" in refusal(
        evaluation, "restoration", "run", "--lpips", "short.safetensors"
    )


class Writes(nn.Module):
    """As TorchScript, writes a file when it is called."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.save(x, "planted")
        return x.float().mean([2, 3])


def test_what_is_refused_before_the_work(digits, monkeypatch):
    """One line each, before a classifier is trained or an image made; and no code of a file is run."""
    train(short(deblurring.recipe("digits"), 1), digits / "run")
    torch.jit.script(Writes()).save("script.pt")
    for side in (20, 30):
        save_image(torch.zeros(1, side, 20), digits / f"mixed/{side}.png")
    monkeypatch.setattr(features, "of_classifier", lambda *_: pytest.fail("a classifier was trained"))
    for args, message in [
        (["restoration", "run", "--features", "script.pt"], "script.pt is no safetensors file"),
        (["restoration", "run", "--features", "missing.pt"], "missing.pt is no file"),
        (["restoration", "run", "--lpips", "script.pt"], "script.pt is no safetensors file"),
        (["restoration", "run", "--lpips", "missing.pt"], "missing.pt is no file"),
        (["restoration", "run", "--images", "0"], "images of Restoration is 2 to 1e+06, got 0"),
        (["generation", "run", "--images", "1"], "images of Generation is 2 to 1e+06, got 1"),
        (["restoration", "run", "--steps", "0"], "steps of Restoration is 1 to 100000, got 0"),
        (["restoration", "run", "--severities"], "severities of Restoration is one number or more, got none"),
        (["restoration", "run", "--severities", "0.5", "1.5"], "severities of Restoration is 1e-06 to 1, got 1.5"),
        (["classes", "run", "--guidance"], "guidance of Classes is one number or more, got none"),
        (["classes", "run"], "run does not know classes"),
        (["classes", "run", "--features", "script.pt"], "leave out --features"),
        (["generation", "run", "--noise", "-1"], "noise of Generation is 0 to 100, got -1"),
    ]:
        assert message in refusal(evaluation, *args)
    assert not Path("planted").exists() and not Path("run/evaluation").exists()


def test_test_images_of_several_sizes(photo, tmp_path):
    """A run of one photograph looks at whole images: they have to be of one size."""
    train(tiny(photo), tmp_path / "run")
    for side in (20, 30):
        save_image(torch.zeros(3, side, 24), tmp_path / f"test/{side}.png")
    with pytest.raises(
        ValueError, match=r"test holds images of 2 sizes, such as \[\(20, 24\), \(30, 24\)\]: expected one size"
    ):
        evaluation("restoration", str(tmp_path / "run"), str(tmp_path / "test"), "--images", "2")
