"""Does a network that nobody here trained see the class that was asked for: a TFLite ImageNet classifier."""

import re
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from deploy.quiet import quiet
from train.commands import to_install
from train.errors import UserError, first_line
from train.machine import usable_cores
from train.naming import read_lines

_IMAGENET = 1000


class ImageNetClassifier:
    """A quantized classifier of 1,000 classes, or of 1,001 whose first is the background."""

    def __init__(self, path: Path, labels: Path | None = None) -> None:
        """Load a classifier.

        Args:
            path: a TFLite file, uint8 [1, H, W, 3] → scores [1, 1000 or 1001]; the pixels go in as they are.
            labels: a text file with the name of each output on its line, to be checked.

        Raises:
            UserError: there is no such file, ai-edge-litert is missing or refuses it, or it is no such model.
        """
        if not path.is_file():
            raise UserError(f"no classifier at {path}")
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ModuleNotFoundError as error:
            raise UserError(f"{error.name} is not installed; {to_install('benchmarks')}") from None
        try:
            with quiet():
                self._interpreter = Interpreter(str(path), num_threads=usable_cores())
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise UserError(
                f"ai-edge-litert refuses {path} ({first_line(error)}); give a TFLite classifier"
            ) from None
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        shape, classes = inputs[0]["shape"].tolist(), int(outputs[0]["shape"][-1])
        if (
            (len(inputs), len(outputs), len(shape), shape[0], shape[-1]) != (1, 1, 4, 1, 3)
            or inputs[0]["dtype"] != np.uint8
            or classes - _IMAGENET not in (0, 1)
        ):
            raise UserError(
                f"{path} takes {np.dtype(inputs[0]['dtype'])} {shape} and gives {classes} outputs; a classifier "
                "of uint8 images [1, H, W, 3] with 1000 or 1001 outputs is needed"
            )
        self.name = re.sub("[^a-z0-9]+", "_", path.stem.lower()).strip("_")
        self._input, self._output = inputs[0]["index"], outputs[0]["index"]
        self._size = shape[2], shape[1]
        self._background = classes - _IMAGENET
        if labels is not None:
            self._check_labels(labels, classes)

    def _check_labels(self, path: Path, classes: int) -> None:
        names = read_lines(path, "labels")
        has_background = bool(names) and names[0].strip().lower() == "background"
        if len(names) != classes or has_background != bool(self._background):
            raise UserError(
                f"{path} has {len(names)} lines, the first {names[0]!r}; the classifier has {classes} outputs"
                if names
                else f"{path} is empty; the classifier has {classes} outputs"
            )

    def scores(self, image: np.ndarray) -> np.ndarray:
        """Return the score of each of the 1,000 classes for an image, uint8 [H, W, 3]; it is resized."""
        # Bilinear, as in the training of such classifiers.
        resized = Image.fromarray(image).resize(self._size, Image.Resampling.BILINEAR)
        self._interpreter.set_tensor(self._input, np.asarray(resized)[None])
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)[0]

    def agreement(self, images: np.ndarray, y: np.ndarray, what: str = "images") -> dict[str, float]:
        """Return the shares of images whose class has the highest score, and one of the five highest.

        A class whose score others share counts behind them: eight bits make many scores equal, and a class must
        not be found among the first five only because both have none.

        Args:
            images: uint8 [N, H, W, 3].
            y: [N], ImageNet indices asked for, without background.
            what: text of the progress bar.

        Returns:
            top1_<name> and top5_<name>, in [0, 1]; and for K classes asked for, top1ofK_<name>: the share whose
            class has the highest score among these K.

        Raises:
            UserError: a class is no ImageNet index.
        """
        if y.min() < 0 or y.max() >= _IMAGENET:
            raise UserError(f"class {y.max()} is no ImageNet class; leave --classifier out")
        asked = np.unique(y) + self._background
        ahead, ahead_of_asked = np.empty((2, len(images)), np.int64)
        pairs = zip(images, y + self._background, strict=True)
        for k, (image, index) in enumerate(
            tqdm(pairs, total=len(images), desc=f"classes of {what}", unit="image")
        ):
            scores = self.scores(image)
            ahead[k] = np.count_nonzero(scores >= scores[index]) - 1
            ahead_of_asked[k] = np.count_nonzero(scores[asked] >= scores[index]) - 1
        shares = {f"top{n}_{self.name}": float(np.mean(ahead < n)) for n in (1, 5)}
        if 1 < len(asked) < _IMAGENET:
            shares[f"top1of{len(asked)}_{self.name}"] = float(np.mean(ahead_of_asked < 1))
        return shares
