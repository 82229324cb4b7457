"""Checkpoints are written past what lies in their way, and their headers are read within bounds."""

from __future__ import annotations

import struct

import pytest
import torch

from degrade.files import LinkError
from restore.storage.checkpoint import CheckpointError, last_step, open_checkpoint, save_checkpoint
from tests.crafted_runs import empty_tensors, watched
from tests.damaged_checkpoints import sign

GROUPS = {"ema": {"w": torch.ones(3)}, "training": {"w": torch.zeros(2)}}


def test_what_lies_in_the_way_is_removed_alone(tmp_path):
    """Of a crash, or of a stranger: folders in the making, old steps and the step itself that lead elsewhere."""
    home, outside = tmp_path / "run/checkpoints", tmp_path / "outside"
    save_checkpoint(outside, 1, {}, GROUPS)
    before = watched(outside)
    save_checkpoint(tmp_path / "run", 1, {}, GROUPS)
    for name in (".step-00000002.part", ".step-00000002.0123456789abcdef.part", ".step-00000001.part", "step-00000002"):
        (home / name).symlink_to(outside)
    (home / "step-00000000").symlink_to(outside / "checkpoints/step-00000001")
    (home / ".step-00000003.0123456789abcdef.part").mkdir()
    (home / ".step-00000003.0123456789abcdef.part/ema.safetensors").symlink_to(outside / "checkpoints/step-00000001/run.json")
    save_checkpoint(tmp_path / "run", 2, {}, GROUPS)
    assert {path.name for path in home.iterdir()} == {"step-00000001", "step-00000002"}
    assert not (home / "step-00000002").is_symlink() and last_step(tmp_path / "run") == 2
    assert watched(outside) == before


def test_checkpoints_that_are_a_link(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run/checkpoints").symlink_to(tmp_path / "outside")
    with pytest.raises(LinkError, match="checkpoints is a link, or no folder, and nothing is written through it: remove it"):
        save_checkpoint(tmp_path / "run", 2, {}, GROUPS)
    assert not list((tmp_path / "outside").iterdir())


def test_a_step_under_the_name_of_another(tmp_path):
    """Of which saving would remove the wrong one."""
    save_checkpoint(tmp_path, 1, {}, GROUPS).rename(tmp_path / "checkpoints/step-00000009")
    with pytest.raises(CheckpointError, match=r"run.json holds step 1: another than its folder is named after"):
        open_checkpoint(tmp_path)
    assert open_checkpoint(tmp_path / "checkpoints/step-00000009").step == 1


@pytest.mark.parametrize("header", [empty_tensors(1_500_000), b"{}" + b" " * 2**24], ids=["names", "spaces"])
def test_a_header_of_millions(header, tmp_path):
    folder = save_checkpoint(tmp_path, 1, {}, {**GROUPS, "prior": {"w": torch.ones(1)}})
    for name in ("ema", "training", "prior"):
        (folder / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    sign(folder)
    checkpoint = open_checkpoint(tmp_path)
    for use in (lambda: checkpoint.check("ema", {}), lambda: checkpoint.load("training", {}), checkpoint.prior):
        with pytest.raises(CheckpointError, match=r"safetensors claims a header of .* MiB: more than any network's, or broken"):
            use()


def test_names_in_a_message_are_cut_short(tmp_path):
    """Nor do they break its line."""
    save_checkpoint(tmp_path, 1, {}, {"ema": {"\n\x1b[2J" * 10**5: torch.ones(1)}})
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(tmp_path).check("ema", {"w": torch.ones(1)})
    assert str(error.value).isprintable() and len(str(error.value)) < 500
