"""One photo: from a file's bytes, as they come from anywhere, to a square of RGB bytes."""

import io
import struct

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.Image import DecompressionBombError

# What Pillow raises for damaged files of its many formats.
_DAMAGED_IMAGE = (OSError, RuntimeError, SyntaxError, ValueError, IndexError, struct.error, DecompressionBombError)

_ORIENTATION = 0x0112
_TURNS = (
    None,
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.ROTATE_180,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)  # that bring the orientations 1 to 8 upright


def decode_photo(content: bytes, size: int) -> np.ndarray:
    """Decode an image file, scaled until its shorter side has `size` pixels and cropped around the centre.

    Of an animation the first frame counts.

    Returns:
        uint8 [size, size, 3], RGB.

    Raises:
        ValueError: it is no image, or a damaged one, or its pixels have no known range.
    """
    return np.asarray(_fit(decode_image(content), size))


def decode_image(content: bytes) -> Image.Image:
    """Decode an image file as `decode_photo` does, in its own size.

    Raises:
        ValueError: as there.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            return _upright(_to_rgb(image), _orientation(image))
    except _DAMAGED_IMAGE as error:
        raise ValueError("unknown format" if isinstance(error, UnidentifiedImageError) else str(error)) from None


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1, as it is, where the tags cannot be read: the picture is good."""
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # whatever a parser of damaged tags raises
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    moves = _TURNS[orientation - 1]
    return image if moves is None else image.transpose(moves)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # Pillow would clip its 65536 levels at 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"{image.mode} pixels have no fixed range, save it with 8 bits")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _fit(image: Image.Image, size: int) -> Image.Image:
    """Scale the shorter side to `size`, antialiased, and crop around the centre."""
    width, height = image.size
    if min(width, height) != size:
        scale = size / min(width, height)
        width, height = max(size, round(width * scale)), max(size, round(height * scale))
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    return image.crop((left, top, left + size, top + size))
