"""Read a flatbuffer by the text of its schema: runtimes ship schemas, but not always a reader.

Covers what schemas of model files use: tables, strings, vectors, enums, and unions of tables.
"""

import dataclasses
import importlib.resources
import re
import struct
from typing import Any

from deploy.quiet import quiet
from train.errors import UserError

_SCALARS = {
    **{"bool": "?", "byte": "b", "int8": "b", "ubyte": "B", "uint8": "B"},
    **{"short": "h", "int16": "h", "ushort": "H", "uint16": "H", "int": "i", "int32": "i"},
    **{"uint": "I", "uint32": "I", "long": "q", "int64": "q", "ulong": "Q", "uint64": "Q"},
    **{"float": "f", "float32": "f", "double": "d", "float64": "d"},
}
_DECLARATION = re.compile(r"\b(table|enum|union)\s+(\w+)\s*(?::\s*(\w+))?\s*(?:\([^)]*\))?\s*\{([^}]*)\}")
_FIELD = re.compile(r"^(\w+)\s*:\s*(\[?)\s*([\w.]+)\s*\]?\s*(?:=\s*([\w.+-]+))?")


@dataclasses.dataclass(frozen=True)
class _Field:
    name: str
    type: str
    vector: bool
    default: str | None
    slot: int


class Schema:
    """A parsed schema.

    Args:
        text: of a .fbs file.
    """

    def __init__(self, text: str) -> None:
        text = re.sub(r"//[^\n]*", "", text)
        self._tables: dict[str, list[_Field]] = {}
        self._enums: dict[str, tuple[str, dict[str, int]]] = {}
        self._unions: dict[str, list[str]] = {}
        declarations = _DECLARATION.findall(text)
        for kind, name, base, body in declarations:
            if kind == "union":
                self._unions[name] = [member.split(":")[-1].strip() for member in _split(body, ",")]
            elif kind == "enum":
                self._enums[name] = (base, _enum_values(body))
        self._member_names = {
            name: [member.split(":")[0].strip() for member in _split(body, ",")]
            for kind, name, _, body in declarations
            if kind == "union"
        }
        for kind, name, _, body in declarations:
            if kind == "table":
                self._tables[name] = self._fields(body)
        root = re.search(r"\broot_type\s+(\w+)", text)
        if root is None or root[1] not in self._tables:
            raise ValueError("the schema names no root table")
        self._root = root[1]

    def read(self, data: bytes) -> dict[str, Any]:
        """Return the root table as a dict; absent tables, strings and vectors are None.

        A value of a union is a dict whose "type" is the name of the union's member.

        Raises:
            ValueError: the data is cut off or no flatbuffer of this schema.
        """
        try:
            return self._table(data, _number(data, 0, "I"), self._root)
        except (struct.error, IndexError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"no flatbuffer with the root {self._root}: {error}") from None

    def _fields(self, body: str) -> list[_Field]:
        fields, slot = [], 0
        for line in _split(body, ";"):
            match = _FIELD.match(line)
            if match is None:
                raise ValueError(f"cannot read the schema's field {line!r}")
            name, bracket, kind, default = match.groups()
            slot += kind in self._unions  # which member it is has a slot of its own, before the value
            fields.append(_Field(name, kind, bool(bracket), default, slot))
            slot += 1
        return fields

    def _table(self, data: bytes, position: int, name: str) -> dict[str, Any]:
        vtable = position - _number(data, position, "i")
        size = _number(data, vtable, "H")

        def place(slot: int) -> int:
            """Return where the field is, 0 if it is not stored."""
            entry = 4 + 2 * slot
            offset = _number(data, vtable + entry, "H") if entry + 2 <= size else 0
            return position + offset if offset else 0

        return {field.name: self._value(data, place, field) for field in self._tables[name]}

    def _value(self, data: bytes, place: Any, field: _Field) -> Any:
        at = place(field.slot)
        if field.type in self._unions:
            kind = _number(data, tag, "B") if (tag := place(field.slot - 1)) else 0
            if not at or not kind:
                return None
            value = self._table(data, _follow(data, at), self._unions[field.type][kind - 1])
            return {"type": self._member_names[field.type][kind - 1], **value}
        if field.vector:
            return self._vector(data, _follow(data, at), field.type) if at else None
        if field.type in self._tables:
            return self._table(data, _follow(data, at), field.type) if at else None
        if field.type == "string":
            return _string(data, _follow(data, at)) if at else None
        return _number(data, at, self._code(field.type)) if at else self._default(field)

    def _vector(self, data: bytes, start: int, kind: str) -> list[Any]:
        length = _number(data, start, "I")
        if kind in self._tables or kind == "string":
            places = [_follow(data, start + 4 + 4 * i) for i in range(length)]
            return [_string(data, at) if kind == "string" else self._table(data, at, kind) for at in places]
        return list(struct.unpack_from(f"<{length}{self._code(kind)}", data, start + 4))

    def _code(self, kind: str) -> str:
        return _SCALARS[self._enums[kind][0] if kind in self._enums else kind]

    def _default(self, field: _Field) -> Any:
        if field.default is None:
            return 0
        if field.type in self._enums:
            return self._enums[field.type][1][field.default]
        words = {"true": True, "false": False}
        return words[field.default] if field.default in words else float(field.default)


def packaged_schema(package: str) -> Schema:
    """Return the schema that a package of ExecuTorch ships as schema.fbs.

    Raises:
        ImportError: the package is not installed.
    """
    with quiet():
        return Schema(importlib.resources.files(package).joinpath("schema.fbs").read_text(encoding="utf-8"))


def read_header(payload: bytes, backend: str, magic: bytes, layout: str) -> tuple[int, ...]:
    """Return what follows the magic and the length in the header of a delegate's payload.

    Args:
        payload: what the delegate gave to its backend.
        backend: its name, for the message.
        magic: that the header begins with, after four bytes.
        layout: of what follows, as `struct` has it, without the byte order.

    Raises:
        UserError: the payload is too short, or has another magic.
    """
    # In the first four bytes an offset and in the next four the magic, then two bytes of the header's own length.
    try:
        found, _, *rest = struct.unpack_from(f"<4sH{layout}", payload, 4)
    except struct.error:
        found, rest = payload[4:8], []
    if found != magic or not rest:
        raise UserError(
            f"the {backend} delegate begins with {found!r}, not {magic!r}; was it made by executorch 1.5?"
        )
    return tuple(rest)


def _split(body: str, separator: str) -> list[str]:
    return [part.strip() for part in body.split(separator) if part.strip()]


def _enum_values(body: str) -> dict[str, int]:
    values, following = {}, 0
    for member in _split(body, ","):
        name, _, value = (part.strip() for part in member.partition("="))
        values[name] = int(value, 0) if value else following
        following = values[name] + 1
    return values


def _number(data: bytes, at: int, code: str) -> Any:
    if at < 0:
        raise IndexError(f"an offset points before the file ({at})")
    return struct.unpack_from(f"<{code}", data, at)[0]


def _follow(data: bytes, at: int) -> int:
    return at + _number(data, at, "I")


def _string(data: bytes, at: int) -> str:
    length = _number(data, at, "I")
    return struct.unpack_from(f"{length}s", data, at + 4)[0].decode()
