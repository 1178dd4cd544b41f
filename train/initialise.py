"""Starts a run from somebody's weights instead of random ones; classes are found again by their names."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from train.checkpoint import DISCRIMINATOR_FILE, TEACHER_FOLDER
from train.classes import class_names, first_synonym, spellings
from train.errors import UserError, listed
from train.files import check_state_dict, load_torch_file, read_tensors
from train.snapshot import STUDENT_FILE, read_info

_CLASS_DIMENSION = {
    "class_embedding.weight": 0,
    "class_embedding.parametrizations.weight.original": 0,
    "class_embedding.parametrizations.weight.0._u": 0,
    "class_features": 0,
    "model.embeddings.weight": 1,
}
"""Tensors that have a row for each class, and the dimension along which."""


def initialise(
    generator: nn.Module, discriminator: nn.Module, source: str, names: Sequence[str], classes: Sequence[int]
) -> str:
    """Load the weights at `source` into both networks, those of classes that both know by their names.

    Rows of other classes stay as they are. Where neither side has names of its own, numbers count.

    Args:
        generator: a student or a BigGAN in training.
        discriminator: keeps its weights where `source` has none.
        source: the folder of a run, an imported one too; a snapshot of one (.safetensors); or a BigGAN's folder in
            the library's format.
        names: of every class index of the networks.
        classes: those that will be trained.

    Returns:
        What was kept and what is new, in one line.

    Raises:
        UserError: nothing readable is there, or it is of another architecture or size.
    """
    path, critic = _files(Path(source))
    tensors, stored_names = _read_generator(path)
    rows = _matching(stored_names, names)
    whole = all(rows.get(index) == index for index in stored_names)
    load = functools.partial(_load, rows=rows, whole=whole)
    load(
        generator, tensors, path=path, remedy="--generator.channels and the like as there, or another --initialise"
    )
    parts = [f"{len(tensors)} tensors of the generator"]
    if critic is None:
        parts.append("a discriminator that starts anew")
    else:
        tensors, _ = read_tensors(critic, "discriminator", "give --initialise a file")
        remedy = f"--discriminator.kind and the like as there, or start with a fresh one: --initialise {path}"
        load(discriminator, tensors, path=critic, remedy=remedy)
        parts.append(f"{len(tensors)} of its discriminator")
    new = [first_synonym(names[index]) for index in classes if index not in rows]
    known = f"{len(classes) - len(new)} of {len(classes)} classes keep their rows"
    known += f", new: {listed(new)}" if new else ""
    return f"starts from {source}: {', '.join(parts)}; {known}; the optimizers begin anew"


def _files(path: Path) -> tuple[Path, Path | None]:
    """Return where the weights of the generator are, and those of the discriminator if there are some."""
    if not path.is_dir():
        return path, None
    from train.biggan import WEIGHTS_FILE

    of_run = [path / STUDENT_FILE, path / TEACHER_FOLDER / WEIGHTS_FILE]
    found = next((file for file in of_run if file.is_file()), path / WEIGHTS_FILE)
    critic = path / DISCRIMINATOR_FILE
    return found, critic if found in of_run and critic.is_file() else None


def _read_generator(path: Path) -> tuple[dict[str, torch.Tensor], dict[int, str]]:
    """Return weights by the names of our networks, and what their classes are called."""
    if path.suffix == ".bin":
        stored = load_torch_file(path, "BigGAN weights file")
        tensors = {f"model.{name}": tensor for name, tensor in stored.items()}
        table = tensors.get("model.embeddings.weight")
        count = 0 if table is None else table.shape[-1]
        return tensors, dict(enumerate(class_names(count)))
    tensors, metadata = read_tensors(path, "snapshot to start from", "give --initialise another file or folder")
    return tensors, read_info(metadata, path).classes


def _matching(stored: Mapping[int, str], names: Sequence[str]) -> dict[int, int]:
    """Return index of a class → its index in what was stored, for those that are there."""
    if _unnamed(stored) and _unnamed(dict(enumerate(names))):
        return {index: index for index in stored if index < len(names)}
    owners: dict[str, list[int]] = {}
    for index, name in stored.items():
        owners.setdefault(spellings(name)[0], []).append(index)
    found = {index: owners.get(spellings(name)[0], []) for index, name in enumerate(names)}
    # Two of ImageNet's are called "crane".
    return {index: index if index in same else same[0] for index, same in found.items() if same}


def _unnamed(names: Mapping[int, str]) -> bool:
    return all(name in (str(index), f"class {index}") for index, name in names.items())


def _load(
    module: nn.Module,
    tensors: Mapping[str, torch.Tensor],
    *,
    rows: Mapping[int, int],
    whole: bool,
    path: Path,
    remedy: str,
) -> None:
    """Load tensors, of classes the `rows` alone; all of them where those are all and stay in place (`whole`)."""
    own = module.state_dict()
    fitted = {
        name: tensor.to(torch.float32) if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }
    for name, dimension in _CLASS_DIMENSION.items():
        if name in own and name in fitted and not (whole and own[name].shape == fitted[name].shape):
            fitted[name] = _with_rows(own[name], fitted[name], rows, dimension)
    try:
        check_state_dict(fitted, module, path)
    except UserError as error:
        raise UserError(f"{error}; pass {remedy}") from None
    module.load_state_dict(fitted)


def _with_rows(own: torch.Tensor, stored: torch.Tensor, rows: Mapping[int, int], dimension: int) -> torch.Tensor:
    """Return `own` with the rows that `stored` has; `stored` itself where such rows are of other lengths."""
    if own.dim() != stored.dim() or own.select(dimension, 0).shape != stored.select(dimension, 0).shape:
        return stored
    to, of = (torch.tensor(indices, dtype=torch.int64) for indices in (list(rows), list(rows.values())))
    return own.clone().index_copy_(dimension, to, stored.index_select(dimension, of))
