"""Assembles a run from its configuration, fits it, and writes what it leaves behind."""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from train.batches import BatchSource, ClassBalancedReals, ScratchLatents
from train.build import build_discriminator, build_network
from train.checkpoint import TEACHER_FOLDER, Outputs
from train.config import TrainConfig, without_folders
from train.distributed import World, distribute
from train.errors import UserError
from train.files import file_hash, write_json
from train.generator import Generator
from train.initialise import initialise
from train.judging import judge_digits
from train.label_sheet import write_label_sheet
from train.locks import locked
from train.loop import STATE_FILE, Training, WeightAverage, fit
from train.noise import check_drawable
from train.places import CONFIG_FILE, as_begun, check_folder, record_places, settings_record
from train.precision import training_precision
from train.progress import Progress, comparison_sheet, draw
from train.projected import ProjectedDiscriminator
from train.recorded import RecordedStep
from train.snapshot import STUDENT_FILE
from train.sources import Sources, grid_reference, initial_class_embedding, open_sources, with_sizes_of_data
from train.step import Players, optimizers

FINISHED_FILE = "finished.json"


def train(config: TrainConfig, folder: Path, world: World) -> None:
    """Train `config` in `folder`, or go on where it was stopped, and leave there what the next stages need.

    Raises:
        UserError: the folder belongs to another configuration, data is missing or damaged, or training blew up.
        Interrupted: told to stop; the state is saved.
    """
    config = as_begun(with_sizes_of_data(config), folder)
    check_folder(folder, config)
    if is_finished(folder, config):
        if world.is_main:
            print(f"{folder} is finished: {config.optimizer.images:,} images; its results are there")
        return
    _check_second_batch(config)
    sources = open_sources(config, folder, world)
    if config.schedule.fresh_real_batch:
        check_drawable(sources.sampler, "with --schedule.fresh-real-batch the student")
    training = assemble(config, sources, world, resumed=(folder / STATE_FILE).is_file())
    with claimed(folder, config, world):
        _train(config, folder, world, sources, training)


def _check_second_batch(config: TrainConfig) -> None:
    if config.schedule.fresh_real_batch and not (config.data.teacher and config.loss.real_discriminator):
        raise UserError(
            "--schedule.fresh-real-batch needs a teacher and --loss.real-discriminator above 0; leave it out"
        )


@contextlib.contextmanager
def claimed(folder: Path, config: TrainConfig, world: World) -> Iterator[None]:
    """Let this command alone train in `folder`.

    Raises:
        UserError: another one does; or it has just begun with other settings.
    """
    with contextlib.ExitStack() as stack:
        if world.is_main:
            remedy = "wait until it has ended, or choose another --run"
            stack.enter_context(locked(folder, f"trains in {folder}", wait=False, remedy=remedy))
            check_folder(folder, config)
        world.barrier()
        yield


def _train(config: TrainConfig, folder: Path, world: World, sources: Sources, training: Training) -> None:
    reference = grid_reference(sources, config.generator.z_dim, config.seed)
    progress = Progress(
        folder,
        world,
        steps=config.steps,
        batch_size=config.optimizer.batch_size,
        log_every=config.runtime.log_every,
        grids=config.runtime.grids,
        average=training.average.module,
        reference=reference,
    )
    outputs = Outputs(config, folder, world, sources, training)
    batches = batch_source(config, sources, world)
    if world.is_main:  # the folder is claimed once nothing of the input can be refused any more
        places = record_places(dataclasses.asdict(config.data) | {"shared": config.runtime.shared}, folder)
        content = {"settings": settings_record(config), "places": places, "torch": torch.__version__}
        write_json(folder / CONFIG_FILE, content)
        if sources.reals is not None:
            write_label_sheet(sources.reals, sources.names, folder / "samples" / "real-labels.png")
    with training_precision(config.runtime.precision), contextlib.closing(progress):
        fit(
            training,
            batches,
            folder,
            world,
            observers=[progress, outputs],
            checkpoint_minutes=config.runtime.checkpoint_minutes,
        )
    if world.is_main:
        outputs.write(config.steps)
        comparison_sheet(reference, [draw(training.average.module, reference)], folder / "samples" / "final.png")
        print(f"pictures: {folder / 'samples'}; weights: {folder}")
        if config.data.reals == "digits":
            judge_digits(config, sources, folder, training.average.module, folder / TEACHER_FOLDER)
        write_json(folder / FINISHED_FILE, ending(config))
    world.barrier()


def is_finished(folder: Path, config: TrainConfig) -> bool:
    """Return whether the run ended and its results are there."""
    result = folder / (TEACHER_FOLDER if config.generator.architecture == "biggan" else STUDENT_FILE)
    return result.exists() and has_ended(folder, config)


def has_ended(folder: Path, config: TrainConfig) -> bool:
    """Return whether the run ended, though its results may have been taken away.

    FINISHED_FILE is written last of all.
    """
    try:
        return json.loads((folder / FINISHED_FILE).read_text(encoding="utf-8")) == ending(config)
    except (FileNotFoundError, ValueError):
        return False


def ending(config: TrainConfig) -> dict[str, int]:
    """Return what FINISHED_FILE says of a run that has ended."""
    return {"steps": config.steps, "images": config.optimizer.images}


def assemble(config: TrainConfig, sources: Sources, world: World, *, resumed: bool = False) -> Training:
    """Build the networks, seeded, and their optimizers; weights to start from are for runs that are not `resumed`.

    Raises:
        UserError: the weights to start from, or the class embedding, are not there or do not fit.
    """
    torch.manual_seed(config.seed)
    generator = build_network(config.generator)
    _give_class_embedding(generator, config)
    average = build_network(config.generator)
    discriminator = build_discriminator(config.discriminator, config.generator)
    if config.initialise and not resumed:
        line = initialise(generator, discriminator, config.initialise, sources.names, sources.classes)
        if world.is_main:
            print(line, flush=True)
    average.load_state_dict(generator.state_dict())
    to_device(world, generator, average, discriminator)
    introduce_classes(discriminator, sources)
    if config.runtime.compiles(world.device.type):
        torch.compiler.reset()  # programs of earlier runs in this process count against dynamo's limit
        for module in (generator, discriminator):
            # A run has three or four shapes; by default the second of them would become a symbol, and slow.
            module.compile(dynamic=False)
    fingerprint = _fingerprint(config, sources)
    training = training_with(generator, average, discriminator, config, world, fingerprint=fingerprint)
    if config.runtime.computes_in_bfloat16(world.device.type):
        training.players.precision = torch.bfloat16
    if config.loss.mode_seeking:
        training.players.real_distance = _real_distance(sources, world)
    if config.runtime.records_steps(world):
        training.do_step = RecordedStep(training.players)
    return training


def _give_class_embedding(generator: nn.Module, config: TrainConfig) -> None:
    embedding = initial_class_embedding(config)
    if embedding is None:
        return
    if not isinstance(generator, Generator):
        raise UserError("--data.class-embedding is for students; leave it out for a BigGAN")
    if config.initialise:
        raise UserError("--data.class-embedding and --initialise both set the classes' rows; leave one out")
    with torch.no_grad():
        generator.class_embedding.weight.copy_(embedding)


def to_device(world: World, *networks: nn.Module) -> None:
    """Move networks to the world's device."""
    for network in networks:
        # Channels last is faster on GPUs with bfloat16 and halves a step on CPUs too.
        network.to(world.device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def training_with(
    generator: nn.Module,
    average: nn.Module,
    discriminator: nn.Module,
    config: TrainConfig,
    world: World,
    *,
    fingerprint: dict[str, Any],
    sync_buffers: bool = False,
) -> Training:
    """Return what `fit` needs to train networks that are on the world's device, in float32.

    Args:
        generator: (z, y) → images.
        average: the same again, for its averaged weights.
        discriminator: (x, y) → scores and features.
        config: losses, schedule, optimizers and length.
        world: this process.
        fingerprint: what must be equal for a state to be resumed.
        sync_buffers: of the generator, as in `distribute`.
    """
    settings = config.optimizer
    players = Players(
        distribute(generator, world, sync_buffers=sync_buffers),
        distribute(discriminator, world),
        *optimizers(generator, discriminator, settings),
        augment=config.augment,
        photographs=config.augment_photographs,
    )
    averaging = WeightAverage(average, generator, settings.ema_decay)
    return Training(players, averaging, config.loss, config.schedule, settings, config.steps, fingerprint)


def introduce_classes(discriminator: nn.Module, sources: Sources) -> None:
    """Show a fresh projected critic the photos of its classes; the paper's learns them as it trains.

    Raises:
        UserError: there are no photos.
    """
    if isinstance(discriminator, ProjectedDiscriminator):
        if sources.reals is None:
            raise UserError("--discriminator.kind projected knows classes by their photos; give --data.reals")
        discriminator.learn_classes(sources.reals.images, sources.reals.labels)


def _fingerprint(config: TrainConfig, sources: Sources) -> dict[str, Any]:
    """Return what must be equal for a state to be resumed: settings and data, wherever the data lies."""
    data: dict[str, Any] = {"pairs": sources.pairs.settings.as_json() if sources.pairs else None}
    if sources.reals is not None:
        data["real_labels"] = hashlib.sha256(sources.reals.labels.tobytes()).hexdigest()
    pack = Path(config.data.reals)
    if config.data.reals and pack.is_file():
        data["reals"] = file_hash(pack)
    return without_folders(config.learned()) | data


def _real_distance(sources: Sources, world: World, draws: int = 4096) -> torch.Tensor:
    """Return the mean absolute difference, in [0, 2], of two real images of one class."""
    assert sources.reals is not None
    random = np.random.default_rng(0)
    y = random.choice(sources.classes, draws)
    reals = ClassBalancedReals(sources.reals)
    first, second = (reals.draw(y, random.random(draws)).float() for _ in range(2))
    return ((first - second).abs().mean() / 127.5).to(world.device)


def batch_source(config: TrainConfig, sources: Sources, world: World) -> BatchSource:
    """Return where the run's batches come from; real images only if a term needs them."""
    wants_reals = config.loss.real_discriminator > 0 or config.loss.mode_seeking > 0
    reals = sources.reals if wants_reals else None
    latents = ScratchLatents(
        sources.classes,
        config.generator.z_dim,
        sources.truncation,
        paired=config.loss.mode_seeking > 0,
        sampler=sources.sampler,
    )
    second = config.schedule.fresh_real_batch and config.loss.real_discriminator > 0
    return BatchSource(
        batch_size=config.optimizer.batch_size,
        seed=config.seed,
        world=world,
        pairs=sources.pairs,
        reals=ClassBalancedReals(reals, mirror=config.data.mirror) if reals else None,
        scratch=None if sources.pairs else latents,
        augment=config.augment > 0,
        fresh=latents if second else None,
    )
