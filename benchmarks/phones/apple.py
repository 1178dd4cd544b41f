"""What is used of coremltools to time models on a Mac, or on an iPhone connected to it."""

import dataclasses
import hashlib
import importlib.metadata
import re
import subprocess
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from train.commands import to_install
from train.errors import UserError, did_you_mean

COMPUTE_UNITS = ("ALL", "CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE")


class Measurement(Protocol):
    """What coremltools returns: `MLModelBenchmarker.Measurement`."""

    @property
    def samples(self) -> list[float]:
        """Milliseconds."""
        ...


class Benchmarker(Protocol):
    """`coremltools.models.ml_program.experimental.perf_utils.MLModelBenchmarker`."""

    def benchmark_load(self, iterations: int = 1) -> Awaitable[Measurement]:
        """Load the model anew each time; the first one stays for the predictions."""
        ...

    def benchmark_predict(
        self, inputs: dict[str, Any] | None = None, iterations: int = 1, warmup: bool = False
    ) -> Awaitable[Measurement]:
        """Predict again and again."""
        ...


@dataclasses.dataclass(frozen=True)
class Apple:
    """The library; tests put their own in its place."""

    version: str
    iphones: Callable[[], list[Any]]
    """Returns the connected ones, as `remote_device.Device`."""
    prepare: Callable[[Any], Awaitable[Any]]
    """Builds, signs and starts the model runner on an iPhone; returns the iPhone with its session."""
    benchmarker: Callable[[str, str, Any], Benchmarker]
    """Of a package's path, a compute unit's name, and an iPhone, or None for the Mac."""
    chip: Callable[[], str]
    """Returns the Mac's."""


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the models run."""

    key: str
    """With which the rows begin, without a slash at the end."""
    description: dict[str, Any]
    iphone: Any
    """Ready to run models; None for the Mac."""


def open_coremltools(development_team: str | None) -> Apple:
    """Return the library.

    Args:
        development_team: that signs the model runner; None where Xcode needs none.

    Raises:
        UserError: it is not installed, or too old.
    """
    try:
        import coremltools
        from coremltools.models.ml_program.experimental.perf_utils import MLModelBenchmarker
        from coremltools.models.ml_program.experimental.remote_device import (
            AppSigningCredentials,
            Device,
            DeviceType,
        )
    except ImportError as error:
        raise UserError(f"coremltools 9 is needed ({error}): {to_install('ios')}") from None

    def prepare(iphone: Any) -> Awaitable[Any]:
        return iphone.prepare_for_model_debugging(AppSigningCredentials(development_team=development_team or ""))

    def benchmarker(path: str, unit: str, iphone: Any) -> Benchmarker:
        # It is loaded by the benchmarker, where it runs.
        model = coremltools.models.MLModel(path, compute_units=coremltools.ComputeUnit[unit], skip_model_load=True)
        return MLModelBenchmarker(model, device=iphone)

    return Apple(
        importlib.metadata.version("coremltools"),
        lambda: Device.get_connected_devices(DeviceType.IPHONE),
        prepare,
        benchmarker,
        _chip,
    )


async def find_place(apple: Apple, serial: str | None) -> Place:
    """Return the connected iPhone, made ready, or the Mac where none is connected.

    Args:
        apple: the library.
        serial: UDID, identifier or name of the iPhone; None for the only one, or the Mac.

    Raises:
        UserError: the iPhone is not there or cannot be made ready, or there are several.
    """
    iphones = _listed(apple, serial)
    if serial is not None:
        named = [iphone for iphone in iphones if serial in (iphone.udid, iphone.identifier, iphone.name)]
        if not named:
            known = [iphone.udid for iphone in iphones]
            listed = f"connected: {', '.join(known)}" if known else "none is connected"
            raise UserError(f"no iPhone {serial}{did_you_mean(serial, known)}; {listed}")
        iphones = named
    if len(iphones) > 1:
        listed = ", ".join(f"{iphone.name} ({iphone.udid})" for iphone in iphones)
        raise UserError(
            f"{len(iphones)} iPhones are connected: {listed}; say which with --serial {iphones[0].udid}"
        )
    if not iphones:
        print("no iPhone is connected: the Mac itself is measured, its rows are named mac/…", flush=True)
        chip = apple.chip()
        return Place(f"mac/{_slug(chip)}", {"target": "mac", "chip": chip}, None)
    try:
        ready = await apple.prepare(iphones[0])
    except Exception as error:  # the library raises ValueError, its own errors, and what xcodebuild did
        raise UserError(
            f"iPhone {iphones[0].name} cannot run models ({one_line(error)}); unlock it, switch on developer "
            "mode, and give the team that signs with --development-team"
        ) from None
    # The library tells no model, and the name often is its owner's.
    unit = hashlib.sha256(ready.udid.encode()).hexdigest()[:12]
    described = {"target": "ios", "unit": unit, "os": ready.os_version, "build": ready.os_build_number}
    return Place(f"ios/iPhone-{unit[:6]}", described, ready)


def require_iphone(apple: Apple, place: Place) -> None:
    """Check that the iPhone is still there; the Mac always is.

    Raises:
        UserError: it went away.
    """
    if place.iphone is None:
        return
    try:
        there = any(iphone.udid == place.iphone.udid for iphone in apple.iphones())
    except Exception:
        there = False
    if not there:
        raise UserError(
            f"iPhone {place.iphone.name} went away; finished rows are kept: connect it again, and the same "
            "command goes on"
        )


def one_line(error: Exception) -> str:
    """Return an error's message on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _listed(apple: Apple, serial: str | None) -> list[Any]:
    try:
        return apple.iphones()
    except Exception as error:  # without Xcode's devicectl, for one
        if serial is not None:
            raise UserError(f"iPhones cannot be listed ({one_line(error)}); install Xcode") from None
        print(f"iPhones cannot be listed ({one_line(error)})", flush=True)
        return []


def _chip() -> str:
    command = ["sysctl", "-n", "machdep.cpu.brand_string"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-")
