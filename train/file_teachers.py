"""Generators in files of other libraries as teachers: ONNX, TensorFlow's SavedModel, and folders on a hub.

What a file does not say follows its path like an address's query:

    onnx:net.onnx?latents=normal&names=ant,bee,cat
    saved_model:FOLDER?latents=truncated-normal&classes=1000&z=noise&y=label&truncation=0.5

`latents` is the law, `names` or a file of lines `names=FILE.txt` are the classes, else `classes` is their number
(a one-hot input says it too); `z` and `y` name the inputs where types and shapes do not tell them apart.
"""

import dataclasses
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import torch
import torch.nn.functional as F

from train.commands import to_install
from train.errors import UserError, did_you_mean, first_line
from train.files import file_hash
from train.function_teacher import Description, Draw, FunctionTeacher
from train.naming import read_lines
from train.noise import SAMPLERS

_KEYS = ("latents", "names", "classes", "truncation", "z_dim", "z", "y")


@dataclasses.dataclass(frozen=True)
class Input:
    """An input of a file, as its library states it."""

    name: str
    shape: tuple[int | None, ...]
    """None where the file leaves a length open."""
    is_integer: bool


def open_onnx(spec: str, truncation: float | None) -> FunctionTeacher:
    """Open `FILE?query` with onnxruntime, on the CPU.

    Raises:
        UserError: no onnxruntime, a damaged file, inputs that cannot be told apart, or as `FunctionTeacher`.
    """
    path, query = _parse("onnx", spec)
    if not path.is_file():
        raise UserError(f"no ONNX file {path}")
    try:
        import onnxruntime  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UserError(f"onnx: teachers need onnxruntime: {to_install('onnx')}") from None
    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors; what it warns of is no matter of ours
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own kinds, which are no subclasses of anything narrower
        raise UserError(f"{path} is no readable ONNX file ({first_line(error)})") from None
    types = {node.name: node.type for node in session.get_inputs()}
    inputs = [
        Input(node.name, tuple(n if isinstance(n, int) else None for n in node.shape), "int" in node.type)
        for node in session.get_inputs()
    ]
    z_input, y_input = _tell_apart(inputs, query, f"onnx:{path}")

    def draw(z: torch.Tensor, y: torch.Tensor) -> np.ndarray:
        condition = _condition(y, y_input, _number_of_classes(query, y_input, str(path)))
        narrow = np.int32 if types[y_input.name] == "tensor(int32)" else None
        fed = {z_input.name: z.numpy(), y_input.name: condition.astype(narrow) if narrow else condition}
        return _channels_first(_in_batches(fed, z_input, lambda part: session.run(None, part)[0]))

    hashed = [path, *(file for file in [Path(f"{path}.data")] if file.is_file())]  # weights of large models
    return _teacher(
        path, query, truncation, z_input=z_input, y_input=y_input, draw=draw, fingerprint=file_hash(*hashed)
    )


def open_saved_model(spec: str, truncation: float | None) -> FunctionTeacher:
    """Open the first serving signature of the SavedModel in `FOLDER?query` with TensorFlow.

    TensorFlow and coremltools crash each other in one process; no process that trains or collects converts.

    Raises:
        UserError: no TensorFlow, a damaged folder, inputs that cannot be told apart, or as `FunctionTeacher`.
    """
    path, query = _parse("saved_model", spec)
    if not (path / "saved_model.pb").is_file():
        raise UserError(f"no saved_model.pb in {path}; give the folder of a SavedModel")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # of TensorFlow's C++: errors alone
    try:
        import tensorflow  # pyright: ignore[reportMissingImports, reportMissingModuleSource]
    except ImportError:
        raise UserError(f"saved_model: teachers need TensorFlow: {to_install('tensorflow')}") from None
    try:
        model = tensorflow.saved_model.load(str(path))
    except Exception as error:  # of many kinds
        raise UserError(f"{path} is no readable SavedModel ({first_line(error)})") from None
    signatures: Any = model.signatures
    if not signatures:
        raise UserError(f"{path} has no serving signature; store it with signatures={{'serving_default': …}}")
    function = signatures["serving_default" if "serving_default" in signatures else next(iter(signatures))]
    specs = function.structured_input_signature[1]
    inputs = [
        Input(name, tuple(tensor.shape.as_list() if tensor.shape.rank else ()), tensor.dtype.is_integer)
        for name, tensor in specs.items()
    ]
    z_input, y_input = _tell_apart([one for one in inputs if one.shape], query, f"saved_model:{path}")
    factors = [one.name for one in inputs if not one.shape and not one.is_integer]  # BigGAN's takes the truncation
    factor = _truncation(query, truncation)

    def draw(z: torch.Tensor, y: torch.Tensor) -> np.ndarray:
        condition = _condition(y, y_input, _number_of_classes(query, y_input, str(path)))
        fed = {z_input.name: z.numpy(), y_input.name: condition}

        def run(part: dict[str, np.ndarray]) -> np.ndarray:
            tensors = {name: tensorflow.constant(array, specs[name].dtype) for name, array in part.items()}
            scalars = {name: tensorflow.constant(factor, specs[name].dtype) for name in factors}
            return next(iter(function(**tensors, **scalars).values())).numpy()

        return _channels_first(_in_batches(fed, z_input, run))

    # What a desktop leaves in the folder makes no other teacher of it.
    files = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    return _teacher(
        path, query, truncation, z_input=z_input, y_input=y_input, draw=draw, fingerprint=file_hash(*files)
    )


def hub_files(repository: str) -> tuple[Path, Path]:
    """Return (weights, config) of a folder in pytorch-pretrained-biggan's format on the Hugging Face hub.

    They are downloaded into the hub's cache, once; the hash of the weights is printed.

    Raises:
        UserError: no huggingface_hub, no such repository, or the hub cannot be reached.
    """
    from train.biggan import CONFIG_FILE, WEIGHTS_FILE

    if repository.count("/") != 1:
        raise UserError(f"hub:{repository} is no repository; give hub:OWNER/NAME")
    try:
        import huggingface_hub
    except ImportError:
        raise UserError(f"hub: teachers need huggingface_hub: {to_install('hub')}") from None
    try:
        files = [Path(huggingface_hub.hf_hub_download(repository, name)) for name in (WEIGHTS_FILE, CONFIG_FILE)]
    except Exception as error:  # of the library, of its transport, and of this machine
        raise UserError(
            f"hub:{repository} cannot be had ({type(error).__name__}: {first_line(error)}); check the name and "
            f"the network, or put {CONFIG_FILE} and {WEIGHTS_FILE} into a folder and pass it as the teacher"
        ) from None
    print(f"hub:{repository}: {WEIGHTS_FILE} has the SHA-256 {file_hash(files[0])}", flush=True)
    return files[0], files[1]


def _parse(kind: str, spec: str) -> tuple[Path, dict[str, str]]:
    path, _, text = spec.partition("?")
    query = dict(parse_qsl(text, keep_blank_values=True))
    for key in query:
        if key not in _KEYS:
            raise UserError(f"{kind}:{spec}: no {key!r}{did_you_mean(key, _KEYS)}; there are {', '.join(_KEYS)}")
    if "latents" not in query:
        raise UserError(
            f"{kind}:{path} does not say the law of its latents; add '?latents=' and {', '.join(SAMPLERS)}"
        )
    for key in ("classes", "z_dim"):
        if key in query and not query[key].isdecimal():
            raise UserError(f"{kind}:{spec}: {key}={query[key]!r} is no whole number")
    return Path(path), query


def _tell_apart(inputs: list[Input], query: dict[str, str], spec: str) -> tuple[Input, Input]:
    """Return the inputs of latents and classes: the integers, or the one named y, are the classes."""
    by_name = {one.name: one for one in inputs}
    for key in ("z", "y"):
        if key in query and query[key] not in by_name:
            raise UserError(
                f"{spec} has no input {query[key]!r}{did_you_mean(query[key], by_name)}; it has {_list(inputs)}"
            )
    if len(inputs) != 2:
        raise UserError(f"{spec} has the inputs {_list(inputs)}; a teacher takes latents and classes alone")
    integers = [one for one in inputs if one.is_integer]
    if "y" in query:
        y = by_name[query["y"]]
    elif "z" in query:
        y = next(one for one in inputs if one.name != query["z"])
    elif len(integers) == 1:
        y = integers[0]
    elif "y" in by_name:
        y = by_name["y"]
    else:
        raise UserError(f"{spec}: which of {_list(inputs)} takes the classes? add y=NAME")
    z = next(one for one in inputs if one is not y)
    if z.is_integer:
        raise UserError(
            f"{spec}: the latents' input {z.name} takes integers; name the inputs with z=NAME and y=NAME"
        )
    return z, y


def _number_of_classes(query: dict[str, str], y_input: Input, spec: str) -> int:
    if names := _names(query):
        return len(names)
    if "classes" in query:
        return int(query["classes"])
    if len(y_input.shape) == 2 and (y_input.shape[1] or 0) > 1:
        return int(y_input.shape[1] or 0)
    raise UserError(f"{spec} leaves the number of its classes open; add names=… or classes=…")


def _names(query: dict[str, str]) -> list[str]:
    text = query.get("names", "")
    if text.endswith(".txt"):
        path = Path(text)
        if not path.is_file():
            raise UserError(f"no file of names {path}; it has one name a line")
        return [line.strip() for line in read_lines(path, "names") if line.strip()]
    return [name.strip() for name in text.split(",")] if text else []


def _truncation(query: dict[str, str], stated: float | None) -> float:
    if stated is not None:
        return stated
    try:
        return float(query.get("truncation", 1.0))
    except ValueError:
        raise UserError(f"truncation={query['truncation']!r} is no number") from None


def _condition(y: torch.Tensor, y_input: Input, num_classes: int) -> np.ndarray:
    """Return the class input: int64 [N] or [N, 1] where it takes integers, else one-hot [N, num_classes]."""
    if y_input.is_integer and (len(y_input.shape) < 2 or y_input.shape[1] == 1):
        return y.numpy().reshape(-1, *(1 for _ in y_input.shape[1:]))
    one_hot = F.one_hot(y, num_classes).numpy()
    return one_hot if y_input.is_integer else one_hot.astype(np.float32)


def _in_batches(fed: dict[str, np.ndarray], z_input: Input, run: Any) -> np.ndarray:
    """Run a file whose batch may be fixed; parts that are too short are filled up, and the filling is dropped."""
    count, batch = len(fed[z_input.name]), z_input.shape[0]
    if batch is None:
        return run(fed)
    images = []
    for start in range(0, count, batch):
        rows = np.minimum(np.arange(start, start + batch), count - 1)
        images.append(np.asarray(run({name: array[rows] for name, array in fed.items()})))
    return np.concatenate(images)[:count]


def _channels_first(images: np.ndarray) -> np.ndarray:
    """Return [N, 3, H, W] of images that may have their channels last."""
    if images.ndim == 4 and images.shape[-1] == 3 and images.shape[1] != 3:
        images = images.transpose(0, 3, 1, 2)
    return images


def _teacher(
    path: Path,
    query: dict[str, str],
    truncation: float | None,
    *,
    z_input: Input,
    y_input: Input,
    draw: Draw,
    fingerprint: str,
) -> FunctionTeacher:
    z_dim = int(query.get("z_dim", 0)) or (z_input.shape[1] if len(z_input.shape) == 2 else None)
    if z_dim is None:
        raise UserError(f"{path} leaves the length of its latents open; add z_dim=NUMBER")
    count = _number_of_classes(query, y_input, str(path))
    width = y_input.shape[1] if len(y_input.shape) == 2 and not y_input.is_integer else None
    if width not in (None, count):
        raise UserError(f"{path} takes {width} classes, and {count} are named; name all of them, in their order")
    classes = _names(query) or count
    factor = _truncation(query, truncation)
    return FunctionTeacher(Description(path.stem, fingerprint, query["latents"], z_dim, classes, factor), draw)


def _list(inputs: list[Input]) -> str:
    return ", ".join(f"{one.name} {[n or '?' for n in one.shape]}" for one in inputs)
