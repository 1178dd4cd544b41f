"""Read shared libraries: what they need of Android's C library, and which names of Java they hold."""

import json
import re
import struct
from pathlib import Path

from train.errors import UserError

_SYMBOLS_FILE = Path(__file__).with_name("newer_symbols.json")
"""API level → the functions that Android's C library, mathematics, linker and log have since then,
as bionic's own lists of exported symbols say (read in 2026); levels up to 24 are left out."""
_SYSTEM_LIBRARIES = {
    f"lib{name}.so" for name in ("c", "m", "dl", "log", "z", "android", "jnigraphics", "EGL", "GLESv2")
}
_HEADER = struct.Struct("<4sBB10xHHI3QIHHHHHH")
_SECTION = struct.Struct("<2I4Q2I2Q")
_SYMBOL = struct.Struct("<IBBHQQ")
_DYNAMIC = struct.Struct("<2Q")
_SHT_DYNAMIC, _SHT_DYNSYM, _DT_NEEDED, _WEAK = 6, 11, 1, 2
_CLASS_NAME = re.compile(rb"L?((?:com/facebook/jni|org/pytorch|org/tensorflow/lite|com/google/ai/edge)/[\w/$]+);?")
_WORD = re.compile(rb"(?<=\0)[A-Za-z_$<][\w$>]*(?=\0)")


def newer_symbols() -> dict[str, int]:
    """Return function → the API level that brought it, for every one that Android 7 lacks."""
    stored = json.loads(_SYMBOLS_FILE.read_text("utf-8"))
    return {name: int(level) for level, names in stored.items() for name in names}


def missing_before(library: Path, api: int, shipped: set[str]) -> list[str]:
    """Say what keeps a library from being loaded at an API level.

    Args:
        library: a 64-bit ELF file.
        api: the oldest level that the app supports.
        shipped: names of the libraries that lie beside it in the app.

    Returns:
        A sentence for each function and library that the level lacks.

    Raises:
        UserError: the file has no dynamic symbols.
    """
    needed, undefined = _needs(library)
    levels = newer_symbols()
    problems = [
        f"{library.name} calls {name}, which came with API {levels[name]}"
        for name in undefined
        if levels.get(name, 0) > api
    ]
    unknown = sorted(needed - shipped - _SYSTEM_LIBRARIES)
    return problems + [f"{library.name} needs {name}, which API {api} and the app lack" for name in unknown]


def java_names(library: Path) -> tuple[set[str], set[str]]:
    """Return what a library may look up by name in Java.

    Returns:
        Classes of the runtimes as a.b.C, and every word that could be a member's name.
    """
    data = library.read_bytes()
    classes = {name.decode().replace("/", ".") for name in _CLASS_NAME.findall(data)}
    return classes, {word.decode() for word in _WORD.findall(data)}


def _needs(library: Path) -> tuple[set[str], list[str]]:
    """Return the libraries that are loaded with this one, and the functions that it must find in them."""
    data = library.read_bytes()
    header = _HEADER.unpack_from(data)
    table, size, count = header[8], header[13], header[14]
    sections = [_SECTION.unpack_from(data, table + index * size) for index in range(count)]
    symbols = next((s for s in sections if s[1] == _SHT_DYNSYM), None)
    if symbols is None:
        raise UserError(f"{library} has no dynamic symbols; fetch it again")
    names = sections[symbols[6]]

    def text(offset: int) -> str:
        start = names[4] + offset
        return data[start : data.index(b"\0", start)].decode()

    undefined = [
        text(symbol[0])
        for symbol in _SYMBOL.iter_unpack(data[symbols[4] : symbols[4] + symbols[5]])
        if symbol[3] == 0 and symbol[1] >> 4 != _WEAK and symbol[0]
    ]
    dynamic = next(s for s in sections if s[1] == _SHT_DYNAMIC)
    entries = _DYNAMIC.iter_unpack(data[dynamic[4] : dynamic[4] + dynamic[5]])
    return {text(value) for tag, value in entries if tag == _DT_NEEDED}, undefined
