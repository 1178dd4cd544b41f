"""The measuring programs that run on the phone: a path, or a URL with a pinned SHA-256."""

import dataclasses
import re
import urllib.parse
import urllib.request
from pathlib import Path

from tqdm import tqdm

from train.errors import UserError
from train.files import file_hash, write_atomically

# e_machine of an ELF file → Android's name of the ABI.
_MACHINES = {0xB7: "arm64-v8a", 0x28: "armeabi-v7a", 0x3E: "x86_64", 0x03: "x86", 0xF3: "riscv64"}


@dataclasses.dataclass(frozen=True)
class Tool:
    """A program for the phone."""

    path: Path
    sha256: str


def obtain(flag: str, place: str, sha256: str | None, cache: Path) -> Tool:
    """Return a program, downloaded if it has to be.

    Args:
        flag: that named it, for error messages, such as executor-runner.
        place: path, or http(s) URL.
        sha256: that the file must have; needed with a URL.
        cache: folder of downloads; what is there with the right hash is not fetched again.

    Raises:
        UserError: it is missing, cannot be fetched, or has another hash.
    """
    wanted = sha256.strip().lower() if sha256 is not None else None
    if wanted is not None and not re.fullmatch(r"[0-9a-f]{64}", wanted):
        raise UserError(f"--{flag}-sha256 {sha256} is no SHA-256; it has 64 hexadecimal digits")
    scheme = urllib.parse.urlsplit(place).scheme
    if scheme in ("http", "https"):
        if wanted is None:
            raise UserError(f"--{flag} is a URL; pin what it must give with --{flag}-sha256")
        return Tool(_download(place, wanted, cache, flag), wanted)
    if "://" in place:
        raise UserError(f"--{flag} {place}: only http and https are fetched; download it and give its path")
    path = Path(place)
    if not path.is_file():
        raise UserError(f"--{flag} {place} is no file; give the program built for the phone, or its URL")
    found = file_hash(path)
    if wanted not in (None, found):
        raise UserError(f"{path} has the SHA-256 {found}, not {wanted} of --{flag}-sha256")
    return Tool(path, found)


def check_abi(tool: Tool, abis: list[str]) -> None:
    """Check that a phone of these ABIs can run a program.

    Raises:
        UserError: it is no Linux program, or for another processor.
    """
    head = tool.path.read_bytes()[:20]
    if len(head) < 20 or head[:4] != b"\x7fELF":
        raise UserError(f"{tool.path} is no program for Android; build it with the NDK for {abis[0]}")
    abi = _MACHINES.get(int.from_bytes(head[18:20], "little"), "another processor")
    if abi not in abis:
        raise UserError(
            f"{tool.path} is built for {abi}, the phone runs {', '.join(abis)}; build it for {abis[0]}"
        )


def _download(url: str, sha256: str, cache: Path, flag: str) -> Path:
    name = re.sub(r"[^A-Za-z0-9._-]", "_", Path(urllib.parse.urlsplit(url).path).name) or flag
    path = cache / f"{sha256[:16]}-{name}"
    if path.is_file() and file_hash(path) == sha256:
        return path

    def fetch(temporary: Path) -> None:
        with urllib.request.urlopen(url, timeout=60) as answer, open(temporary, "wb") as file:
            size = int(answer.headers.get("Content-Length") or 0) or None
            with tqdm(total=size, unit="B", unit_scale=True, desc=f"fetching {name}", leave=False) as bar:
                while part := answer.read(1 << 20):
                    file.write(part)
                    bar.update(len(part))
        if (found := file_hash(temporary)) != sha256:
            raise UserError(f"{url} has the SHA-256 {found}, not {sha256} of --{flag}-sha256; it was not kept")

    try:
        write_atomically(path, fetch)
    except (OSError, ValueError) as error:
        raise UserError(f"--{flag} {url} cannot be fetched ({error}); download it and give its path") from None
    return path
