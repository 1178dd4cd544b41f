import pytest
from fake_phone import output

from benchmarks.phones import adb as module
from benchmarks.phones.adb import PhoneGoneError, open_phone
from train.errors import UserError
from train.files import file_hash

SERIAL = "38021FDJH00ABC"


def test_the_only_phone_is_taken(adb):
    assert open_phone(None).serial == SERIAL
    assert open_phone(SERIAL).serial == SERIAL


def test_without_adb(no_adb):
    with pytest.raises(UserError, match=r"^adb is not on the PATH; install Android's platform-tools"):
        open_phone(None)


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ("none", r"^no phone is connected; switch on USB debugging"),
        ("several", rf"^2 phones are connected: {SERIAL}, emulator-5554; say which with --serial {SERIAL}$"),
        ("unauthorized", rf"^phone {SERIAL} is not ready \(unauthorized\): unlock it and allow USB debugging"),
        ("offline", rf"^phone {SERIAL} is not ready \(offline\): unplug it and plug it in again"),
        ("no_permissions", rf"^phone {SERIAL} is not ready \(no permissions .*\): this user may not.*udev rules"),
    ],
)
def test_a_phone_that_cannot_be_used_is_told_with_its_remedy(adb, listed, message):
    adb.answer("devices", output(f"devices_{listed}"))
    with pytest.raises(UserError, match=message) as error:
        open_phone(None)
    assert "\n" not in str(error.value)


def test_one_of_several(adb):
    adb.answer("devices", output("devices_several"))
    assert open_phone("emulator-5554").serial == "emulator-5554"
    with pytest.raises(
        UserError, match=r"^no phone has the serial emulator-5556 \(did you mean emulator-5554\?\)"
    ):
        open_phone("emulator-5556")
    with pytest.raises(UserError, match=r"^phone R58M123 is not ready \(unauthorized\)"):
        open_phone("R58M123")


def test_the_only_ready_one_of_several_is_taken(adb):
    adb.answer("devices", "List of devices attached\nA\toffline\nB\tdevice\n\n")
    assert open_phone(None).serial == "B"
    adb.answer("devices", "List of devices attached\nA\toffline\nB\tunauthorized\n\n")
    with pytest.raises(UserError, match=r"^no phone is ready: A \(offline\), B \(unauthorized\)"):
        open_phone(None)


def test_adb_itself_fails(adb):
    adb.answer("devices", err="error: cannot connect to daemon\n", code=1)
    with pytest.raises(UserError, match=r"^'adb devices' failed: error: cannot connect to daemon; restart it"):
        open_phone(None)


def test_a_file_is_pushed_once(adb, tmp_path):
    path = tmp_path / "program"
    path.write_bytes(b"run me")
    phone, sha256 = open_phone(None), file_hash(path)
    remote = phone.put(path, sha256, executable=True)
    assert remote == f"{module.FOLDER}/{sha256[:16]}-program"
    assert (adb.phone / f"{sha256[:16]}-program").read_bytes() == b"run me"
    assert phone.put(path, sha256, executable=True) == remote
    assert len(adb.called("push")) == 1
    # Each time: a cable that was pulled between push and chmod leaves a program that cannot run.
    assert adb.called("chmod") == 2 * [f"-s {SERIAL} shell chmod 755 {remote}"]


def test_a_full_phone(adb, tmp_path):
    path = tmp_path / "model.pte"
    path.write_bytes(b"x")
    full = "adb: error: failed to copy 'model.pte' to '/data/x': remote write failed: No space left on device\n"
    adb.answer("'push '", err=full, code=1)
    with pytest.raises(
        UserError, match=r"model\.pte cannot be pushed .*No space left on device; free space on the ph"
    ):
        open_phone(None).put(path, file_hash(path))
    assert adb.called("rm -f")


def test_a_file_that_arrives_damaged_is_removed(adb, tmp_path):
    path = tmp_path / "model.pte"
    path.write_bytes(b"x")
    adb.answer("'push '")
    adb.answer("'sha256sum '", "0" * 64 + "  there\n")
    with pytest.raises(UserError, match=r"arrived .* with the SHA-256 0000000000000000…, not .*; check the cable"):
        open_phone(None).put(path, file_hash(path))
    assert adb.called("rm -f")


def test_a_phone_without_sha256sum(adb, tmp_path):
    path = tmp_path / "model.pte"
    path.write_bytes(b"x")
    adb.answer("'sha256sum '", err="/system/bin/sh: sha256sum: not found\n", code=127)
    with pytest.raises(UserError, match=r"has no sha256sum to check model\.pte with; it needs Android 8"):
        open_phone(None).put(path, file_hash(path))


def test_a_phone_that_goes_away(adb):
    phone = open_phone(None)
    adb.answer("'shell ls'", err=f"adb: device '{SERIAL}' not found\n", code=1)
    adb.answer("get-state", err=f"error: device '{SERIAL}' not found\n", code=1)
    with pytest.raises(
        PhoneGoneError, match=rf"^phone {SERIAL} went away \(error: device .*\); .*the same command go"
    ):
        phone.shell("ls")


def test_a_command_may_fail_on_a_phone_that_is_there(adb):
    adb.answer("'shell ls'", err="ls: /x: No such file\n", code=1)
    phone = open_phone(None)
    assert phone.shell("ls /x").code == 1
    with pytest.raises(UserError, match=r"'ls /x' failed: ls: /x: No such file"):
        phone.read("ls /x")


def test_a_command_that_does_not_end(adb):
    adb.answer("'shell top'", first="exec sleep 20")
    phone = open_phone(None)
    with pytest.raises(UserError, match=r"did not end 'adb shell top' within 0 s; unlock it, keep its screen on"):
        phone.shell("top", timeout=0.2)
    adb.answer("get-state", "offline\n")
    with pytest.raises(PhoneGoneError, match="offline"):
        phone.shell("top", timeout=0.2)
