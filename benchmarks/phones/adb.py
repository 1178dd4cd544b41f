"""adb: finding the phone, running commands on it, and noticing when it goes away."""

import dataclasses
import shlex
import shutil
import subprocess
from pathlib import Path

from train.errors import UserError, did_you_mean

FOLDER = "/data/local/tmp/tinygan-edge"
"""On the phone: what is pushed there may be run by the shell, and needs no permission."""

_REMEDIES = {
    "unauthorized": "unlock it and allow USB debugging for this computer in the dialog",
    "authorizing": "unlock it and allow USB debugging for this computer in the dialog",
    "offline": "unplug it and plug it in again, or restart adb with: adb kill-server",
    "no permissions": "this user may not open its USB device; install the udev rules (package "
    "android-sdk-platform-tools-common) and plug it in again",
    "recovery": "restart it into Android",
    "sideload": "restart it into Android",
    "bootloader": "restart it into Android",
}


class PhoneGoneError(UserError):
    """The phone does not answer any more."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """Of a command."""

    code: int
    output: str
    error: str

    @property
    def last_line(self) -> str:
        """What the command said last, for an error message."""
        lines = (self.error.strip() or self.output.strip()).splitlines()
        return lines[-1].strip() if lines else f"exit status {self.code}"


class Adb:
    """One phone; `open_phone` finds it.

    Args:
        program: adb.
        serial: of the phone, as `adb devices` names it.
    """

    def __init__(self, program: str, serial: str) -> None:
        self._program, self.serial = program, serial

    def shell(self, command: str, timeout: float = 30) -> Answer:
        """Run a command in the phone's shell; what it returns is the caller's to judge.

        Args:
            command: a line of sh.
            timeout: seconds.

        Raises:
            PhoneGoneError: the phone went away.
            UserError: it is there and did not answer in time.
        """
        return self._run(["shell", command], timeout, f"adb shell {command}")

    def read(self, command: str, timeout: float = 30) -> str:
        """Run a command that cannot fail on a sound phone; return its output without the white space around it.

        Raises:
            UserError: it failed all the same.
        """
        answer = self.shell(command, timeout)
        if answer.code:
            raise UserError(f"phone {self.serial}: {command!r} failed: {answer.last_line}")
        return answer.output.strip()

    def put(self, path: Path, sha256: str, *, executable: bool = False) -> str:
        """Push a file into `FOLDER`, unless it is there already; return its path on the phone.

        Args:
            path: on this machine.
            sha256: of the file; the beginning of its name on the phone, and checked there.
            executable: whether it is run.

        Raises:
            UserError: it cannot be pushed, or is not what was pushed.
        """
        remote = f"{FOLDER}/{sha256[:16]}-{path.name}"
        if self._hash(remote) != sha256:
            self._push(path, remote, sha256)
        if executable:
            self.read(f"chmod 755 {shlex.quote(remote)}")
        return remote

    def require(self) -> None:
        """Raise PhoneGoneError if the phone is not there any more."""
        try:
            answer = self._start(["get-state"], 15)
        except subprocess.TimeoutExpired:
            raise self._gone("adb does not answer") from None
        if answer.code or answer.output.strip() != "device":
            raise self._gone(answer.last_line)

    def _push(self, path: Path, remote: str, sha256: str) -> None:
        if (made := self.shell(f"mkdir -p {FOLDER}")).code:
            raise UserError(f"phone {self.serial}: {FOLDER} cannot be made: {made.last_line}")
        pushed = self._run(["push", str(path), remote], 600, f"adb push {path.name}")
        if pushed.code:
            self.shell(f"rm -f {shlex.quote(remote)}")
            free = f"; free space on the phone, or remove what earlier runs left: adb shell rm -r {FOLDER}"
            full = "no space left" in (pushed.error + pushed.output).lower()
            raise UserError(
                f"{path.name} cannot be pushed to phone {self.serial}: {pushed.last_line}{free if full else ''}"
            )
        found = self._hash(remote)
        if not found:
            raise UserError(f"phone {self.serial} has no sha256sum to check {path.name} with; it needs Android 8")
        if found != sha256:
            self.shell(f"rm -f {shlex.quote(remote)}")
            raise UserError(
                f"{path.name} arrived on phone {self.serial} with the SHA-256 {found[:16]}…, not "
                f"{sha256[:16]}…; check the cable and measure again"
            )

    def _hash(self, remote: str) -> str:
        words = self.shell(f"sha256sum {shlex.quote(remote)}", 120).output.split()
        return words[0] if words and len(words[0]) == 64 else ""

    def _run(self, arguments: list[str], timeout: float, what: str) -> Answer:
        try:
            answer = self._start(arguments, timeout)
        except subprocess.TimeoutExpired:
            self.require()
            raise UserError(
                f"phone {self.serial} did not end {what!r} within {timeout:.0f} s; unlock it, keep its screen on, "
                "and measure again"
            ) from None
        if answer.code:
            self.require()
        return answer

    def _start(self, arguments: list[str], timeout: float) -> Answer:
        return run_adb(self._program, ["-s", self.serial, *arguments], timeout)

    def _gone(self, why: str) -> PhoneGoneError:
        return PhoneGoneError(
            f"phone {self.serial} went away ({why}); finished rows are kept: connect it again, and the same "
            "command goes on"
        )


def run_adb(program: str, arguments: list[str], timeout: float) -> Answer:
    """Run adb.

    Raises:
        subprocess.TimeoutExpired: it did not end in time; it is killed.
    """
    done = subprocess.run(
        [program, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def open_phone(serial: str | None) -> Adb:
    """Find the phone to measure on.

    Args:
        serial: as `adb devices` names it; None for the only one.

    Raises:
        UserError: there is no adb, no phone, more than one, or it may not be used; what to do is in the message.
    """
    program = shutil.which("adb")
    if program is None:
        raise UserError("adb is not on the PATH; install Android's platform-tools, which have it")
    try:
        answer = run_adb(program, ["devices"], 60)
    except (subprocess.TimeoutExpired, OSError) as error:
        raise UserError(f"{program} does not answer ({error}); restart it with: adb kill-server") from None
    if answer.code:
        raise UserError(f"'adb devices' failed: {answer.last_line}; restart it with: adb kill-server")
    phones = parse_devices(answer.output)
    if not phones:
        raise UserError(
            "no phone is connected; switch on USB debugging (Settings, System, Developer options) and plug it in"
        )
    if serial is None:
        ready = [name for name, state in phones.items() if state == "device"]
        if len(ready) > 1:
            raise UserError(
                f"{len(ready)} phones are connected: {', '.join(ready)}; say which with --serial {ready[0]}"
            )
        if len(phones) > 1 and not ready:
            listed = ", ".join(f"{name} ({state})" for name, state in phones.items())
            raise UserError(f"no phone is ready: {listed}; name one with --serial to hear what it needs")
        serial = ready[0] if ready else next(iter(phones))
    elif serial not in phones:
        raise UserError(
            f"no phone has the serial {serial}{did_you_mean(serial, phones)}; adb lists {', '.join(phones)}"
        )
    if (state := phones[serial]) != "device":
        remedy = next((text for name, text in _REMEDIES.items() if state.startswith(name)), "look at the phone")
        raise UserError(f"phone {serial} is not ready ({state}): {remedy}")
    return Adb(program, serial)


def parse_devices(output: str) -> dict[str, str]:
    """Return serial → state of what `adb devices` printed."""
    # Its own messages ("* daemon started successfully") and the heading have no tab.
    pairs = (line.split("\t", 1) for line in output.splitlines() if "\t" in line)
    return {serial.strip(): state.strip() for serial, state in pairs}
