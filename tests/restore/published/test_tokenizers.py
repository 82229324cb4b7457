"""Tokenizers and text encoders are read from the files and entries that are looked at, and from no others."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import string
import struct
import sys
import types
from pathlib import Path

import pytest
import torch

from restore import open_run, pretrained
from restore.published import diffusers_format
from restore.published.imported import import_model
from tests.restore.published.test_folders import entries

CONFIG, ENCODER = "tokenizer/tokenizer_config.json", "text_encoder/config.json"


@pytest.fixture
def folder(published, tmp_path) -> Path:
    return shutil.copytree(published("sd")[1], tmp_path / "sd")


def sampled(pipeline) -> torch.Tensor:
    return pipeline.using(steps=2).generate(seed=3, condition="a cat", progress=False)


def piece(text: str, score: float, kind: int = 1) -> bytes:
    """A word of a SentencePiece model, as protobuf writes it."""
    body = b"\n" + bytes([len(text.encode())]) + text.encode() + b"\x15" + struct.pack("<f", score) + b"\x18" + bytes([kind])
    return b"\n" + bytes([len(body)]) + body


@pytest.fixture
def pieces(published, tmp_path) -> Path:
    """PixArt with its words in spiece.model alone, as it is published."""
    folder = shutil.copytree(published("pixart")[1], tmp_path / "pixart")
    (folder / "tokenizer/tokenizer.json").unlink()
    special = [piece("<pad>", 0, 3), piece("</s>", 0, 3), piece("<unk>", 0, 2), piece("\u2581", -2)]
    letters = [piece(letter, -3) for letter in string.ascii_lowercase]
    (folder / "tokenizer/spiece.model").write_bytes(b"".join(special + letters))
    told = {"tokenizer_class": "T5Tokenizer", "extra_ids": 0, "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    (folder / CONFIG).write_text(json.dumps(told))
    return folder


def test_words_in_pieces(pieces, published, tmp_path):
    expected = sampled(pretrained(published("pixart")[1], "cpu"))
    import_model(pieces, tmp_path / "run")
    assert torch.equal(sampled(open_run(tmp_path / "run", "cpu")), expected)


@pytest.mark.parametrize("lacks", ["sentencepiece", "google.protobuf", "google"])
def test_words_in_pieces_need_two_packages(lacks, pieces, tmp_path, monkeypatch):
    find = importlib.util.find_spec

    def found(name):
        if lacks == "google" and name == "google.protobuf":
            raise ModuleNotFoundError
        return None if name == lacks else find(name)

    monkeypatch.setattr(diffusers_format.importlib.util, "find_spec", found)
    with pytest.raises(
        ValueError, match="words in spiece.model, which sentencepiece and protobuf read: python -m pip"
    ) as error:
        import_model(pieces, tmp_path / "run")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "asked",
    [
        {"attn_implementation": "strangers/kernel"},
        {"_attn_implementation": "strangers/kernel"},
        {"attn_implementation": "flash_attention_2"},
        {"_attn_implementation_internal": "strangers/kernel"},
        {"experts_implementation": "strangers/kernel"},
        {"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}},
        {"num_labels": 1_000_000},
        {"output_attentions": True, "use_cache": False, "chunk_size_feed_forward": 1},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_how_an_encoder_is_run_is_not_asked_for(asked, folder, monkeypatch):
    """No code is fetched for it; what is computed stays the same."""
    expected, called = sampled(pretrained(folder, "cpu")), []
    kernels = types.ModuleType("kernels")
    kernels.__spec__ = importlib.util.spec_from_loader("kernels", None)
    kernels.get_kernel = lambda *args, **options: called.append(args)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kernels", kernels)
    entries(ENCODER, **asked)(folder)
    pipeline = pretrained(folder, "cpu")
    assert torch.equal(sampled(pipeline), expected) and not called
    module = pipeline.words.encoders[0].load()
    assert module.config._attn_implementation in ("sdpa", "eager") and module.config.num_labels == 2


@pytest.mark.parametrize("file", ["chat_template.jinja", "additional_chat_templates/long.jinja", "tokenizer.model"])
def test_other_files_are_not_read(file, folder, tmp_path):
    """Of 3 GB, which take no room on the disk; nor are what is no file, and what the configuration names elsewhere."""
    expected = sampled(pretrained(folder, "cpu"))
    (folder / "tokenizer" / file).parent.mkdir(exist_ok=True)
    with open(folder / "tokenizer" / file, "wb") as sparse:
        sparse.truncate(3 * 2**30)
    os.mkfifo(folder / "tokenizer/special_tokens_map.json")
    elsewhere = {"fast_tokenizer_files": ["tokenizer.4.0.0.json"], "added_tokens_file": "/dev/zero", "name_or_path": "/dev"}
    entries(CONFIG, **elsewhere)(folder)
    import_model(folder, tmp_path / "run")
    assert torch.equal(sampled(open_run(tmp_path / "run", "cpu")), expected)
    assert {path.name for path in (tmp_path / "run/tokenizer").iterdir()} == {"tokenizer.json", "tokenizer_config.json"}


def test_words_without_end(published, tmp_path):
    folder = shutil.copytree(published("pixart")[1], tmp_path / "pixart")
    entries(CONFIG, model_max_length=int(1e30))(folder)
    sampled(pretrained(folder, "cpu"))
    for file in (CONFIG, "tokenizer/special_tokens_map.json", "tokenizer/added_tokens.json"):
        whole = (folder / file).read_text() if (folder / file).exists() else "{}"
        (folder / file).write_text(whole)
        entries(file, extra_ids=30_000_000)(folder)
        with pytest.raises(ValueError, match="'extra_ids' of its configuration is 30000000, and 1048576 the most"):
            pretrained(folder, "cpu")
        (folder / file).write_text(whole)


@pytest.fixture
def run(folder, tmp_path) -> Path:
    """Of a model with its words in two files."""
    words = json.loads((folder / "tokenizer/tokenizer.json").read_text())["model"]["vocab"]
    (folder / "tokenizer/tokenizer.json").rename(tmp_path / "tokenizer.json")
    (folder / "tokenizer/vocab.json").write_text(json.dumps(words))
    (folder / "tokenizer/merges.txt").write_text("#version: 0.2\n")
    import_model(folder, tmp_path / "run")
    return tmp_path / "run"


def test_words_that_changed(run, tmp_path):
    expected = sampled(open_run(run, "cpu"))
    merges = run / "tokenizer/merges.txt"
    merges.write_text("#version: 0.2\nc a\n")
    with pytest.raises(ValueError, match="merges.txt is broken: its content is not what was imported. Import the model again"):
        open_run(run, "cpu")
    merges.write_text("#version: 0.2\n")
    for name in ("tokenizer.json", "added_tokens.json"):
        content = (tmp_path / "tokenizer.json").read_text() if name == "tokenizer.json" else '{"cat": 5}'
        (run / "tokenizer" / name).write_text(content)
        with pytest.raises(ValueError, match=f"{name} was not there when the model was imported.*: remove it.$"):
            open_run(run, "cpu")
        (run / "tokenizer" / name).unlink()
    assert torch.equal(sampled(open_run(run, "cpu")), expected)
