"""Turn a checkpoint of the authors' code (TinyGAN-dw, `model_30.tar`) into a run folder of this project.

    python train/import_official.py model_30.tar runs/official

It holds `student.safetensors`, `discriminator.safetensors` when the checkpoint has a discriminator, and
`config.json`, which says what was imported. The optimizers' states are left behind. To train it on, or to tune it
to other classes: `python train/main.py paper-dw32 --initialise runs/official`.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import tyro
from torch import nn

from train.classes import class_names, parse_classes
from train.cli import parse, run_script
from train.discriminator import Discriminator
from train.errors import UserError
from train.files import load_torch_file, save_tensors, write_folder_atomically, write_json
from train.generator import Generator, GeneratorConfig
from train.locks import locked
from train.photo_sets import visible
from train.snapshot import SnapshotInfo, save_snapshot

DISCRIMINATOR_FORMAT = "tinygan-edge-discriminator-1"
_TRUNCATION = 0.5  # of the BigGAN samples that the released code trains on
_IMAGE_SIZE = 128
_BLOCKS = 5  # their widths double at every block, ours stop at 16 × channels: the same at 128 px alone

# Parts of our names and what they are in theirs, replaced in this order.
_GENERATOR_NAMES = (
    (r"^class_embedding", "embeding"),
    (r"^input_linear", "fc"),
    (r"^output_norm", "bn"),
    (r"^to_rgb", "colorize"),
    (r"conv([12])\.depthwise", r"dw_conv\1"),
    (r"conv([12])\.pointwise", r"pw_conv\1"),
    (r"shortcut", "c_sc"),
    (r"norm1\.", "cbn0."),
    (r"norm2\.", "cbn1."),
    (r"\.norm\.", ".bn."),
    (r"gain_bias", "embed"),
)
_DISCRIMINATOR_NAMES = (
    (r"^class_embedding", "embeding"),
    (r"^linear", "fc_src"),
    (r"parametrizations\.weight\.original", "weight_orig"),
    (r"parametrizations\.weight\.0\.", "weight"),
)


@dataclasses.dataclass(frozen=True)
class ImportConfig:
    """What to import, and where to."""

    checkpoint: tyro.conf.Positional[Path]
    """The authors' file: torch.save of {'G', 'D', 'g_optimizer', 'd_optimizer'}; only G is needed."""
    out_dir: tyro.conf.Positional[Path]
    """The run folder to make."""
    classes: str = "0-397"
    """The classes that it was trained on; the paper's animals are 0-397."""


def main(arguments: list[str]) -> None:
    """Run the script on `arguments`."""
    config = parse(ImportConfig, arguments, "Import a checkpoint of the authors' TinyGAN code.")
    path = config.checkpoint
    content = load_torch_file(path, "checkpoint of the authors' code")
    generator = _read_generator(_read_weights(content, "G", path), path)
    critic = _read_discriminator(_read_weights(content, "D", path), path) if "D" in content else None
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    num_classes = generator.config.num_classes
    names = class_names(num_classes)
    info = SnapshotInfo(
        generator=generator.config,
        classes={index: names[index] for index in parse_classes(config.classes, num_classes)},
        truncation=_TRUNCATION,
        source=f"imported from {path.name}, sha256 {digest}",
    )
    record = {
        "imported_from": path.name,
        "sha256": digest,
        "classes": config.classes,
        "truncation": _TRUNCATION,
        "generator": generator.config.record(),
        "discriminator": critic[0] if critic else None,
    }

    def write(folder: Path) -> None:
        save_snapshot(folder / "student.safetensors", generator, info)
        if critic is not None:
            shape, weights = critic
            metadata = {"format": DISCRIMINATOR_FORMAT, "info": json.dumps(shape)}
            save_tensors(folder / "discriminator.safetensors", weights, metadata)
        write_json(folder / "config.json", record)

    place = config.out_dir.resolve()
    with locked(place.parent, f"imports into {config.out_dir}", name=f".{place.name}.lock"):
        if _is_finished(config.out_dir, record):
            print(f"{config.out_dir} already holds this import of {path.name}")
            return
        write_folder_atomically(place, write)
    parameters = sum(parameter.numel() for parameter in generator.parameters())
    print(
        f"wrote {config.out_dir}: TinyGAN-dw, {generator.config.channels} channels, {parameters:,} parameters, "
        f"{len(info.classes)} classes, {'with' if critic else 'without'} a discriminator"
    )


def _read_weights(content: Mapping[str, Any], part: str, path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of one network, without the prefix that DataParallel gives their names."""
    weights = content.get(part)
    if not isinstance(weights, Mapping) or not weights:
        found = ", ".join(repr(key) for key in list(content)[:4]) or "nothing"
        raise UserError(f"{path} has no weights under {part!r}; the authors' files hold G and D, this one {found}")
    for name, tensor in weights.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise UserError(f"{path}: {part}[{name!r}] is a {type(tensor).__name__}, not a tensor")
        if not tensor.isfinite().all():
            raise UserError(f"{path}: {part}[{name!r}] holds NaN or infinite values; take another checkpoint")
    if all(name.startswith("module.") for name in weights):
        return {name.removeprefix("module."): tensor for name, tensor in weights.items()}
    return dict(weights)


def _read_generator(weights: Mapping[str, torch.Tensor], path: Path) -> Generator:
    if not any(".dw_conv1." in name for name in weights):
        raise UserError(f"{path}: G has no depthwise convolutions (dw_conv1); only TinyGAN-dw can be imported")
    _check_count(weights, r"blocks\.(\d+)\.", "G", "blocks", path)
    classes, embedding_dim = _matrix_shape(weights, "embeding.weight", "G", path)
    config = GeneratorConfig(
        architecture="dw",
        channels=_matrix_shape(weights, "colorize.weight", "G", path)[1],
        image_size=_IMAGE_SIZE,
        num_classes=classes,
        z_dim=_matrix_shape(weights, "fc.weight", "G", path)[1],
        class_embedding_dim=embedding_dim,
    )
    with torch.device("meta"):  # shapes alone, until the file is known to fit them
        generator = Generator(config)
    renamed = _rename(weights, generator, _generator_name, "G", path)
    generator.load_state_dict(renamed, assign=True)
    return generator.eval()


def _read_discriminator(
    weights: Mapping[str, torch.Tensor], path: Path
) -> tuple[dict[str, int], dict[str, torch.Tensor]]:
    """Return what `Discriminator` is made of, and its weights under our names."""
    _check_count(weights, r"layers\.(\d+)\.", "D", "convolutions", path)
    shape = {
        "channels": _matrix_shape(weights, "layers.0.weight_orig", "D", path)[0],
        "image_size": _IMAGE_SIZE,
        "num_classes": _matrix_shape(weights, "embeding.weight_orig", "D", path)[0],
    }
    with torch.device("meta"):
        discriminator = Discriminator(**shape)
    return shape, _rename(weights, discriminator, _discriminator_name, "D", path)


def _check_count(weights: Mapping[str, torch.Tensor], pattern: str, part: str, what: str, path: Path) -> None:
    count = len({match[1] for match in (re.match(pattern, name) for name in weights) if match})
    if count != _BLOCKS:
        raise UserError(
            f"{path}: {part} has {count} {what}; only {_BLOCKS}, for {_IMAGE_SIZE} × {_IMAGE_SIZE} pixels, "
            "have the same layout here"
        )


def _matrix_shape(weights: Mapping[str, torch.Tensor], name: str, part: str, path: Path) -> tuple[int, int]:
    """Return the first two sizes of the weight called `name`."""
    if name not in weights:
        raise UserError(f"{path}: {part} misses {name}; it is no whole checkpoint of the authors' code")
    if weights[name].ndim < 2:
        raise UserError(f"{path}: {part}'s {name} is {list(weights[name].shape)}, which is no matrix or kernel")
    return weights[name].shape[0], weights[name].shape[1]


def _generator_name(name: str) -> str:
    for pattern, theirs in _GENERATOR_NAMES:
        name = re.sub(pattern, theirs, name)
    return name


def _discriminator_name(name: str) -> str:
    for pattern, theirs in _DISCRIMINATOR_NAMES:
        name = re.sub(pattern, theirs, name)
    return re.sub(r"^convs\.(\d+)", lambda match: f"layers.{2 * int(match[1])}", name)  # LeakyReLUs count too


def _rename(
    weights: Mapping[str, torch.Tensor], module: nn.Module, their_name: Callable[[str], str], part: str, path: Path
) -> dict[str, torch.Tensor]:
    """Return `weights` under the names of `module`, in its types, once names, shapes and kinds all agree."""
    expected = module.state_dict()
    theirs = {name: their_name(name) for name in expected}
    missing = sorted(set(theirs.values()) - weights.keys())
    unknown = sorted(weights.keys() - set(theirs.values()))
    problems = [f"misses {_some(missing)}"] if missing else []
    problems += [f"has the unknown {_some(unknown)}"] if unknown else []
    if problems:
        raise UserError(f"{path}: {part} {' and '.join(problems)}; it is no TinyGAN-dw of the authors' code")
    for name, tensor in expected.items():
        found = weights[theirs[name]]
        if found.shape != tensor.shape:
            raise UserError(
                f"{path}: {part}'s {theirs[name]} is {list(found.shape)}, but its other weights ask for "
                f"{list(tensor.shape)}"
            )
        if found.is_floating_point() != tensor.is_floating_point():
            raise UserError(f"{path}: {part}'s {theirs[name]} is {found.dtype}, not {tensor.dtype}")
    return {name: weights[theirs[name]].to(tensor.dtype).contiguous() for name, tensor in expected.items()}


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _is_finished(folder: Path, record: Mapping[str, Any]) -> bool:
    """Tell whether `folder` already holds this very import.

    Raises:
        UserError: it holds something else.
    """
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise UserError(f"{folder} is a file; name a new folder for the import")
    if not visible(folder):
        return False
    try:
        if json.loads((folder / "config.json").read_text(encoding="utf-8")) == record:
            return True
    except (OSError, ValueError):
        pass
    raise UserError(f"{folder} already holds something else; name a new folder or remove it")


if __name__ == "__main__":
    run_script(main)
