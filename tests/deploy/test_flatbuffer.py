import flatbuffers
import pytest

from deploy.flatbuffer import Schema, read_header
from train.errors import UserError

SCHEMA = Schema("""
// A pet shop.
enum Kind : short { none = 0, dog = 4, cat }
table Tail { length:float; }
table Legs { count:uint; }
union Limb { Tail, FrontLegs: Legs }
table Pet {
  name:string;
  old:[ubyte] (deprecated, force_align: 16);  // its slot stays taken
  limb:Limb;
  kind:Kind = cat;
  ages:[int];
  friends:[Pet];
  weight:double = 1.5;
}
root_type Pet;
""")


def pet(builder, name, **fields):
    """Slots: name 0, old 1, limb's kind 2, limb 3, kind 4, ages 5, friends 6, weight 7."""
    text = builder.CreateString(name)
    builder.StartObject(8)
    builder.PrependUOffsetTRelativeSlot(0, text, 0)
    if "legs" in fields:
        builder.PrependUint8Slot(2, 2, 0)
        builder.PrependUOffsetTRelativeSlot(3, fields["legs"], 0)
    if "kind" in fields:
        builder.PrependInt16Slot(4, fields["kind"], 5)
    if "ages" in fields:
        builder.PrependUOffsetTRelativeSlot(5, fields["ages"], 0)
    if "friends" in fields:
        builder.PrependUOffsetTRelativeSlot(6, fields["friends"], 0)
    return builder.EndObject()


def vector(builder, values, size, prepend):
    builder.StartVector(size, len(values), size)
    for value in reversed(values):
        prepend(value)
    return builder.EndVector()


@pytest.fixture
def data():
    builder = flatbuffers.Builder()
    friend = pet(builder, "Bello", kind=4)
    friends = vector(builder, [friend], 4, builder.PrependUOffsetTRelative)
    ages = vector(builder, [3, -4, 2**31 - 1], 4, builder.PrependInt32)
    builder.StartObject(1)
    builder.PrependUint32Slot(0, 2**32 - 1, 0)
    legs = builder.EndObject()
    builder.Finish(pet(builder, "Mimi", legs=legs, ages=ages, friends=friends))
    return bytes(builder.Output())


def test_every_kind_of_field_is_read(data):
    mimi = SCHEMA.read(data)
    assert mimi["name"] == "Mimi"
    assert mimi["limb"] == {"type": "FrontLegs", "count": 2**32 - 1}
    assert mimi["ages"] == [3, -4, 2**31 - 1]
    assert mimi["kind"] == 5 and mimi["weight"] == 1.5 and mimi["old"] is None
    (bello,) = mimi["friends"]
    assert (bello["name"], bello["kind"], bello["limb"], bello["ages"]) == ("Bello", 4, None, None)


@pytest.mark.parametrize(("word", "value"), [("true", True), ("false", False), ("1", 1), ("-0.5", -0.5)])
def test_defaults_are_of_their_type(word, value):
    kind = "bool" if isinstance(value, bool) else "double"
    builder = flatbuffers.Builder()
    builder.StartObject(1)
    builder.Finish(builder.EndObject())
    schema = Schema(f"table Lamp {{ on:{kind} = {word}; }} root_type Lamp;")
    found = schema.read(bytes(builder.Output()))["on"]
    assert found == value and isinstance(found, bool) == isinstance(value, bool)


def test_the_header_of_a_payload():
    payload = b"\x08\0\0\0" + b"XH00" + (30).to_bytes(2, "little") + (40).to_bytes(4, "little") + b"\x07\0\0\0"
    assert read_header(payload, "XNNPACK", b"XH00", "II") == (40, 7)
    for damaged in (payload.replace(b"XH", b"YH"), payload[:9], b""):
        with pytest.raises(
            UserError, match=r"the XNNPACK delegate begins with b'.*', not b'XH00'; was it made by"
        ):
            read_header(damaged, "XNNPACK", b"XH00", "II")


@pytest.mark.parametrize("damage", [lambda data: data[:40], lambda data: b"\xff" * len(data), lambda data: b""])
def test_what_is_no_such_flatbuffer_is_refused(data, damage):
    with pytest.raises(ValueError, match="no flatbuffer with the root Pet"):
        SCHEMA.read(damage(data))
