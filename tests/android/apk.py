"""Turn classes, resources and native libraries into a signed APK, and verify it."""

import shutil
import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.android import pins
from tests.android.alignment import PAGE, load_alignment, misaligned
from tests.android.libraries import Libraries
from tests.android.resources import APPLICATION
from tests.android.tools import java, run_tool
from train.errors import UserError
from train.files import write_atomically

_ALIGNMENT_FIELD = 0xD935  # Android's extra field: the boundary, then padding
_STORED = (".arsc", ".pte", ".tflite", ".rgb")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same APK from the same input
# apksig 2.3 is of the days when these classes were open.
_SIGNING_FLAGS = [
    f"--add-exports=java.base/sun.security.{package}=ALL-UNNAMED" for package in ("x509", "pkcs", "util")
]
_KEY_ALIAS, _PASSWORD = "androiddebugkey", "android"  # those of Android Studio's debug builds


def ready_for_16_kb(native: Iterable[Path]) -> tuple[list[Path], dict[Path, int]]:
    """Return the libraries that phones with 16 KB pages load, and the others with their alignment."""
    alignments = {path: load_alignment(path) for path in native}
    return [path for path, a in alignments.items() if a >= PAGE], {p: a for p, a in alignments.items() if a < PAGE}


def pack(
    linked: Path, dex: Path, native: Mapping[str, Sequence[Path]], target: Path, left_out: Sequence[str] = ()
) -> None:
    """Write an unsigned APK whose libraries lie on 16 KB boundaries.

    Args:
        linked: resources, assets and manifest.
        dex: the code.
        native: ABI → shared libraries.
        target: the APK.
        left_out: extensions of assets that stay out.
    """

    def write(temporary: Path) -> None:
        with zipfile.ZipFile(linked) as source, zipfile.ZipFile(temporary, "w") as apk:
            for entry in source.infolist():
                if not entry.filename.endswith(tuple(left_out)):
                    _add(apk, entry.filename, source.read(entry), 4)
            _add(apk, "classes.dex", dex.read_bytes(), 4)
            for abi, paths in native.items():
                for path in paths:
                    _add(apk, f"lib/{abi}/{path.name}", path.read_bytes(), PAGE)

    write_atomically(target, write)


def _add(apk: zipfile.ZipFile, name: str, data: bytes, boundary: int) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system = 0
    stored = boundary == PAGE or name.endswith(_STORED)
    entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    if stored:
        assert apk.fp is not None
        start = apk.fp.tell() + 30 + len(name.encode()) + 6
        padding = -start % boundary
        entry.extra = struct.pack("<HHH", _ALIGNMENT_FIELD, 2 + padding, boundary) + bytes(padding)
    apk.writestr(entry, data)


def sign(unsigned: Path, signed: Path, libraries: Libraries, tools: Path, keys: Path) -> str:
    """Sign with a debug key and verify; return by what it was verified.

    Args:
        unsigned: the APK.
        signed: gets the result.
        libraries: apksig.
        tools: classes of the check's own Java programs.
        keys: keystore; made once and kept, because a phone updates an app only to one of the same key.

    Raises:
        ToolError: the signature does not verify.
    """
    if not keys.is_file():
        keys.parent.mkdir(parents=True, exist_ok=True)
        words = ["-alias", _KEY_ALIAS, "-keyalg", "RSA", "-keysize", "2048", "-validity", "10000"]
        words += ["-dname", "CN=Android Debug,O=Android,C=US", "-storetype", "PKCS12", "-storepass", _PASSWORD]
        run_tool(["keytool", "-genkeypair", *words, "-keystore", keys], "no debug key can be made")
    words = [str(word) for word in (unsigned, signed, keys, _PASSWORD, _KEY_ALIAS, pins.MIN_SDK)]
    command = java([tools, *libraries["signing"]], "SignApk", *words, flags=_SIGNING_FLAGS)
    run_tool(command, "the APK cannot be signed and verified")
    if shutil.which("apksigner") is None:
        return "apksig's verifier (apt-get install apksigner adds the command's own check)"
    run_tool(["apksigner", "verify", "--min-sdk-version", str(pins.MIN_SDK), signed], "apksigner refuses the APK")
    return "apksig's verifier and apksigner"


def inspect(apk: Path, libraries: Libraries, abis: Sequence[str]) -> str:
    """Check what a phone's installer reads of an APK.

    Returns:
        The line of `aapt2 dump badging` that names the package.

    Raises:
        UserError: an entry is misaligned, or the package, a version, an ABI or the launcher entry is wrong.
    """
    if problems := misaligned(apk):
        raise UserError(f"{apk}: {problems[0]}")
    badging = run_tool([libraries.aapt2, "dump", "badging", apk], "aapt2 cannot read the APK").splitlines()
    native = " ".join(f"'{abi}'" for abi in sorted(abis))
    expected = (
        f"package: name='{APPLICATION}' ",
        f"minSdkVersion:'{pins.MIN_SDK}'",
        f"targetSdkVersion:'{pins.TARGET_SDK}'",
        f"native-code: {native}",
        "launchable-activity: name=",
    )
    for start in expected:
        if not any(line.startswith(start) for line in badging):
            raise UserError(f"{apk}: aapt2 dump badging has no line {start!r}")
    return badging[0]
