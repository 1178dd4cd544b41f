import hashlib

import pytest
from fake_phone import output

from benchmarks.phones.adb import open_phone
from benchmarks.phones.device import (
    big_cores,
    describe,
    parse_battery,
    parse_thermal,
    phone_name,
    read_state,
    unit_name,
)
from train.errors import UserError


def test_what_a_phone_is(adb):
    described = describe(open_phone(None))
    assert described == {
        "target": "android",
        "manufacturer": "Google",
        "model": "Pixel 8",
        "soc_manufacturer": "Google",
        "soc": "Tensor G3",
        "hardware": "shiba",
        "android": "15",
        "sdk": 35,
        "abis": ["arm64-v8a"],
        "unit": hashlib.sha256(b"38021FDJH00ABC").hexdigest()[:12],
        "cores": 9,
        "max_mhz": {"2914": 1, "2367": 4, "1704": 4},
    }
    assert phone_name(described) == "Google-Pixel-8"


@pytest.mark.parametrize(
    ("device", "big"),
    [
        ({"cores": 9, "max_mhz": {"2914": 1, "2367": 4, "1704": 4}}, 5),
        ({"cores": 8, "max_mhz": {"1800": 4, "2400": 3, "3000": 1}}, 4),
        ({"cores": 4, "max_mhz": {"2000": 4}}, 4),
        ({"cores": 8, "max_mhz": {"2400": 4}}, 8),  # four cores do not tell
        ({"cores": 6}, 6),
    ],
)
def test_big_cores_are_those_of_the_app(device, big):
    assert big_cores(device) == big


def test_names_do_not_repeat_the_maker():
    assert phone_name({"manufacturer": "OnePlus", "model": "OnePlus Nord/2"}) == "OnePlus-Nord-2"
    assert phone_name({"model": "SM-S921B"}) == "SM-S921B"


def test_what_a_phone_does_not_tell_is_absent(adb):
    adb.answer("'shell getprop'", "[ro.product.model]: [X]\n[ro.product.cpu.abilist]: [arm64-v8a,armeabi-v7a]\n")
    adb.answer("cpuinfo_max_freq", "cpu0 \ncpu1 \n")
    described = describe(open_phone(None))
    assert set(described) == {"target", "model", "abis", "unit", "cores"}
    assert described["abis"] == ["arm64-v8a", "armeabi-v7a"]
    assert described["cores"] == 2


def test_unexpected_properties(adb):
    adb.answer("'shell getprop'", "getprop: inaccessible or not found\n")
    with pytest.raises(UserError, match="getprop tells no model or no ABIs; is it an Android phone"):
        describe(open_phone(None))


def test_the_state_of_a_phone(adb):
    assert read_state(open_phone(None)) == {
        "battery_percent": 83,
        "battery_celsius": 28.7,
        "plugged": ["USB"],
        "thermal_status": 0,
        "celsius": {"CPU0": 34.5, "GPU": 33.2, "VIRTUAL-SKIN": 31.4},
    }


def test_a_phone_without_thermal_service(adb):
    adb.answer("'dumpsys thermalservice'", err="Can't find service: thermalservice\n", code=1)
    assert set(read_state(open_phone(None))) == {"battery_percent", "battery_celsius", "plugged"}


def test_strange_dumps_give_nothing():
    assert parse_battery("level: many\ntemperature: warm\n") == {}
    assert parse_thermal("Thermal Status: severe\n") == {}
    assert parse_thermal(output("thermal").replace("Status: 0", "Status: 3"))["thermal_status"] == 3
    assert parse_battery(output("battery").replace("USB powered: true", "USB powered: false"))["plugged"] == []


def test_two_phones_of_one_model_are_two_phones():
    first, second = ({"manufacturer": "Google", "model": "Pixel 8", "unit": unit} for unit in ("a" * 12, "b" * 12))
    assert (unit_name(first), unit_name(second)) == ("Google-Pixel-8-aaaaaa", "Google-Pixel-8-bbbbbb")
