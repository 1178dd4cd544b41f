"""Fixtures that the Kotlin and the Swift tests read, from the Python that they must agree with.

    python -m deploy.fixtures

Both apps get the same bytes. Floats that must agree bit for bit are eight hexadecimal digits, the bits of a
float32, highest first; seeds are decimal strings, because no JSON reader is bound to keep 64 bits.
"""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deploy.fixture_bundle import bundle
from deploy.fixture_manifests import good_manifest, manifest_errors, one_class_manifest
from deploy.floors import GOLDEN_FLOOR
from deploy.manifest_fields import PIXEL_RULE
from deploy.package_files import content_hash
from train.files import write_atomically
from train.images import to_bytes
from train.noise import SAMPLER, SAMPLERS, consecutive_seeds, draw_latents, truncated_normal

_HERE = Path(__file__).parent
FOLDERS = (
    _HERE / "android" / "core" / "src" / "test" / "resources",
    _HERE / "ios" / "Tests" / "TinyGANCoreTests" / "Fixtures",
)

_LAST_SEED = 2**64 - 1
_SEEDS = (0, 1, 42, 20_201_130, 2**53 + 1, 2**63 - 1, 2**63, _LAST_SEED)
_TRUNCATIONS = (1.0, 0.5, 0.3, 0.04)


def fixtures() -> dict[str, str]:
    """Return file name → text of every fixture."""
    contents = {
        "noise.json": noise(),
        "pixels.json": pixels(),
        "statistics.json": statistics(),
        "morph.json": morph(),
        "psnr.json": psnr(),
        "sha256.json": hashes(),
        "manifest_good.json": good_manifest(),
        "manifest_one_class.json": one_class_manifest(),
        "manifest_errors.json": manifest_errors(),
        "bundle.json": bundle(),
    }
    return {name: _as_text(content) for name, content in contents.items()}


def write_fixtures(folders: Sequence[Path] = FOLDERS) -> None:
    """Write every fixture into every folder."""
    for name, text in fixtures().items():
        for folder in folders:
            write_atomically(folder / name, lambda temporary, text=text: temporary.write_text(text, "utf-8"))


def noise() -> dict[str, Any]:
    """Return latents by seed and truncation, runs of consecutive seeds, and latents of every law."""
    cases = [(seed, 1.0, 128) for seed in _SEEDS] + [(42, truncation, 33) for truncation in _TRUNCATIONS[1:]]
    vectors = [
        {
            "seed": str(seed),
            "truncation": truncation,
            "z_dim": z_dim,
            "bits": _bits(truncated_normal(np.array([seed], np.uint64), z_dim, truncation)),
        }
        for seed, truncation, z_dim in cases
    ]
    runs = [
        {"first": str(first), "seeds": [str(seed) for seed in consecutive_seeds(first, count)]}
        for first, count in ((0, 1), (7, 4), (2**63 - 2, 4), (_LAST_SEED - 1, 4))
    ]
    laws = [{"sampler": sampler, "vectors": _vectors_of(sampler)} for sampler in SAMPLERS.values()]
    return {"sampler": SAMPLER, "vectors": vectors, "consecutive": runs, "laws": laws}


def _vectors_of(sampler: str) -> list[dict[str, Any]]:
    """Return latents of a few seeds by one law; those of the normal reach into its tails."""
    cases = [(0, 1.0, 128), (42, 0.3, 33), (_LAST_SEED, 0.5, 64)]
    return [
        {
            "seed": str(seed),
            "truncation": truncation,
            "z_dim": z_dim,
            "bits": _bits(draw_latents(sampler, np.array([seed], np.uint64), z_dim, truncation)),
        }
        for seed, truncation, z_dim in cases
    ]


def pixels() -> dict[str, Any]:
    """Return values with their bytes, and one image in both layouts with its bytes row by row."""
    borders = (np.array([0, 1, 64, 127, 128, 129, 200, 254, 255, 256]) - 128) / 127.5
    near = [np.nextafter(np.float32(border), np.float32(side)) for border in borders for side in (-2, 2)]
    special = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1.5, -1.5, 1e30, -1e30, 1e-45, 0.25, -0.75]
    values = np.array([*special, *borders, *near], np.float32)
    odd_nan = np.array([0xFFC00001], np.uint32).view(np.float32)
    values = np.concatenate([values, odd_nan])
    levels = to_bytes(torch.from_numpy(values)[None, None, None])[0, 0, :, 0]
    image = truncated_normal(np.array([3], np.uint64), 3 * 4 * 5, 0.6).reshape(1, 3, 4, 5)
    rgb = to_bytes(torch.from_numpy(image)).reshape(-1).tolist()
    layouts = {"NCHW": image, "NHWC": np.ascontiguousarray(image.transpose(0, 2, 3, 1))}
    return {
        "rule": PIXEL_RULE,
        "values": [{"bits": b, "byte": int(byte)} for b, byte in zip(_bits(values), levels, strict=True)],
        "images": [
            {"layout": name, "shape": list(array.shape), "bits": _bits(array), "rgb": rgb}
            for name, array in layouts.items()
        ],
    }


def statistics() -> dict[str, Any]:
    """Return samples with their summaries; percentiles interpolate linearly between ranks, as numpy's do."""
    random = truncated_normal(np.array([11], np.uint64), 101, 1.0)[0].astype(np.float64)
    cases = (
        [4.0],
        [2.0, 1.0],
        [3.0, 1.0, 2.0],
        [5.0, 5.0, 5.0, 5.0],
        [10.0, 0.5, 2.25, 8.0, 1e6, 3.125, 0.0],
        [float(value) for value in np.round(12 + 3 * random, 3)],
    )
    return {
        "rule": "rank = q (n - 1), linear between the two sorted samples around it",
        "relative_tolerance": 1e-12,
        "cases": [
            {
                "samples": samples,
                "p50": float(np.percentile(samples, 50)),
                "p90": float(np.percentile(samples, 90)),
                "mean": float(np.mean(samples)),
                "min": min(samples),
                "max": max(samples),
                "n": len(samples),
            }
            for samples in cases
        ],
    }


def morph() -> dict[str, Any]:
    """Return walks between two latents and between two classes, float32 bits."""
    seeds = np.array([5, 6], np.uint64)
    start, end = truncated_normal(seeds, 16, 0.5)
    one_hot = np.eye(6, dtype=np.float32)
    weights = (0.0, 0.1, 0.25, 1 / 3, 0.5, 0.9, 1.0)

    def steps(a: np.ndarray, b: np.ndarray) -> list[dict[str, Any]]:
        return [{"t": t, "bits": _bits(_walk(a, b, t))} for t in weights]

    return {
        "rule": "(1 - t) * start + t * end in float32, t rounded to float32 first",
        "latents": {"seeds": [str(s) for s in seeds], "z_dim": 16, "truncation": 0.5, "steps": steps(start, end)},
        "classes": {"num_classes": 6, "start": 1, "end": 4, "steps": steps(one_hot[1], one_hot[4])},
    }


def psnr() -> dict[str, Any]:
    """Return pairs of images as bytes with their PSNR in dB (null: identical) and the golden check's verdict."""
    base = to_bytes(torch.from_numpy(truncated_normal(np.array([9], np.uint64), 48, 0.6).reshape(1, 3, 4, 4)))
    base = base.reshape(-1).astype(np.int64)
    signs = np.where(np.arange(48) % 2, 1, -1)
    inside = np.clip(base, 20, 235)
    pairs = [
        (base, base),
        (inside, inside + signs * (np.arange(48) == 7)),
        (inside, inside + 8 * signs),  # 30.07 dB
        (inside, inside + 9 * signs),  # 29.05 dB
        (np.zeros(48, np.int64), np.full(48, 255)),
    ]
    cases = []
    for a, b in pairs:
        error = float(np.mean((a - b) ** 2.0))
        decibels = None if error == 0 else float(10 * np.log10(255.0**2 / error))
        accepted = decibels is None or decibels >= GOLDEN_FLOOR
        cases.append({"a": a.tolist(), "b": b.tolist(), "psnr": decibels, "accepted": accepted})
    return {
        "rule": "10 log10(255^2 / mean squared difference of the bytes)",
        "tolerance": 1e-9,
        "floor": GOLDEN_FLOOR,
        "cases": cases,
    }


def hashes() -> dict[str, Any]:
    """Return SHA-256 of byte strings, and of folders as `deploy.package_files.content_hash` sees them."""
    texts = [b"", b"abc", bytes(range(256)), *(b"a" * count for count in (55, 56, 63, 64, 65, 119, 120, 1000))]
    folders = [
        {"Manifest.json": "{}", "Data/com.apple.CoreML/weights/weight.bin": "w", "Data/model.mlmodel": "m"},
        {"a/b": "1", "a.txt": "2", "a/B": "3", "ä": "4"},
    ]
    return {
        "files": [{"hex": text.hex(), "sha256": hashlib.sha256(text).hexdigest()} for text in texts],
        "folders": [{"files": files, "sha256": _folder_hash(files)} for files in folders],
    }


def _folder_hash(files: dict[str, str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        return content_hash(Path(folder))


def _walk(start: np.ndarray, end: np.ndarray, t: float) -> np.ndarray:
    weight = np.float32(t)
    return (np.float32(1) - weight) * start + weight * end


def _bits(values: np.ndarray) -> list[str]:
    """Return the bits of float32 values in their order."""
    return [f"{word:08x}" for word in np.ascontiguousarray(values, np.float32).view(np.uint32).ravel()]


def _as_text(content: Any) -> str:
    """Return indented JSON in which lists of plain values stay on one line."""
    return _lines(content, "") + "\n"


def _lines(value: Any, indent: str) -> str:
    inner = indent + " "
    if isinstance(value, dict) and value:
        items = [f"{inner}{json.dumps(k, ensure_ascii=False)}: {_lines(v, inner)}" for k, v in value.items()]
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        return "[\n" + ",\n".join(inner + _lines(item, inner) for item in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


if __name__ == "__main__":
    write_fixtures()
    print(*(f"{folder} is current" for folder in FOLDERS), sep="\n")
