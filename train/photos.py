"""One photo: from a file's bytes, as they come from anywhere, to a square of RGB bytes."""

import contextlib
import io
import struct
import zlib

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.Image import DecompressionBombError

# What Pillow raises for damaged files of its many formats.
_DAMAGED_IMAGE = (OSError, RuntimeError, SyntaxError, ValueError, IndexError, struct.error, DecompressionBombError)

_PNG, _PNG_KEPT = b"\x89PNG\r\n\x1a\n", (b"tRNS", b"eXIf")
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
        return _decode(content)
    except _DAMAGED_IMAGE as error:
        with contextlib.suppress(*_DAMAGED_IMAGE):
            return _decode(_bare_png(content))
        raise ValueError("unknown format" if isinstance(error, UnidentifiedImageError) else str(error)) from None


def _decode(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return _upright(_to_rgb(image), _orientation(image))


def _bare_png(content: bytes) -> bytes:
    """Return a PNG with its pixels, transparency and EXIF alone, as far as those are whole.

    Profiles, texts and the like that break their format, or are larger than Pillow allows, cost no picture.

    Raises:
        ValueError: it is no PNG.
    """
    if not content.startswith(_PNG):
        raise ValueError("no PNG")
    kept, at = [_PNG], len(_PNG)
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        chunk = content[at : at + 12 + length]
        kind, whole = chunk[4:8], zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")
        if kind[:1].isupper() or (whole and kind in _PNG_KEPT):
            kept.append(chunk)
        at += len(chunk)
    return b"".join(kept)


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
