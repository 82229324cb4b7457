"""A pipeline's network trained a little further, by the one trainer; it becomes a pipeline, and a folder, of the same kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

from models import Condition
from models.condition import PARTS
from restore.data.batch import Batch, Batches
from restore.machine.provenance import provenance
from restore.pipelines.network import NetworkPipeline
from restore.pipelines.published import Published
from restore.run import Run, Specification
from restore.space import grown
from restore.training.condition_dropout import ConditionDropout
from restore.training.folder import OWN, removed_at, why_not_new
from restore.training.loop import train
from restore.training.settings import Training
from restore.training.trainer import Trainer
from restore.tuning.trainable import Told, trainable, used

NOTHING_DROPPED = ConditionDropout(**dict.fromkeys(PARTS, 0.0))


def short_training(pipeline: NetworkPipeline, steps: int, rate: float, batch: int, seed: int = 0) -> Training:
    """A plan of few steps at a constant rate, without an average, for the network of `pipeline`."""
    own = pipeline.recipe.training if isinstance(pipeline, Run) else Training()
    plan = replace(own, steps=steps, rate=rate, batch=batch, seed=seed, accumulate=1, shard=False, optimizer="adamw", warmup=0)
    plan = replace(plan, decay="constant", ema=0.0, condition_dropout=NOTHING_DROPPED, track=None, captured=False)
    return replace(plan, save_every=steps, preview_every=steps, log_every=max(1, steps // 50)).decided


Look = Callable[[NetworkPipeline, int], None]
"""What is shown the pipeline and its step as it is being trained."""


def tuned(
    pipeline: NetworkPipeline,
    batches: Batches,
    training: Training,
    folder: Path,
    images: Path | None = None,
    look: Look | None = None,
) -> NetworkPipeline:
    """The same with a copy of its network, trained on `batches`, and left in `folder`: a run, or an imported model.

    `folder` gets the losses (metrics.jsonl) too; a pipeline of another kind is not written. images: what is trained on, where
    it has a name. look: called every `training.preview_every` steps. Raises TrainingError in one line where it cannot go on,
    and KeyboardInterrupt where it was stopped; nothing but losses is written then.
    """
    trainer = _trained(pipeline, trainable(pipeline.restorer.network), batches, training, folder, look)
    restorer = replace(pipeline.restorer, network=used(trainer.network))
    if isinstance(pipeline, Published):
        from restore.published.imported import export_tuned

        export_tuned(pipeline, restorer.network.load(), folder)  # type: ignore[attr-defined]
        return replace(pipeline, restorer=restorer, name=str(folder))
    if not isinstance(pipeline, Run):
        return replace(pipeline, restorer=restorer)
    recipe = replace(pipeline.recipe, images=(images or pipeline.recipe.images).resolve(), training=training)
    specification = Specification(recipe, pipeline.prior, pipeline.size, pipeline.classes, pipeline.captions)
    trainer.save(folder, *specification.stored(provenance() | {"seed": str(training.seed), "tuned": pipeline.identity}))
    run = specification.run(folder, str(folder), restorer, trainer.step, pipeline.device)
    return replace(run, sampling=pipeline.sampling, prompt=pipeline.prompt, negative=pipeline.negative)


@contextmanager
def begun(folder: str | Path, *parts: str) -> Iterator[Path]:
    """The folder, in which a training can begin. Nothing of it stays there, nor of `parts`, its subfolders, where the training
    is stopped or fails: the same can be asked for again. Raises ValueError in one line for one that holds something."""
    folder = Path(folder)
    refusal = why_not_new(folder)
    if refusal is not None:
        raise ValueError(refusal)
    with removed_at(BaseException, folder, OWN | {*parts}):
        yield folder


def fitted(pipeline: NetworkPipeline, batches: Batches, condition: Condition, training: Training, folder: Path) -> Condition:
    """The condition of one image, moved to where the frozen network restores `batches` best; losses go to `folder`."""
    told = Told(pipeline.restorer.network, condition)
    _trained(pipeline, told, batches, training, folder)
    return told.condition.map(lambda part: part.detach())


def _trained(
    pipeline: NetworkPipeline,
    network: nn.Module,
    batches: Batches,
    training: Training,
    folder: Path,
    look: Look | None = None,
) -> Trainer:
    def shown(trainer: Trainer) -> None:
        if look is not None:
            with trainer.averaged_weights() as restorer:
                look(replace(pipeline, restorer=restorer), trainer.step)

    parts = (network, pipeline.degradation, pipeline.restorer.prediction, pipeline.objective, training)
    trainer = Trainer(*parts, pipeline.device)
    folder.mkdir(parents=True, exist_ok=True)
    if not train(trainer, batches, folder, {}, on_preview=shown, saves=False):
        raise KeyboardInterrupt
    return trainer


def cells(pipeline: NetworkPipeline, images: Tensor) -> Tensor:
    """x of images (B, C, H, W) in [-1, 1], of the sides that the network works on. ValueError for other channels."""
    if images.shape[1] != pipeline.size[0]:
        raise ValueError(f"{pipeline.name} makes images of {pipeline.size[0]} channels, these have {images.shape[1]}.")
    height, width = (side * pipeline.space.stride for side in pipeline.padded((images.shape[-2], images.shape[-1])))
    return pipeline.space.encode(grown(images, (height, width)).to(pipeline.device))


def repeated(x0: Tensor, condition: Condition = Condition()) -> Batches:  # noqa: B008
    """Batches of the same x0 (N, C, *space), in turn, each with its entry of the condition, or with its only one."""

    def draw(count: int, generator: object, shard: slice = slice(None), /) -> Batch:
        which = [number % len(x0) for number in range(count)[shard]]
        told = condition.map(lambda z: z[which] if len(z) == len(x0) else z.expand(len(which), *z.shape[1:]))
        return Batch(x0[which], told)

    return Batches(draw, x0)
