"""U-Net, U-ViT, DiT and the stems: any size, gradients everywhere, one graph, conditions, positions."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models import Condition, ConvNeXtUNetConfig, DDPMUNetConfig, DiTConfig, PatchStem, PatchUNetConfig, UNetConfig, WaveletStem
from models.layers.attention import apply_rotary, axial_rotary

UNET = UNetConfig(widths=(8, 16, 24), depths=(1, 2, 1), dropout=(0.0, 0.0, 0.0), attention=(1,), head=8, groups=4)
DIT = DiTConfig(patch=2, width=32, depth=2, head=8)
CONFIGS = [
    UNET,
    replace(UNET, attention=(), classes=3),
    replace(UNET, transformer=2),
    replace(UNET, transformer=2, positions="learned", classes=3, pooled=5, picture=1),
    replace(UNET, transformer=2, skips="levels", attention=()),
    replace(UNET, transformer=1, tokens=6, text=8),
    replace(UNET, widths=(16,), depths=(1,), dropout=(0.0,), attention=(0,)),
    DIT,
    replace(DIT, patch=3, positions="learned", classes=3, picture=1),
    replace(DIT, tokens=6, text=8),
]
PATCHES = PatchUNetConfig(channels=8, groups=4, norm="pixel")
DDPM = DDPMUNetConfig(channels=8, multipliers=(1, 2), blocks=1, attention=(1,), groups=4, dropout=0.0)
CONVNEXT = ConvNeXtUNetConfig(channels=8, multipliers=(1, 2))
STEMMED = [
    (stem, network)
    for stem in (WaveletStem(), WaveletStem(2), PatchStem(), PatchStem(3, 8))
    for network in (UNET, DIT, PATCHES)
]
NETWORKS = [(None, config) for config in CONFIGS] + STEMMED
every = pytest.mark.parametrize(("stem", "config"), NETWORKS, ids=str)
GRAPHS = [(None, config) for config in CONFIGS] + [(PatchStem(), UNET), (WaveletStem(2), DIT), (PatchStem(3, 8), PATCHES)]
"""Every network and every stem: a pair breaks the graph only where one of the two does."""


def build(stem, config) -> torch.nn.Module:
    """With no weight at zero, so that everything counts."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = stem.build(config) if stem else config.build()
        with torch.no_grad():
            for p in network.parameters():
                p.add_(0.05 * torch.randn_like(p))
    return network


def given(batch: int = 2, height: int = 12, width: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 3, height, width, generator=generator), torch.rand(batch, generator=generator)


def condition_of(network: torch.nn.Module) -> tuple[Condition, ...]:
    """One of every part that the network accepts, for the images that are `given()`."""
    label, pooled, image = torch.tensor([0, 2]), torch.linspace(-1, 1, 10).reshape(2, 5), torch.ones(2, 1, 12, 12)
    tokens, mask = torch.linspace(-1, 1, 60).reshape(2, 5, 6), torch.arange(5) < torch.tensor([[5], [3]])
    whole = Condition(label, pooled, tokens, mask, image, Condition.written("a red two", "a blue seven").text)
    accepts = getattr(network, "accepts", ())
    unknown = {name: None for name in Condition._fields if name not in accepts and not (name == "mask" and "tokens" in accepts)}
    return (whole._replace(**unknown),) if accepts else ()


@every
@pytest.mark.parametrize(("height", "width"), [(12, 12), (13, 30), (29, 7), (8, 41)])
def test_any_size(stem, config, height, width):
    x, t = given(2, height, width)
    y = build(stem, config)(x, t)
    assert y.shape == x.shape and bool(y.isfinite().all())


@every
def test_gradients_reach_every_parameter(stem, config):
    network = build(stem, config)
    x, t = given()
    (network(x, t, *condition_of(network)) * torch.randn_like(x)).sum().backward()
    for name, p in network.named_parameters():
        assert p.grad is not None and float(p.grad.abs().max()) > 0, name


@pytest.mark.parametrize(("stem", "config"), [*NETWORKS, (None, DDPM), (None, CONVNEXT)], ids=str)
def test_time_is_distinguished_in_bfloat16(stem, config):
    """A thousandth of t, less than bfloat16 resolves, changes what a network of bfloat16 weights gives."""
    network = build(stem, config).bfloat16()
    x, _ = given()
    one, other = (network(x.bfloat16(), torch.full((2,), t)) for t in (0.9985, 0.9995))
    assert one.dtype == torch.bfloat16 and not torch.equal(one, other)


@pytest.mark.parametrize(("stem", "config"), GRAPHS, ids=str)
def test_one_graph(stem, config):
    """No graph breaks; what the graph computes is the same within 1e-5."""
    network = build(stem, config).eval()
    inputs = *given(), *condition_of(network)
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    with torch.no_grad():
        torch.testing.assert_close(compiled(*inputs), network(*inputs), rtol=0, atol=1e-5)
    torch._dynamo.reset()


@every
def test_samples_are_separate(stem, config):
    network = build(stem, config).eval()
    x, t = given(3)
    with torch.no_grad():
        alone = torch.cat([network(x[i : i + 1], t[i : i + 1]) for i in range(3)])
        torch.testing.assert_close(network(x, t), alone, rtol=0, atol=1e-5)


def conditioned(network, images, **parts) -> torch.Tensor:
    x, t = images
    return network(x, t, Condition(**parts))


@pytest.mark.parametrize("config", [UNET, DIT], ids=str)
@pytest.mark.parametrize(
    ("setting", "part", "first", "second", "nothing"),
    [
        ("classes", "label", torch.tensor([0, 0]), torch.tensor([1, 1]), -1),
        ("pooled", "pooled", torch.ones(2, 3), torch.linspace(-1, 1, 6).reshape(2, 3), 0),
        ("picture", "image", torch.ones(2, 3, 12, 12), torch.linspace(-1, 1, 864).reshape(2, 3, 12, 12), 0),
        ("text", "text", Condition.written("red", "red").text, Condition.written("two", "blue").text, 0),
    ],
    ids=["label", "pooled", "image", "text"],
)
def test_conditions(config, setting, part, first, second, nothing):
    """Each part changes the output; its "nothing" is the same as no condition, also beside an image that has one."""
    network = build(None, replace(config, **{setting: 8 if part == "text" else 3})).eval()
    assert network.accepts == (("tokens", "text") if part == "text" else (part,))
    with torch.no_grad():
        without, one, other = network(*given()), *(conditioned(network, given(), **{part: c}) for c in (first, second))
        mixed = second.clone()
        mixed[0] = nothing
        found = conditioned(network, given(), **{part: mixed})
    assert not torch.allclose(one, other) and not torch.allclose(one, without)
    torch.testing.assert_close(found, torch.stack([without[0], other[1]]), rtol=0, atol=1e-5)


def test_parts_add_up():
    """A one-hot pooled vector, embedded as a class is, is that class; label and pooled together embed the sum of both."""
    network = build(None, replace(UNET, classes=3, pooled=3)).embedding
    with torch.no_grad():
        network.pooled.weight.copy_(network.label.weight)
        t, label = torch.tensor([0.2, 0.7]), torch.tensor([2, -1])
        one_hot = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
        as_label, as_pooled = network(t, Condition(label=label)), network(t, Condition(pooled=one_hot))
        both = network(t, Condition(label=label, pooled=one_hot))
        twice = network(t, Condition(pooled=2 * one_hot))
    torch.testing.assert_close(as_label, as_pooled, rtol=0, atol=1e-6)
    torch.testing.assert_close(both, twice, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (Condition(label=torch.tensor([0, 1])), "takes no label: build it with classes="),
        (Condition(pooled=torch.ones(2, 3)), "takes no pooled vector: build it with pooled="),
        (
            Condition(image=torch.ones(2, 3, 12, 12)),
            "takes no picture: build it with picture=, its channels",
        ),
    ],
    ids=["label", "pooled", "image"],
)
def test_conditions_that_a_network_was_not_built_for(condition, message):
    with pytest.raises(ValueError, match=message):
        UNET.build()(*given(), condition)


def test_a_stem_passes_a_condition_on():
    """A picture too, whose pixels are many in a square."""
    for stem in (WaveletStem(), PatchStem()):
        network = build(stem, replace(UNET, classes=3, pooled=2, picture=1)).eval()
        assert network.accepts == ("label", "pooled", "image")
        with torch.no_grad():
            one, other = (conditioned(network, given(), label=torch.tensor([0, i])) for i in (1, 2))
            seen = conditioned(network, given(), image=torch.stack([torch.zeros(1, 12, 12), torch.ones(1, 12, 12)]))
            plain = network(*given())
        assert torch.equal(one[0], other[0]) and not torch.allclose(one[1], other[1])
        assert torch.equal(seen[0], plain[0]) and not torch.allclose(seen[1], plain[1])


def test_starts_at_zero():
    """The output is 0 before training, and each transformer block the identity."""
    x, t = given()
    for config in (UNET, replace(UNET, transformer=2), DIT):
        assert not config.build()(x, t).any()


def test_rotary_attention_depends_on_differences_of_position():
    """Products of queries and keys at (row, column) and 3 rows, 2 columns further, all over the map."""
    q, k = torch.randn(2, 8, dtype=torch.float64)
    rotary = axial_rotary(9, 9, 8, torch.device("cpu")).double()
    products = (apply_rotary(q.expand(81, 8), rotary) @ apply_rotary(k.expand(81, 8), rotary).T).reshape(9, 9, 9, 9)
    shifted = torch.stack([products[i, j, i + 3, j + 2] for i in range(6) for j in range(7)])
    torch.testing.assert_close(shifted, shifted[:1].expand_as(shifted), rtol=0, atol=1e-5)
    assert float(products.std()) > 0.01


def test_a_residual_u_vit_passes_its_input_on():
    """skips="levels": where the levels below change nothing, nothing is added."""
    config = replace(UNET, transformer=2, skips="levels", attention=(), depths=(1, 1, 1))
    network = build(None, config).eval()
    x, t = given()
    level = network.levels
    with torch.no_grad():
        embedding, h = network.embedding(t), network.stem(x)
        for p in level.up.parameters():
            p.zero_()
        expected = level.after[0](level.before[0](h, embedding), embedding)
        torch.testing.assert_close(level(h, embedding), expected)


def test_dropout_is_of_its_level_only():
    network = replace(UNET, dropout=(0.0, 0.2, 0.5), transformer=1).build()
    shares = {m.p for m in network.levels.before.modules() if isinstance(m, torch.nn.Dropout)}
    below = {m.p for m in network.levels.below.modules() if isinstance(m, torch.nn.Dropout)}
    assert shares == {0.0} and below == {0.2, 0.5}


def test_a_patch_stem_starts_invertible():
    class Same(torch.nn.Module):
        def forward(self, x, t):
            return x

    from models.stems import Patches, Wavelets

    x, t = given(2, 12, 18)
    for stem in (Patches(Same(), 3, 3, 27), Wavelets(Same(), 2)):
        torch.testing.assert_close(stem(x, t), x, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("config", "count"),
    [(UNetConfig(), 22_086_787), (UNetConfig(transformer=4), 25_770_243), (DiTConfig(), 32_535_984)],
    ids=str,
)
def test_stated_sizes(config, count):
    """The sizes that docs/networks.md states."""
    with torch.device("meta"):
        assert sum(p.numel() for p in config.build().parameters()) == count


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: UNetConfig(widths=(32, 64)), "one entry a level"),
        (lambda: UNetConfig(dropout=(0.0, 0.0, 0.0, 1.0)), "share in"),
        (lambda: UNetConfig(attention=(4,)), "names levels 0 to 3"),
        (lambda: UNetConfig(widths=(40, 64, 128, 256)), "multiple of groups=32"),
        (lambda: UNetConfig(head=30), "multiple of 4"),
        (lambda: DiTConfig(head=100), "divides the width"),
        (lambda: DiTConfig(patch=0), "patch of DiTConfig is at least 1"),
        (lambda: DiTConfig(classes=-1), "classes of DiTConfig is 0 to"),
        (lambda: WaveletStem(0), "1 to 4 times"),
        (lambda: PatchStem(0), "patch of PatchStem is at least 1"),
    ],
)
def test_bad_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()
