"""What a Core ML package says about itself in Xcode and to an app."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from train.errors import UserError
from train.generator import GeneratorConfig

_LAWS = {
    "truncated-normal": "of a normal distribution cut at ±2",
    "normal": "of a normal distribution",
    "uniform": "spread evenly from -1 to 1",
    "sphere": "that are a random direction of length 1",
}


@dataclasses.dataclass(frozen=True)
class PackageInfo:
    """The description of a package."""

    name: str
    """Of the model, such as "TinyGAN digits"."""
    description: str
    """One or two sentences."""
    author: str
    license: str
    """An SPDX identifier or a sentence."""
    version: str
    classes: Mapping[int, str]
    """Index of the class weight → name."""
    truncation: float
    """Truncation of the latents that the student was trained on."""
    law: str = "truncated-normal"
    """Of the latents, one of `train.noise.SAMPLERS`."""

    def __post_init__(self) -> None:
        for field in ("name", "description", "author", "license", "version"):
            if not getattr(self, field).strip():
                raise UserError(f"the package's {field} is empty; an app developer reads it in Xcode")
        if not self.classes:
            raise UserError("the package's list of classes is empty; give index → name")


def describe(model: Any, info: PackageInfo, config: GeneratorConfig, precision: str) -> None:
    """Write the description into a converted model.

    Args:
        model: an `MLModel` with inputs `z` and, unless it draws one class only, `class_weights`.
        info: what to write.
        config: of the student.
        precision: in words, of weights and activations.
    """
    model.short_description = f"{info.name}: {info.description}"
    model.author, model.license, model.version = info.author, info.license, info.version
    size = config.image_size
    texts = {
        "z": f"Latent, {config.z_dim} numbers {_LAWS[info.law]}, times {info.truncation:g}.",
        "class_weights": f"Weights of {config.num_classes} classes: 1 at one and 0 elsewhere, or a mixture.",
    }
    for name in (field.name for field in model.get_spec().description.input):
        model.input_description[name] = texts[name]
    model.output_description["image"] = f"The generated image, RGB, {size} × {size} pixels."
    model.user_defined_metadata.update(
        {
            "name": info.name,
            "classes": json.dumps({str(index): name for index, name in sorted(info.classes.items())}),
            "truncation": f"{info.truncation:g}",
            "precision": precision,
            "image_size": str(size),
            "z_dim": str(config.z_dim),
            "num_classes": str(config.num_classes),
        }
    )
