"""What to expect of a fine-tuning of larger images: how many it wants, and how long it will take here."""

import time

import torch
from tqdm import tqdm

from compress.config import QatConfig
from compress.float_run import FloatRun
from train.commands import spoken
from train.distributed import World
from train.loop import Observer

USUAL_SHARE = 0.1
"""Of the float training: the rule of thumb in the guide of NVIDIA's pytorch-quantization; how much is enough for
these students was not measured."""
_SMALLEST_SIZE = 64  # px; the 28,800 images of the digits' run are fine-tuned in minutes anyway
_WARM, _TIMED = 5, 20  # steps that are not timed, and those that are


def usual_images(run: FloatRun) -> int:
    """Return how many images a fine-tuning of this run usually has."""
    return round(run.config.optimizer.images * USUAL_SHARE)


def advice(settings: QatConfig, run: FloatRun) -> str:
    """Return a line about the length of a fine-tuning; empty for small images."""
    size, length = run.config.generator.image_size, run.config.optimizer.images
    if size < _SMALLEST_SIZE:
        return ""
    asked = (
        f"{size} px: --images {settings.images} is {settings.images / length:.1%} of the float run's {length:,}"
    )
    usual = f"a rule of thumb is {USUAL_SHARE:.0%}, what is enough here was not measured"
    more = f" (--images {usual_images(run)})" if settings.images < usual_images(run) else ""
    return f"{asked}; {usual}{more}; how long it takes is said after {_WARM + _TIMED} steps"


class FirstSteps(Observer):
    """Times the first steps of a fine-tuning, and says once what the rest takes.

    Args:
        world: this process; the main one speaks.
        steps: of the whole fine-tuning.
        batch_size: images of a step.
        usual: images that would be usual, see `usual_images`.
    """

    def __init__(self, world: World, steps: int, batch_size: int, usual: int) -> None:
        self.world, self.steps, self.batch_size, self.usual = world, steps, batch_size, usual

    def start(self, step: int) -> None:
        """Take the step at which this process begins."""
        self._first = step

    def after_step(self, step: int, terms: dict[str, torch.Tensor]) -> None:
        """Look at the clock when it is time."""
        del terms
        done = step - self._first
        if done == _WARM:
            self._begun = self._now()
        elif done == _WARM + _TIMED and self.world.is_main:
            self._say((self._now() - self._begun) / (_TIMED * self.batch_size), step)

    def _now(self) -> float:
        if self.world.device.type == "cuda":
            torch.cuda.synchronize(self.world.device)
        return time.monotonic()

    def _say(self, seconds_an_image: float, step: int) -> None:
        left, whole = (self.steps - step) * self.batch_size, self.steps * self.batch_size
        line = f"{1 / seconds_an_image:.1f} images/s in {_TIMED} steps: the other {left:,} images take about "
        line += spoken(left * seconds_an_image)
        if whole < self.usual:
            line += f", and {self.usual:,} would take {spoken(self.usual * seconds_an_image)}"
        tqdm.write(line)
