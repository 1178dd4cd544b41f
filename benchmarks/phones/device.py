"""What an Android phone says about itself: what it is, and how warm and charged it is now."""

import hashlib
import re
from typing import Any

from benchmarks.phones.adb import Adb
from train.errors import UserError

_PROPERTIES = {
    "manufacturer": "ro.product.manufacturer",
    "model": "ro.product.model",
    "soc_manufacturer": "ro.soc.manufacturer",
    "soc": "ro.soc.model",
    "hardware": "ro.hardware",
    "sdk": "ro.build.version.sdk",
    "android": "ro.build.version.release",
    "abis": "ro.product.cpu.abilist",
    "serial": "ro.serialno",
}
_PROPERTY = re.compile(r"^\[(.+?)\]: \[(.*)\]\r?$", re.MULTILINE)
_TEMPERATURE = re.compile(r"Temperature\{mValue=([^,]+), mType=(-?\d+), mName=([^,]+), mStatus=(\d+)\}")
# Types of android.os.Temperature: CPU, GPU, skin. Sensors that are not there report -99.9 or 0.
_TYPES = {"0", "1", "3"}


def describe(adb: Adb) -> dict[str, Any]:
    """Return what identifies the phone: maker, model, SoC, Android, ABIs, cores and their highest frequencies.

    What it does not tell is absent. `unit` tells phones of one model apart without naming the serial.

    Raises:
        UserError: it tells not even its model and ABIs.
    """
    properties = dict(_PROPERTY.findall(adb.read("getprop")))
    found = {name: properties.get(key, "").strip() for name, key in _PROPERTIES.items()}
    if not found["model"] or not found["abis"]:
        raise UserError(f"phone {adb.serial}: getprop tells no model or no ABIs; is it an Android phone?")
    described: dict[str, Any] = {"target": "android"}
    described |= {name: value for name, value in found.items() if value and name not in ("abis", "sdk", "serial")}
    described["abis"] = found["abis"].split(",")
    if found["sdk"].isdigit():
        described["sdk"] = int(found["sdk"])
    described["unit"] = hashlib.sha256((found["serial"] or adb.serial).encode()).hexdigest()[:12]
    described |= _cores(adb)
    return described


def phone_name(device: dict[str, Any]) -> str:
    """Return the phone's name for keys, such as Google-Pixel-8."""
    maker, model = device.get("manufacturer", ""), device["model"]
    full = model if not maker or model.lower().startswith(maker.lower()) else f"{maker} {model}"
    return re.sub(r"[^A-Za-z0-9.]+", "-", full).strip("-")


def unit_name(device: dict[str, Any]) -> str:
    """Return a name for keys that two phones of one model do not share, such as Google-Pixel-8-1f0c3a."""
    return f"{phone_name(device)}-{device['unit'][:6]}"


def big_cores(device: dict[str, Any]) -> int:
    """Return how many cores the app calls big: those above the lowest of all highest frequencies.

    All count where those are equal, or where a core does not tell its own.
    """
    counts = {int(mhz): count for mhz, count in device.get("max_mhz", {}).items()}
    above = sum(counts.values()) - counts[min(counts)] if counts else 0
    return above if above and sum(counts.values()) == device["cores"] else device["cores"]


def summary(device: dict[str, Any]) -> dict[str, Any]:
    """Return what a heading says about the phone beside its name."""
    found = {
        "soc": " ".join(device[name] for name in ("soc_manufacturer", "soc") if name in device),
        "android": f"Android {device['android']}" if "android" in device else "",
        "cores": f"{device['cores']} cores" if "cores" in device else "",
    }
    return {"target": device["target"]} | {name: value for name, value in found.items() if value}


def read_state(adb: Adb) -> dict[str, Any]:
    """Return battery and temperatures now: battery_percent, battery_celsius, plugged, thermal_status, celsius.

    thermal_status is Android's, from 0 (none) to 6 (shutdown); what the phone does not tell is absent.
    """
    battery = adb.shell("dumpsys battery")
    thermal = adb.shell("dumpsys thermalservice")
    return parse_battery(battery.output if not battery.code else "") | parse_thermal(
        thermal.output if not thermal.code else ""
    )


def parse_battery(output: str) -> dict[str, Any]:
    """Return what `dumpsys battery` printed."""
    pairs = (line.partition(":") for line in output.splitlines())
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    state: dict[str, Any] = {}
    level, scale = fields.get("level", ""), fields.get("scale", "100")
    if level.isdigit() and scale.isdigit() and int(scale):
        state["battery_percent"] = round(100 * int(level) / int(scale))
    if re.fullmatch(r"-?\d+", fields.get("temperature", "")):
        state["battery_celsius"] = int(fields["temperature"]) / 10
    sources = {name.removesuffix(" powered"): value for name, value in fields.items() if name.endswith(" powered")}
    if sources:
        state["plugged"] = [name for name, value in sources.items() if value == "true"]
    return state


def parse_thermal(output: str) -> dict[str, Any]:
    """Return what `dumpsys thermalservice` printed: the status, and the sensors of processor and skin."""
    state: dict[str, Any] = {}
    if status := re.search(r"Thermal Status: (\d+)", output):
        state["thermal_status"] = int(status[1])
    _, _, current = output.partition("Current temperatures from HAL:")
    current, _, _ = current.partition("Current cooling devices")
    celsius = {
        name: round(float(value), 1)
        for value, kind, name, _ in _TEMPERATURE.findall(current)
        if kind in _TYPES and re.fullmatch(r"\d+(\.\d+)?", value) and float(value) > 0
    }
    if celsius:
        state["celsius"] = celsius
    return state


def _cores(adb: Adb) -> dict[str, Any]:
    """Return cores, and max_mhz as frequency → how many cores reach it."""
    # One line per core; a core without cpufreq prints its name alone.
    listed = adb.read(
        "for c in /sys/devices/system/cpu/cpu[0-9]*; do "
        'echo "${c##*/} $(cat $c/cpufreq/cpuinfo_max_freq 2>/dev/null)"; done'
    )
    lines = [line.split() for line in listed.splitlines() if re.match(r"cpu\d+\b", line)]
    if not lines:
        return {}
    described: dict[str, Any] = {"cores": len(lines)}
    frequencies = [int(line[1]) // 1000 for line in lines if len(line) == 2 and line[1].isdigit()]
    if frequencies:
        ordered = sorted(set(frequencies), reverse=True)
        described["max_mhz"] = {str(value): frequencies.count(value) for value in ordered}
    return described
