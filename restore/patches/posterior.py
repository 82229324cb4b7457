"""The restorer that needs no training: the posterior mean when every patch of the clean image is one of known patches.

    x0_hat(patch) = sum_y w_y y,    w = softmax_y( -|x_t - D(y, t)|^2 / (2 s^2) )

over the patches y of the training images; overlapping patches are averaged with Gaussian weights. For Gaussian noise,
D(y, t) = alpha y and s = sigma, this is the exact minimum mean square error denoiser of a patch (arXiv 2606.04299;
2412.20292; 2411.19339): scaled dot-product attention with queries x_t, keys and values y, and a key bias
-alpha^2 |y|^2 / (2 s^2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from degrade import Affine, Degradation, Gaussian, Mixing
from degrade.severity import on_host
from degrade.transfer import like
from degrade.tree import tree_leaves, tree_map
from restore.patches.bank import LEAST_STD, Bank
from restore.patches.dense import COLOUR, Dense
from restore.patches.overlap import check_window, cut, join, pad_to_grid
from restore.patches.places import Places
from restore.patches.transport import Transport


class PatchPosterior:
    """R(x_t, t) -> x0_hat from the patches of `images`, for any number and size of x_t.

    | degradation | a patch of x_t is compared with | s |
    | --- | --- | --- |
    | Gaussian (noise) | alpha y | sigma(t) |
    | without latent (blur, pixelation, decolouring) | the patch of D(image, t) where y lies: y with its surroundings | floor |
    | pixel by pixel affine, given its latent (mask, mixing) | a y + b, from D; a pixel that is seen is kept | floor |
    | affine mixing, given `others` | alpha y + sigma z, z likewise from patches of the other set, in turns | floor |

    Raises ValueError for degradations that spread a pixel over more than a patch, or whose latent it would have to know.
    """

    def __init__(
        self,
        images: Sequence[Tensor],
        degradation: Degradation,
        side: int = 11,
        width: float = 0.2,
        stride: int = 2,
        neighbours: int | None = 800,
        floor: float = 0.05,
        latent: tuple = (),
        others: Sequence[Tensor] = (),
        balanced: bool = False,
        places: Sequence[tuple[float, Places]] = (),
        holes: Sequence[Tensor] = (),
        degraded: Sequence[Tensor] = (),
    ) -> None:
        """From clean `images` (C, H_i, W_i) in [-1, 1].

        side: of the patches, pixels. width: standard deviation of their weights in the average, in sides, [0.01, 10]. stride:
        between patches of x_t, pixels, at most `side`; all patches of the images are known. neighbours: how many of them,
        about, each patch of x_t is compared with, in the nearest clusters, beside the means of all other clusters (on a GPU it
        is compared with all); None compares with all, in float64. floor: standard deviation that noiseless degradations are
        given, [0.001, 10]. latent: of x_t, where there is one; others: images that are mixed in. balanced, of Gaussian noise:
        each patch is compared with all, and every patch of the images is used about as often as it occurs
        (restore/patches/transport.py). places, of Gaussian noise: how much it counts that a patch lies where it comes from: as
        near to an edge, or as high up; 1 as much as another colour. holes: masks (1, H_i, W_i), one for each image: no patch is
        known that touches a pixel where they are 1. degraded: what the images look like degraded, where no degradation says it:
        x_t is compared with their patches, at any t.
        """
        check_window(side, width, stride)
        if not LEAST_STD <= floor <= 10:
            raise ValueError(f"floor lies in [{LEAST_STD}, 10], got {floor}.")
        if neighbours is not None and neighbours < 1:
            raise ValueError(f"neighbours is at least 1, or None for all, got {neighbours}.")
        if not images or any(x.ndim != 3 or min(x.shape[-2:]) < side for x in images):
            raise ValueError(f"the patch posterior needs images (C, H, W) of at least {side} x {side} pixels.")
        self.images, self.degradation, self.latent = [x[None].float() for x in images], degradation, latent
        self.side, self.width, self.stride, self.floor, self.neighbours = side, width, stride, floor, neighbours
        self.balanced = balanced
        placed = isinstance(degradation, Gaussian) and not degraded
        self.places = [(weight, place) for weight, place in places if weight and placed]
        self.whole = torch.cat([cut(hole[None].float(), side)[0].amax(1) == 0 for hole in holes]) if holes else None
        if self.whole is not None and not bool(self.whole.any()):
            raise ValueError(
                f"no {side} x {side} pixels of the picture are outside of what is made anew: nothing to make it from."
            )
        self._banks: dict[float, Bank | Dense] = {}
        self.restore_at = self._view(others, degraded)

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        if min(x_t.shape[-2:]) < self.side or x_t.shape[1] != self.images[0].shape[1]:
            raise ValueError(
                f"the patches have {self.images[0].shape[1]} channels and {self.side} x {self.side} pixels, "
                f"x_t is {tuple(x_t.shape)}."
            )
        if len(known := on_host(t)) == 1:
            return self.restore_at(x_t.float(), known[0], slice(None)).to(x_t)
        out = torch.empty_like(x_t)
        for value in t.unique():
            here = t == value
            out[here] = self.restore_at(x_t[here].float(), value, here).to(x_t)
        return out

    def _view(self, others: Sequence[Tensor], degraded: Sequence[Tensor]) -> Callable[[Tensor, Tensor, Tensor | slice], Tensor]:
        """How this degradation is compared."""
        clean = self._known(cut(x, self.side)[0] for x in self.images)
        if degraded:
            self.bank = self._bank(self._known(cut(x[None].float(), self.side)[0] for x in degraded), clean)
            return lambda x, t, here: self._averaged(x, self.bank, 1.0, self.floor)
        if isinstance(self.degradation, Gaussian):
            keys = clean
            if self.places:
                keys = torch.cat([clean, self._known(self._placed(x, asked=False) for x in self.images)], 1)
            if self.balanced:
                self.transport = Transport(keys, clean)
                return self._transported
            self.bank = self._bank(keys, clean)
            return self._noisy
        if isinstance(self.degradation, Affine) and isinstance(self.degradation, Mixing) and others:
            self.bank = self._bank(clean, clean)
            patches = torch.cat([cut(x[None].float(), self.side)[0] for x in others])
            self.other_bank = self._bank(patches, patches)
            return self._mixed
        self.clean = clean
        name = type(self.degradation).__name__
        if not list(tree_leaves(self.degradation.draw(self.images[0]))):
            return self._in_context
        if not list(tree_leaves(self.latent)):
            raise ValueError(f"the patch posterior has to know the latent of {name}: pass latent=, as it was drawn for x_t.")
        return self._seen

    def _bank(self, keys: Tensor, values: Tensor) -> Bank | Dense:
        """On a CPU those near a query are looked for; a GPU is done with all sooner."""
        dense = keys.device.type != "cpu" and self.neighbours is not None
        if not dense:
            return Bank(keys, values, self.neighbours)
        placed = self.side * (self.images[0].shape[1] * sum(weight**2 for weight, _ in self.places)) ** 0.5
        return Dense(keys, values, max(COLOUR, placed))

    def _known(self, patches: Iterable[Tensor]) -> Tensor:
        """Those of all patches, or what belongs to them, that touch no hole."""
        found = torch.cat([*patches])
        return found if self.whole is None else found[self.whole]

    def _noisy(self, x: Tensor, t: Tensor, here: Tensor | slice) -> Tensor:
        alpha, sigma = self._coefficients(t)
        return self._averaged(x, self.bank, alpha, sigma)

    def _transported(self, x: Tensor, t: Tensor, here: Tensor | slice) -> Tensor:
        alpha, sigma = self._coefficients(t)
        return self._joined(self.transport.mean(self._queries(x, alpha), alpha, sigma), x)

    def _coefficients(self, t: Tensor) -> tuple[float, float]:
        """alpha(t), sigma(t) of one severity."""
        alpha, sigma = self.degradation.coefficients(t[None])  # type: ignore[attr-defined]
        return float(alpha), float(sigma)

    def _placed(self, x: Tensor, asked: bool) -> Tensor:
        """Where the patches lie (N, E), of an image that is asked for or of a known one, in the measure of their colours."""
        size, side = (x.shape[2], x.shape[3]), self.side
        found = [w * (place.asked(size, side, self.stride) if asked else place.known(size, side)) for w, place in self.places]
        return (x.shape[1] * side**2) ** 0.5 * like(torch.cat(found, 1), x)

    def _in_context(self, x: Tensor, t: Tensor, here: Tensor | slice) -> Tensor:
        key = float(t)
        if key not in self._banks:
            self._check_local(t)
            keys = self._known(cut(self.degradation(y, t[None].to(y), ()), self.side)[0] for y in self.images)
            self._banks = {**dict(list(self._banks.items())[-3:]), key: self._bank(keys, self.clean)}
        return self._averaged(x, self._banks[key], 1.0, self.floor)

    def _mixed(self, x: Tensor, t: Tensor, here: Tensor | slice) -> Tensor:
        """Estimates of x0 and of the image mixed in, each given the other, in turns, with a falling floor."""
        alpha, sigma = self._coefficients(t)
        colour = self.other_bank.mean_value.to(x).reshape(-1, self.side**2).mean(1)
        z = colour[None, :, None, None].expand_as(x)
        for factor in (8.0, 4.0, 2.0, 1.0):
            x0 = self._averaged(x - sigma * z, self.bank, alpha, factor * self.floor)
            z = self._averaged(x - alpha * x0, self.other_bank, sigma, factor * self.floor)
        return x0

    def _seen(self, x: Tensor, t: Tensor, here: Tensor | slice) -> Tensor:
        """x_t = a x0 + b: patches are compared where a is large, and pixels seen are kept, each as far as it is certain."""
        count = len(x) if isinstance(here, slice) else len(here)
        latent = tree_map(lambda z: z[here].to(x) if len(z) == count else z.to(x), self.latent)
        many = t.to(x).expand(len(x))
        b = self.degradation(torch.zeros_like(x), many, latent)
        a = self.degradation(torch.ones_like(x), many, latent) - b
        trial = x.flip(-1).clamp(-1, 1)
        if not torch.allclose(self.degradation(trial, many, latent), a * trial + b, atol=1e-4):
            raise ValueError(
                "the patch posterior treats latents of degradations that act pixel by pixel; "
                f"{type(self.degradation).__name__} does not."
            )
        gains, rest = (self._queries(v) for v in (a, x - b))
        joined = self._joined(torch.stack([self._masked(r, g) for r, g in zip(rest, gains, strict=True)]), x)
        variance = self.floor**2
        return (a * (x - b) + variance * joined) / (a.square() + variance)

    def _masked(self, rest: Tensor, gain: Tensor) -> Tensor:
        """Posterior mean patches (Q, D) given rest = gain y: -|rest - gain y|^2 = 2 (rest gain).y - gain^2.y^2 + constant."""
        out = []
        squares = self.clean.square()
        for r, g in zip(rest.split(1024), gain.split(1024), strict=True):
            logits = ((r * g) @ self.clean.T - g.square() @ squares.T / 2) / self.floor**2
            out.append(logits.softmax(1) @ self.clean)
        return torch.cat(out)

    def _averaged(self, x: Tensor, bank: Bank | Dense, gain: float, std: float) -> Tensor:
        """The posterior mean of every patch of x = gain x0 + std noise, averaged where they overlap."""
        queries = self._queries(x, gain)
        return self._joined(bank.mean(queries.flatten(0, 1), gain, std).unflatten(0, queries.shape[:2]), x)

    def _queries(self, x: Tensor, gain: float = 1.0) -> Tensor:
        """Patches of x, `stride` apart (B, Q, D), and where they lie, which the gain of their colours goes for too."""
        patches = cut(pad_to_grid(x, self.side, self.stride), self.side, self.stride)
        if not self.places:
            return patches
        placed = gain * self._placed(x, asked=True)
        return torch.cat([patches, placed.expand(len(x), *placed.shape)], 2)

    def _joined(self, patches: Tensor, x: Tensor) -> Tensor:
        """The image of the size of x whose patches, as `_queries` cuts them, are `patches`, averaged where they overlap."""
        shape = pad_to_grid(x, self.side, self.stride).shape
        return join(patches, shape, self.side, self.stride, self.width)[..., : x.shape[2], : x.shape[3]]

    def _check_local(self, t: Tensor) -> None:
        """Raises unless a tenth of what one pixel changes lies within a patch around it."""
        size = 8 * self.side
        nothing = torch.zeros(1, self.images[0].shape[1], size, size)
        dot = nothing.clone()
        middle = size // 2
        dot[..., middle, middle] = 1
        change = (self.degradation(dot, t[None].to(dot), ()) - self.degradation(nothing, t[None].to(dot), ())).abs()
        reach = slice(middle - self.side // 2, middle + self.side // 2 + 1)
        if float(change[..., reach, reach].sum()) < 0.1 * float(change.sum()):
            raise ValueError(
                f"{type(self.degradation).__name__} at t = {float(t):.2f} spreads a pixel over more than a patch of "
                f"{self.side}: use larger patches, or a lower severity."
            )
