"""The published SinDiffusion code (a checkout of github.com/WeilunWang/SinDiffusion), driven for comparison."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import torch
from torch import Tensor


def why_no_checkout(home: Path) -> str | None:
    """Why `home` is not the published code, in one line, where it is not."""
    if (home / "guided_diffusion" / "sinddpm.py").exists():
        return None
    return f"{home} is no checkout of github.com/WeilunWang/SinDiffusion: clone it, and name its folder."


class Published:
    """Its network at the published size, its diffusion process of 1000 linear steps, and its training step."""

    def __init__(
        self,
        home: Path,
        device: str = "cpu",
        half: bool = False,
        rate: float = 5e-4,
        layout: torch.memory_format = torch.contiguous_format,
    ) -> None:
        refusal = why_no_checkout(home)
        if refusal is not None:
            raise SystemExit(refusal)
        sys.path.insert(0, str(home))
        names = ("sinddpm", "gaussian_diffusion", "nn", "fp16_util", "respace")
        unet, diffusion, self.nn, fp16, respace = (importlib.import_module(f"guided_diffusion.{name}") for name in names)
        self.device = device
        self.network = unet.UNetModel(
            image_size=256,
            in_channels=3,
            model_channels=64,
            out_channels=3,
            num_res_blocks=1,
            attention_resolutions=(128,),
            channel_mult=(1, 2, 4),
            num_head_channels=16,
            use_scale_shift_norm=True,
            use_fp16=half,
        ).to(device=device, memory_format=layout)
        self.process = respace.SpacedDiffusion(
            use_timesteps=range(1000),
            betas=diffusion.get_named_beta_schedule("linear", 1000),
            model_mean_type=diffusion.ModelMeanType.EPSILON,
            model_var_type=diffusion.ModelVarType.FIXED_LARGE,
            loss_type=diffusion.LossType.MSE,
            rescale_timesteps=False,
        )
        self.mixed = fp16.MixedPrecisionTrainer(model=self.network, use_fp16=half, fp16_scale_growth=1e-3)
        self.optimizer = torch.optim.AdamW(self.mixed.master_params, lr=rate, weight_decay=0.0)
        self.averaged = [p.detach().clone() for p in self.mixed.master_params]

    def step(self, x: Tensor) -> Tensor:
        """One training step on x (B, 3, H, W), as its loop takes it: loss, backward, AdamW, EMA."""
        self.mixed.zero_grad()
        t = torch.randint(1000, (len(x),), device=self.device)
        loss = self.process.training_losses(self.network, x, t)["loss"].mean()
        self.mixed.backward(loss)
        self.mixed.optimize(self.optimizer)
        self.nn.update_ema(self.averaged, self.mixed.master_params, rate=0.9999)
        return loss

    def sample(self, shape: tuple[int, ...]) -> Tensor:
        """Its 1000 steps from noise with the weights as they are (B, 3, H, W), H and W multiples of 8."""
        self.network.eval()
        return self.process.p_sample_loop(self.network, shape, model_kwargs={}, device=self.device, progress=True)
