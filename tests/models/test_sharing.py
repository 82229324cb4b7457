"""Self-attention that two images share."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.layers.attention import Attention
from models.sharing import shared_self_attention


def test_the_second_half_attends_as_the_first_to_values_of_its_own():
    """softmax(q_1 k_1) v_2, within 1e-6; the first half, and what comes after, are as they were."""
    torch.manual_seed(0)
    attention = Attention(16, 8)
    x = torch.randn(4, 5, 16)
    plain = attention(x)
    with shared_self_attention(attention):
        shared = attention(x)
    q, k, v = attention.qkv(x).chunk(3, dim=-1)
    q, k, v = (z.unflatten(-1, (2, 8)).transpose(1, 2) for z in (q, k, v))
    q, k = (nn.functional.layer_norm(z, (8,), eps=1e-6)[:2] for z in (q, k))
    expected = attention.out(nn.functional.scaled_dot_product_attention(q, k, v[2:]).transpose(1, 2).flatten(2))
    torch.testing.assert_close(shared[2:], expected, rtol=0, atol=1e-6)
    assert torch.equal(shared[:2], plain[:2]) and torch.equal(attention(x), plain)


def test_a_network_without_attention():
    with (
        pytest.raises(ValueError, match="Conv2d has no self-attention to share"),
        shared_self_attention(nn.Conv2d(3, 3, 1)),
    ):
        pass
