"""InstructPix2Pix against diffusers' pipeline of the same tiny weights, and pairs by Prompt-to-Prompt of a published model."""

from __future__ import annotations

import pytest
import torch
from diffusers import StableDiffusionInstructPix2PixPipeline

from restore.pipelines.instruct import instruct
from restore.pipelines.prompt_to_prompt import paired
from tests.restore.published.test_parity import COUNT, PROMPT, SEED, assert_same, drawn, generated, picture

INSTRUCTED = {"kind": StableDiffusionInstructPix2PixPipeline, "inputs": 8}


@pytest.mark.parametrize("scales", [(7.5, 1.5), (3.0, 1.0)], ids=str)
def test_two_scales(scales, both):
    theirs, ours = both("sd", **INSTRUCTED)
    assert ours.sampling.picture_guidance == 1.5
    pictures = picture(ours).expand(COUNT, -1, -1, -1)
    expected = theirs(
        [PROMPT] * COUNT,
        image=(pictures + 1) / 2,
        num_inference_steps=8,
        guidance_scale=scales[0],
        image_guidance_scale=scales[1],
        negative_prompt=["blurry"] * COUNT,
        latents=drawn(ours),
        output_type="pt",
    ).images
    ours = ours.using(steps=8, guidance=scales[0], picture_guidance=scales[1]).saying(negative="blurry")
    assert_same(instruct(ours, pictures, PROMPT, seed=SEED, progress=False), expected)


def test_pairs_share_what_they_look_at(both):
    """Of a published model: the first picture is that of its caption alone; the second is, too, where nothing is shared."""
    _, ours = both("sd")
    ours = ours.using(steps=5)
    alone = [generated(ours, condition=words)[0] for words in ("a cat", "two dogs")]
    for share in (0.0, 1.0):
        pair = paired(ours, "a cat", "two dogs", share, seed=SEED, progress=False)
        torch.testing.assert_close(pair.before, alone[0], rtol=0, atol=1e-4)
        assert torch.allclose(pair.after, alone[1], rtol=0, atol=1e-4) == (share == 0)
