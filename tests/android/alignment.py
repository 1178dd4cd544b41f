"""Find what keeps a shared library or an APK from phones whose memory pages are 16 KB."""

import struct
import zipfile
from pathlib import Path

from train.errors import UserError

PAGE = 16_384
_ELF_HEADER = struct.Struct("<4sBB10xHHI3QIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<II6Q")
_PT_LOAD, _CLASS_64, _LITTLE_ENDIAN = 1, 2, 1
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
# Read where they lie: libraries by the dynamic linker, models and resources by mapping the APK.
_MAPPED = {".so": PAGE, ".pte": 4, ".tflite": 4, ".arsc": 4}


def load_alignment(library: Path) -> int:
    """Return the smallest page size boundary that the LOAD segments of a 64-bit ELF file keep, bytes.

    Raises:
        UserError: it is no such file.
    """
    data = library.read_bytes()
    if len(data) < _ELF_HEADER.size:
        raise UserError(f"{library} is no ELF file; fetch it again")
    header = _ELF_HEADER.unpack_from(data)
    magic, word_size, byte_order = header[:3]
    if (magic, word_size, byte_order) != (b"\x7fELF", _CLASS_64, _LITTLE_ENDIAN):
        raise UserError(f"{library} is no 64-bit little-endian ELF file; fetch it again")
    table, size, count = header[7], header[11], header[12]
    alignments = []
    for index in range(count):
        kind, _, offset, address, *_, align = _PROGRAM_HEADER.unpack_from(data, table + index * size)
        if kind == _PT_LOAD:
            # A segment that states a large alignment without keeping it is refused by the linker.
            alignments.append(min(align, ((address - offset) & -(address - offset)) or align))
    if not alignments:
        raise UserError(f"{library} has no LOAD segment; fetch it again")
    return min(alignments)


def entry_offset(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> int:
    """Return where an entry's data begins."""
    file = archive.fp
    assert file is not None
    file.seek(entry.header_offset)
    *_, name, extra = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    return entry.header_offset + _LOCAL_HEADER.size + name + extra


def misaligned(apk: Path) -> list[str]:
    """Return a sentence for every entry that is compressed or lies off the boundary from which it is read."""
    problems = []
    with zipfile.ZipFile(apk) as archive:
        for entry in archive.infolist():
            boundary = _MAPPED.get(Path(entry.filename).suffix)
            if boundary is None:
                continue
            if entry.compress_type != zipfile.ZIP_STORED:
                problems.append(f"{entry.filename} is compressed")
            elif (offset := entry_offset(archive, entry)) % boundary:
                problems.append(f"{entry.filename} begins at {offset}, no multiple of {boundary}")
    return problems
