"""A teacher fitted to a student: its images at the student's size, and the chosen classes counted anew."""

from collections.abc import Sequence

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
