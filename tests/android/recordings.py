"""Let the model's own runtimes draw on this machine what the app's tests will ask for.

`python -m tests.android.recordings ARTIFACTS FOLDER` writes the raw outputs of every artifact and the bytes
that Python makes of them. A process of its own, because the runtimes stay loaded.
"""

import itertools
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deploy.golden import load_golden
from deploy.manifest import MANIFEST_FILE, read_manifest
from deploy.runners import runner_of
from tests.android.model import app_artifacts
from train.files import write_json
from train.images import to_bytes
from train.noise import consecutive_seeds, random_words, truncated_normal

INDEX_FILE = "recordings.json"
GRID_IMAGES = 9
"""Images of a grid."""
GRIDS = ((1, None), (7, None), (2**64 - 2, None), (1, 1.0), (1, 0.3))
"""(First seed, truncation or the model's own) of the grids that the tests draw of every class; one seed wraps."""
MORPH_SEEDS = (1, 2)
MORPH_CLASSES = ((3, 8), (0, 9))
MORPH_STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Slider positions that the tests draw between those two seeds and between those classes."""
BENCHMARK_ROUNDS = 16
"""Rounds of a benchmark: round k draws seed k and the k-th class."""
BLENDS = (
    {0: 0.334, 4: 0.333, 9: 0.333},
    {0: 0.394, 4: 0.303, 9: 0.303},
    {4: 0.5, 9: 0.5},
    {3: 0.5, 7: 0.3, 9: 0.2},
)
"""What the tests blend at seed 1: place among the classes → weight."""
LOOP_STEPS, LOOP_STATIONS = 15, 5
"""Of the endless morph of seed 1: images between two stations, and stations of a loop."""
_MORPH_STREAM = 0x6D6F727068
_CLASSES = 10  # of a model that has more, the first


def record(artifacts: Path, folder: Path) -> None:
    """Draw every input with every artifact of the app.

    Args:
        artifacts: folder with manifest.json.
        folder: gets recordings.json, inputs.bin, and of each artifact the outputs (float32, in the order of its
            tensor) and the bytes (in the order R, G, B of each pixel, row by row).
    """
    manifest = read_manifest(artifacts)
    images, inputs = _inputs(manifest, artifacts)
    folder.mkdir(parents=True, exist_ok=True)
    inputs.tofile(folder / "inputs.bin")
    z_dim = manifest["model"]["z_dim"]
    recorded = []
    for artifact in app_artifacts(manifest, artifacts):
        _, load = runner_of(artifact["runtime"], artifact["backend"])
        assert load is not None, artifact["file"]
        run = load(artifacts / artifact["file"])
        pairs = ((row[None, :z_dim].copy(), row[None, z_dim:].copy()) for row in inputs)
        outputs = np.concatenate([run(*(part for part in pair if part.size)) for pair in pairs])
        channels_last = artifact["outputs"][0]["shape"][-1] == 3
        names = {"outputs": f"{artifact['file']}.bin", "rgb": f"{artifact['file']}.rgb"}
        raw = outputs.transpose(0, 2, 3, 1) if channels_last else outputs
        np.ascontiguousarray(raw, np.float32).tofile(folder / names["outputs"])
        (folder / names["rgb"]).write_bytes(to_bytes(torch.from_numpy(outputs)).tobytes())
        recorded.append({"file": artifact["file"], **names})
    for name in (MANIFEST_FILE, *manifest["golden"]["first"]["files"].values()):
        shutil.copyfile(artifacts / name, folder / name)
    write_json(folder / INDEX_FILE, {"inputs": "inputs.bin", "images": images, "artifacts": recorded})


def _inputs(manifest: dict[str, Any], artifacts: Path) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Return what each image is, and its latent followed by its class weights, float32 [N, z_dim + classes]."""
    model, truncation = manifest["model"], manifest["sampler"]["truncation"]
    one_hot = np.eye(model["num_classes"], dtype=np.float32)
    if model["class"] is not None:
        one_hot = one_hot[:, :0]
    images: list[dict[str, Any]] = []
    rows: list[np.ndarray] = []

    def draw(seed: int, index: int, factor: float) -> None:
        latent = truncated_normal(np.array([seed], np.uint64), model["z_dim"], factor)[0]
        images.append({"seed": str(seed), "class": index, "truncation": factor})
        rows.append(np.concatenate([latent, one_hot[index]]))

    classes = [int(index) for index in model["classes"]][:_CLASSES]
    golden = load_golden(artifacts / manifest["golden"]["file"])
    for seed, index in zip(golden.seeds, golden.y, strict=True):
        draw(int(seed), int(index), truncation)
    for first_seed, factor in GRIDS:
        for index in classes:
            for seed in consecutive_seeds(first_seed, GRID_IMAGES):
                draw(int(seed), index, factor or truncation)
    for seed in range(BENCHMARK_ROUNDS):
        draw(seed, classes[seed % len(classes)], truncation)
    more_images, more_rows = _blends_and_loop(model["z_dim"], truncation, classes, one_hot)
    images += more_images
    rows += more_rows
    start, end = truncated_normal(np.array(MORPH_SEEDS, np.uint64), model["z_dim"], truncation)
    for pair in MORPH_CLASSES:
        first, last = (one_hot[classes[place % len(classes)]] for place in pair)
        for latent_step, class_step in itertools.product(MORPH_STEPS, repeat=2):
            images.append({"latent_step": latent_step, "class_step": class_step})
            parts = (_between(start, end, latent_step), _between(first, last, class_step))
            rows.append(np.concatenate(parts))
    return images, np.stack(rows)


def _blends_and_loop(
    z_dim: int, truncation: float, classes: list[int], one_hot: np.ndarray
) -> tuple[list[dict[str, Any]], list[np.ndarray]]:
    """Return what the tests blend, and the images of a recorded loop: what each is, and its inputs."""
    images: list[dict[str, Any]] = []
    rows: list[np.ndarray] = []
    latents = truncated_normal(np.arange(1, 1 + LOOP_STATIONS, dtype=np.uint64), z_dim, truncation)
    for weights in BLENDS:
        chosen = {classes[place % len(classes)]: np.float32(weight) for place, weight in weights.items()}
        images.append({"seed": "1", "blend": {str(index): float(weight) for index, weight in chosen.items()}})
        blend = np.zeros_like(one_hot[0])
        if blend.size:
            blend[list(chosen)] = list(chosen.values())
        rows.append(np.concatenate([latents[0], blend]))
    stations = _stations(1, classes)
    for index in range(LOOP_STATIONS * LOOP_STEPS):
        here, step = divmod(index, LOOP_STEPS)
        there, position = (here + 1) % LOOP_STATIONS, step / LOOP_STEPS
        images.append({"loop": index})
        z = _between(latents[here], latents[there], position)
        rows.append(np.concatenate([z, _between(one_hot[stations[here]], one_hot[stations[there]], position)]))
    return images, rows


def _stations(seed: int, classes: list[int]) -> list[int]:
    """Return the classes of an endless morph's first stations, as core/EndlessMorph.kt walks."""
    words = random_words(np.array([seed ^ _MORPH_STREAM], np.uint64), 2)[0]
    stride = 1 + int(words[0]) % (len(classes) - 1) if len(classes) > 1 else 0
    start = int(words[1] if len(classes) > 1 else words[0]) % len(classes)
    return [classes[(start + stride * k) % len(classes)] for k in range(LOOP_STATIONS)]


def _between(start: np.ndarray, end: np.ndarray, position: float) -> np.ndarray:
    """Return a point of the line as the app computes it, in float32."""
    weight = np.float32(position)
    return (np.float32(1) - weight) * start + weight * end


if __name__ == "__main__":
    record(Path(sys.argv[1]), Path(sys.argv[2]))
