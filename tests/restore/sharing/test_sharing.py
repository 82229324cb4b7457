"""Runs pushed to a stand-in of the hub and opened from it: the same samples, and no harm by a stranger's repository."""

from __future__ import annotations

import hashlib
import pickle
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import Any

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants

from degrade import GaussianBlur, GaussianPrior
from recipes import edit, push, sindiffusion, solve
from recipes.command import cli
from restore import Crops, load_image, open_run
from restore.pipelines.likeness import Likeness
from restore.run import read_recipe
from restore.sharing.address import Address, address_of
from restore.sharing.download import NEEDED, check
from restore.sharing.pack import holds_images
from restore.training.session import resume, train
from tests.conftest import draw_photo
from tests.damage import Evil
from tests.hub import TOKEN, Hub, Repository, serving
from tests.own_types import Darken
from tests.refusals import refusal
from tests.tiny import tiny
from tests.tiny_latent import coder, latent, pictures

NAME = "me/photo"
HF = f"hf://{NAME}"


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run of one photograph, which it keeps."""
    home = tmp_path_factory.mktemp("private-folder")
    train(tiny(draw_photo(home / "photo.png"), prior=Likeness()), home / "run")
    return home / "run"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A stand-in that is asked in place of the hub, an empty cache, and an empty folder to work in."""
    hub, empty = Hub(), tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with serving(hub) as url:
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
        yield hub


@pytest.fixture
def pushed(hub, trained) -> Repository:
    push.main([str(trained), NAME, "--images"])
    return hub.repositories[NAME]


def images(run: Any) -> torch.Tensor:
    return run.generate((20, 24), count=2, seed=3, progress=False)


def offline(monkeypatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")


def test_the_same_samples(pushed, hub, trained, monkeypatch):
    """Bit for bit; a second time without a download, and without a network."""
    run = open_run(HF)
    expected = images(open_run(trained))
    assert torch.equal(images(run), expected) and run.step == 4 and run.name == HF
    hub.asked.clear()
    assert torch.equal(images(open_run(HF)), expected) and hub.asked == [f"GET /api/models/{NAME}"]
    revision = pushed.names[-1]
    pushed.commit(**{"evil.py": b""})
    assert torch.equal(images(open_run(f"{HF}@{revision}")), expected)
    offline(monkeypatch)
    assert torch.equal(images(open_run(HF)), expected)


def test_what_is_pushed(pushed, trained, capsys):
    """No path of this machine, no optimizer's state, no metadata of pictures; a card whose commands and Python work."""
    assert pushed.private and set(pushed.files) == {
        *(".gitattributes", "README.md", "SHA256SUMS", "curve.png", "ema.safetensors", "prior.safetensors", "run.json"),
        "samples.png",
    }
    for name, data in pushed.files.items():
        assert b"private-folder" not in data and str(Path.cwd()).encode() not in data, name
        assert not name.endswith(".png") or b"tEXt" not in data
    assert read_recipe(Path(HF)).images == Path("photo.png")
    text = pushed.files["README.md"].decode()
    for part in ("license: unknown", "`photo.png`, at 40 x 56 pixels", "31,132 parameters", "4 of 2 images"):
        assert part in text
    for command in re.findall(r"(?m)^    thaw (.*)$", text):
        word, *args = command.split()
        (cli.with_run if word == "sample" else edit.main)([word, *args] if word == "sample" else args)
    exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], {})
    assert load_image("new.png").shape == (3, 40, 56) and load_image("runs/me-photo/samples/40x168-seed-0.png").shape[2] == 168
    assert Path("runs/photo-panorama/40x448-seed-0.png").exists()


def test_every_command_takes_it(pushed, photo, tmp_path):
    cli.with_run(["restore", HF, str(photo), "--severities", "0.3", "--steps", "1"])
    cli.with_run(["degrade-and-restore", HF, "--image", str(photo), "--steps", "1"])
    assert Path("runs/me-photo/restored/photo/strip.png").exists() and Path("runs/me-photo/restored.png").exists()
    solve.main([str(photo), "--size", "44x60", "--prior", HF, "--count", "1", "--steps", "1"])
    edit.main(["variations", HF, "--image", str(photo), "--severities", "0.3", "--steps", "1"])
    assert Path("runs/photo-variations/grid.png").exists()
    assert "shared without what a training goes on with" in refusal(resume, HF)
    assert "photo.png does not exist" in refusal(sindiffusion.main, ["train", "photo.png", "--recipe", HF])


def test_what_shows_training_images_is_pushed_on_request(hub, trained, tmp_path, photo):
    message = refusal(push.main, [str(trained), NAME])
    assert "keeps photo.png at 40x56 pixels within its prior, and its samples need it: --images says" in message
    assert not hub.repositories and not hub.asked
    train(tiny(photo), tmp_path / "run")
    push.main([str(tmp_path / "run"), "me/plain", "--public"])
    files = hub.repositories["me/plain"].files
    assert not hub.repositories["me/plain"].private and "prior.safetensors" not in files
    Path("samples.png").write_bytes(files["samples.png"])
    whole, shown = load_image(tmp_path / "run/samples.png"), load_image("samples.png")
    assert torch.equal(shown, whole[:, :, 4 + whole.shape[2] - 4 - shown.shape[2] :]) and shown.shape[2] < whole.shape[2]
    priors = [GaussianPrior(), *(operator.prior(torch.zeros(1, 3, 40, 40)) for operator in (GaussianBlur(), Darken()))]
    assert [holds_images(prior) for prior in priors] == [False, False, True]


def test_a_second_push(pushed, hub, trained, tmp_path):
    """A commit that removes what the run no longer has, and leaves the card alone; no other file is touched."""
    pushed.commit(**{"README.md": b"mine", "restorations.png": b""})
    push.main([str(trained), NAME, "--images", "--public"])
    assert pushed.private and pushed.files["README.md"] == b"mine" and "restorations.png" not in pushed.files
    pushed.private = False
    assert f"{HF} is public: --public says that anybody may see the run" in refusal(push.main, [str(trained), NAME, "--images"])
    pushed.private = True
    pushed.commit(**{"notes.txt": b""})
    commits = len(pushed.commits)
    assert "holds 'notes.txt', which is of no run: push to another name" in refusal(push.main, [str(trained), NAME, "--images"])
    assert len(pushed.commits) == commits


def test_a_run_in_latents_takes_its_autoencoder_along(hub, tmp_path):
    """Its settings and weights alone; opened where neither was trained, and refused where it is missing."""
    home = pictures(tmp_path / "home")
    train(coder(home, 2), home / "autoencoder")
    run = train(latent(home), home / "run")
    expected = images(run)
    push.main([str(run.folder), "me/latent"])
    files = hub.repositories["me/latent"].files
    assert {name for name in files if "/" in name} == {f"autoencoder/{name}" for name in NEEDED}
    assert not any(str(home).encode() in data for data in files.values())
    shutil.rmtree(home)
    assert torch.equal(images(open_run("hf://me/latent")), expected)
    hub.repositories["me/latent"].commit(**{name: None for name in files if "/" in name})
    assert "the autoencoder cannot be opened" in refusal(open_run, "hf://me/latent")


def test_surplus_and_missing_files_are_refused(pushed, hub, tmp_path):
    """Before anything is downloaded."""
    whole = dict(pushed.files)
    for changes, message in [
        ({"a.pkl": pickle.dumps(Evil(tmp_path / "mark"))}, "'a.pkl', no part of a shared run: nothing was downloaded"),
        ({"sub/run.json": b"{}"}, "'sub/run.json', no part of a shared run"),
        ({f"{i}.bin": b"" for i in range(50)}, "no part of a shared run"),
        ({"ema.safetensors": None}, "holds no ema.safetensors: it is not a run that was pushed"),
    ]:
        pushed.commit(**changes)
        assert message in refusal(open_run, HF)
        pushed.commits[-1] = whole
    assert not [asked for asked in hub.asked if asked.startswith("HEAD")] and not (tmp_path / "mark").exists()


def test_sizes_are_bounded(pushed, hub, tmp_path, monkeypatch):
    for name, size in [("run.json", 2**21), ("prior.safetensors", 2**29), ("ema.safetensors", 2**50)]:
        pushed.sizes[name] = size
        assert f"{name} takes" in refusal(open_run, HF)
        pushed.sizes.clear()
    assert not [asked for asked in hub.asked if asked.startswith("HEAD")]
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100, 98, 2))
    assert "are free on the disk of" in refusal(lambda: check(Address(NAME), dict.fromkeys(pushed.files, 1), tmp_path))


@pytest.mark.parametrize("name", ["run.json", "ema.safetensors", "prior.safetensors", "SHA256SUMS"])
def test_damaged_files_are_refused(name, pushed, tmp_path):
    """And removed, so that the next download is a new one; also if they are damaged here, later."""
    whole = pushed.files[name]
    pushed.files[name] = whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:]
    assert "is damaged: its files are not what their sums say" in refusal(open_run, HF)
    pushed.files[name] = whole
    folder = open_run(HF).folder
    with open(folder / name, "r+b") as file:
        file.truncate(len(whole) // 2)
    assert "is damaged" in refusal(open_run, HF)
    assert open_run(HF).step == 4


def test_nothing_is_executed(pushed, tmp_path):
    """Sums that a stranger has made: a pickle in place of weights, and the name of a type that is not ours."""
    evil = pickle.dumps(Evil(tmp_path / "mark"))
    recipe = pushed.files["run.json"].replace(b'"GaussianNoise"', b'"Darken"')
    for name, data, message in [
        ("ema.safetensors", evil, "is broken"),
        ("prior.safetensors", evil, "is broken"),
        ("run.json", recipe, "Darken"),
    ]:
        files = {**pushed.files, name: data}
        sums = {n: hashlib.sha256(files[n]).hexdigest() for n in ("run.json", "ema.safetensors", "prior.safetensors")}
        files["SHA256SUMS"] = "".join(f"{value}  {n}\n" for n, value in sums.items()).encode()
        pushed.commits.append(files)
        assert message in refusal(open_run, HF)
        pushed.commits.append(pushed.commits[1])
    assert not (tmp_path / "mark").exists()


def test_a_run_with_types_of_ones_own(hub, photo, tmp_path):
    """They are named by whoever opens it: no file of theirs is pushed."""
    recipe = sindiffusion.recipe(photo, degradation=Darken())
    small = tiny(photo)
    recipe = replace(
        recipe,
        data=Crops(size=32, crop=16),
        network=small.network,
        training=replace(small.training, steps=1),
        sampling=replace(recipe.sampling, steps=1),
    )
    train(recipe, tmp_path / "run")
    types = str(Path(__file__).parents[2] / "own_types.py")
    push.main([str(tmp_path / "run"), "me/dark", "--images", "--types", types])
    assert not [name for name in hub.repositories["me/dark"].files if name.endswith(".py")]
    assert "Darken" in refusal(open_run, "hf://me/dark")
    assert open_run("hf://me/dark", types=[Darken]).step == 1


def test_what_is_missing_is_one_line(hub, trained, monkeypatch):
    assert "is not there, or is private: check its name, or log in" in refusal(open_run, "hf://me/none")
    hub.repositories[NAME] = Repository()
    assert "not this revision of it: leave out @v2" in refusal(open_run, f"{HF}@v2")
    hub.repositories[NAME] = Repository(private=True)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "or is private" in refusal(open_run, HF)
    assert "the hub refuses hf://me/new (401): log in" in refusal(push.main, [str(trained), "me/new", "--images"])
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    assert "pushing takes a token of yours that may write: log in" in refusal(push.main, [str(trained), NAME, "--images"])
    offline(monkeypatch)
    assert f"the hub cannot be reached for {HF} (" in refusal(open_run, HF)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "is not installed: python -m pip install" in refusal(open_run, HF)
    assert "holds no checkpoint" in refusal(push.main, [".", NAME])


def test_addresses():
    assert address_of(HF) == address_of(Path(HF)) == address_of(PureWindowsPath(HF)) == Address(NAME)
    assert str(address_of(f"{HF}@v1.0")) == f"{HF}@v1.0"
    assert address_of("runs/photo") is address_of(Path("/hf/photo")) is None
    for wrong in ("hf://photo", "hf://a/b/c", "hf://../x", "hf://a/b@", "hf://a/b@../x", "hf://a/..", "hf://a/b\nc"):
        assert "names no shared run: expected user/run" in refusal(address_of, wrong)
    assert "a push makes a new one" in refusal(push.main, ["runs/photo", f"{NAME}@v1"])
