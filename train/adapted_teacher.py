"""A teacher fitted to a student: images at its size, chosen classes counted anew, several teachers as one."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from train.classes import class_names
from train.errors import UserError
from train.generator import IMAGE_SIZES
from train.teacher import Teacher


class _Adapted:
    """Another teacher's behaviour, but for what a subclass changes."""

    def __init__(self, teacher: Teacher) -> None:
        self._teacher = teacher
        self.name, self.fingerprint = teacher.name, teacher.fingerprint
        self.image_size, self.z_dim, self.num_classes = teacher.image_size, teacher.z_dim, teacher.num_classes
        self.truncation, self.sampler, self.parameters = teacher.truncation, teacher.sampler, teacher.parameters
        self.names, self.teacher_classes = list(teacher.names), list(teacher.teacher_classes)

    def __call__(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """See `train.teacher.Teacher`."""
        return self._teacher(z, y)

    def to(self, device: torch.device) -> "_Adapted":
        """See `train.teacher.Teacher`."""
        self._teacher.to(device)
        return self


class ResizedTeacher(_Adapted):
    """A teacher whose images are brought to a smaller size by area resampling."""

    def __init__(self, teacher: Teacher, image_size: int) -> None:
        super().__init__(teacher)
        if image_size > teacher.image_size:
            raise UserError(
                f"{teacher.name} makes images of {teacher.image_size} px, smaller than --image-size {image_size}; "
                f"give {_largest_below(teacher)}"
            )
        self.image_size = image_size
        self._weights = area_weights(teacher.image_size, image_size)

    def __call__(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """See `train.teacher.Teacher`."""
        images = self._teacher(z, y)
        size = self._weights.shape[1]
        if images.shape[-2:] != (size, size):
            return images  # for the caller, who says what is wrong with it
        weights = self._weights.to(images.device)
        return torch.einsum("oh,nchw,pw->ncop", weights, images.float(), weights)


class RenumberedTeacher(_Adapted):
    """A teacher of some classes of another one, which count 0, 1, … in the order given."""

    def __init__(self, teacher: Teacher, classes: Sequence[int]) -> None:
        super().__init__(teacher)
        names = teacher.names or class_names(teacher.num_classes)
        self.names = [names[number] for number in classes]
        self.num_classes = len(classes)
        self.teacher_classes = list(classes)
        self._numbers = torch.tensor(self.teacher_classes)

    def __call__(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """See `train.teacher.Teacher`."""
        return self._teacher(z, self._numbers.to(y.device)[y])


class CombinedTeacher(_Adapted):
    """Several teachers of the same latents, classes and size, each of which draws some classes.

    Args:
        teachers: two or more.
        choice: class index → position of its teacher, for all classes that will be asked for.
    """

    def __init__(self, teachers: Sequence[Teacher], choice: Mapping[int, int]) -> None:
        super().__init__(teachers[0])
        self._teachers, self._choice = list(teachers), dict(choice)
        self.name = "+".join(teacher.name for teacher in teachers)
        self.fingerprint = hashlib.sha256(json.dumps(self.shares()).encode()).hexdigest()
        counts = [teacher.parameters for teacher in teachers]
        self.parameters = None if None in counts else sum(count or 0 for count in counts)
        self._owners = torch.full((self.num_classes,), -1)
        for label, position in choice.items():
            self._owners[label] = position

    def shares(self) -> list[dict[str, Any]]:
        """Return name, fingerprint and classes of each teacher, for records."""
        return [
            {
                "teacher": teacher.name,
                "fingerprint": teacher.fingerprint,
                "classes": sorted(label for label, owner in self._choice.items() if owner == position),
            }
            for position, teacher in enumerate(self._teachers)
        ]

    def __call__(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """See `train.teacher.Teacher`."""
        owners = self._owners.to(y.device)[y]
        images = torch.full((len(y), 3, self.image_size, self.image_size), torch.nan, device=z.device)
        for position, teacher in enumerate(self._teachers):
            asked = torch.nonzero(owners == position).flatten()
            if len(asked):
                drawn = teacher(z[asked], y[asked])
                if drawn.shape[1:] != images.shape[1:]:
                    return drawn  # for the caller, who says what is wrong with it
                images[asked] = drawn.float()
        return images

    def to(self, device: torch.device) -> "CombinedTeacher":
        """See `train.teacher.Teacher`."""
        for teacher in self._teachers:
            teacher.to(device)
        return self


def at_size_of_a_student(teacher: Teacher, image_size: int | None) -> Teacher:
    """Return the teacher itself, or one whose images are brought to a student's size.

    Args:
        teacher: of any size.
        image_size: of the student; None for the largest that a student has and the teacher does not fall short of.

    Raises:
        UserError: no student has that size, or the teacher's images are smaller.
    """
    size = _largest_below(teacher) if image_size is None else image_size
    if size not in IMAGE_SIZES:
        raise UserError(f"--image-size {size} is no size of a student; give {', '.join(map(str, IMAGE_SIZES))}")
    return teacher if size == teacher.image_size else ResizedTeacher(teacher, size)


def _largest_below(teacher: Teacher) -> int:
    sizes = [size for size in IMAGE_SIZES if size <= teacher.image_size]
    if not sizes:
        raise UserError(
            f"{teacher.name} makes images of {teacher.image_size} px; a student draws {IMAGE_SIZES[0]} px or more"
        )
    return max(sizes)


def area_weights(size: int, smaller: int) -> torch.Tensor:
    """Return the share of each old pixel in each new one along a side, float32 [smaller, size]; rows sum to 1."""
    edges = torch.arange(smaller + 1, dtype=torch.float64) * size / smaller
    old = torch.arange(size, dtype=torch.float64)
    overlap = torch.minimum(edges[1:, None], old + 1) - torch.maximum(edges[:-1, None], old)
    return (overlap.clamp(min=0) * smaller / size).float()
