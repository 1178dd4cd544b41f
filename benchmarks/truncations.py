"""Quality against diversity over truncations, BigGAN's trade-off: run_device.py --truncations 0.2 0.5 1."""

import numpy as np

from benchmarks.drawing import student_drawer, teacher_drawer
from benchmarks.model import Model, teacher_spec
from benchmarks.quality.diversity import within_class_distance
from benchmarks.quality.features import FeatureNetwork, choose_device, open_features, open_inception, open_lite0
from benchmarks.quality.inception_file import find_inception
from benchmarks.quality.reference import FeatureStore
from benchmarks.quality.settings import QualitySettings
from benchmarks.results import Results
from benchmarks.scoring import open_reference
from benchmarks.settings import BenchmarkConfig
from train.errors import UserError
from train.frechet import frechet_distance
from train.noise import check_drawable, latents_in_turn, law_of
from train.teacher import open_teacher

_PER_CLASS = 50


def check_trade_off(model: Model) -> None:
    """Raise a UserError where the law of the latents knows no truncation."""
    sampler = model.manifest["sampler"]["name"]
    check_drawable(sampler, "the model")
    if law_of(sampler) == "sphere":
        raise UserError("--truncations is not for latents on a sphere, which all have one length; leave it out")


def measure_truncations(model: Model, config: BenchmarkConfig, results: Results) -> None:
    """Draw teacher, float and int8 student at each truncation; distance to the photos and diversity of each.

    Raises:
        UserError: there are no photos to compare with, or as `benchmarks.quality.evaluate`.
    """
    reals = open_reference(model, config)
    if reals is None:
        raise UserError("--truncations measures the distance to photos; give some with --reference")
    network = _network(config)
    store = FeatureStore(config.folder / "cache" / "features", QualitySettings.batch_size)
    real = store.measure(network, reals.images, "real images")
    spread = within_class_distance(real.features, reals.labels)
    if not spread:
        raise UserError(f"{reals.source} has one image of each class, which leaves no diversity to compare with")
    classes = sorted(model.classes)
    z_dim, sampler = model.manifest["model"]["z_dim"], model.manifest["sampler"]["name"]
    count = config.images or _PER_CLASS * len(classes)
    curves: dict[str, list[dict[str, float]]] = {}
    for truncation in config.truncations:
        z, y = latents_in_turn(classes, config.seed, count, z_dim, truncation, sampler=sampler)
        for name, images in _drawn(model, config, z, y, truncation).items():
            own = store.measure(network, images, f"{name} at {truncation:g}")
            point = {
                "truncation": truncation,
                "distance": round(frechet_distance(own.statistics, real.statistics), 4),
                "diversity": round((within_class_distance(own.features, y) or 0.0) / spread, 4),
            }
            curves.setdefault(name, []).append(point)
            print(f"{name} at truncation {truncation:g}: {point['distance']:.4g}, {point['diversity']:.3f}")
    results.say(
        "truncations",
        distance=f"{network.title('FID')} to the photos",
        diversity="diversity within a class, of the photos'",
        images=count,
        how=network.how,
        curves=curves,
    )


def _network(config: BenchmarkConfig) -> FeatureNetwork:
    device = choose_device(config.device)
    if inception := find_inception(config.inception, download=config.download):
        return open_inception(inception, config.preprocessing[0], device)
    return open_features(config.features, device) if config.features else open_lite0(device)


def _drawn(
    model: Model, config: BenchmarkConfig, z: np.ndarray, y: np.ndarray, truncation: float
) -> dict[str, np.ndarray]:
    device = choose_device(config.device)
    drawers = [student_drawer(name, path, device) for name, path in model.students.items() if name != "int4"]
    if spec := teacher_spec(model, config.teacher):
        drawers.insert(0, teacher_drawer("teacher", open_teacher(spec, truncation), device))
    cache = config.folder / "cache" / "images"
    return {drawer.name: drawer.images(z, y, cache) for drawer in drawers}
