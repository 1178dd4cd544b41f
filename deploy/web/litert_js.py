"""LiteRT.js, the runtime of `.tflite` files in browsers: fetched by npm once, and run under Node.

`package-lock.json` pins the version and the hashes of what npm fetches. Nothing of it is committed: it lies in a
cache (`$XDG_CACHE_HOME/tinygan-edge/web`, else below `~/.cache`), made ready for the page.
"""

import contextlib
import dataclasses
import functools
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from deploy.golden import Golden
from train.errors import UserError

_HERE = Path(__file__).parent
_LOCK, _PACKAGE = _HERE / "package-lock.json", _HERE / "package.json"
_RUNNER = _HERE / "node_runner.js"
_OLDEST_NODE = 18
VERSION: str = json.loads(_PACKAGE.read_text(encoding="utf-8"))["dependencies"]["@litertjs/core"]

BUILDS = ("litert_wasm_internal", "litert_wasm_compat_internal")
"""With relaxed SIMD (Chrome, Edge), and without it (other browsers, Node 20)."""
FILES = ("litert.js", "wasm-utils.js", *(f"{build}.{kind}" for build in BUILDS for kind in ("js", "bin")))
"""What the page needs of LiteRT.js; a .bin is the build's WebAssembly, gzipped, so that no server has to do it."""


class UnavailableError(UserError):
    """LiteRT.js cannot be had, or not be run, on this machine."""


def fetch() -> Path:
    """Return a folder with `FILES`, which npm fetches at the first call.

    Raises:
        UnavailableError: it is not in the cache, and npm is missing or cannot fetch it.
    """
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinygan-edge" / "web"
    recipe = hashlib.sha256(_LOCK.read_bytes() + Path(__file__).read_bytes()).hexdigest()
    folder = root / f"litert-js-{VERSION}-{recipe[:8]}"
    if folder.is_dir():
        return folder
    if shutil.which("npm") is None:
        raise UnavailableError("npm, which fetches LiteRT.js once, is not installed; apt-get install npm")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root) as temporary:
            ready = Path(temporary) / "ready"
            _prepare(_install(Path(temporary)), ready)
            with contextlib.suppress(OSError):  # another process was first; its folder is the same
                ready.rename(folder)
    except OSError as error:
        raise UnavailableError(
            f"{root} cannot be written to ({error.strerror or error}); set XDG_CACHE_HOME to a folder that can"
        ) from None
    return folder


def _install(folder: Path) -> Path:
    """Let npm fetch the packages into a folder and compare their hashes; return where they are."""
    for file in (_PACKAGE, _LOCK):
        shutil.copy(file, folder)
    quietly = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=1"]
    done = subprocess.run(["npm", "ci", *quietly], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["npm said nothing"]
        raise UnavailableError(f"npm cannot fetch LiteRT.js {VERSION} ({said[0].strip()}); is the network there?")
    return folder / "node_modules" / "@litertjs"


def _prepare(packages: Path, folder: Path) -> None:
    """Make `FILES` of npm's packages.

    The page has no bundler, and a worker no import map: the one import by a package's name becomes one by address.
    """
    folder.mkdir()
    core = (packages / "core" / "dist" / "index.js").read_text(encoding="utf-8")
    core, changed = re.subn(r'from "@litertjs/wasm-utils"', 'from "./wasm-utils.js"', core)
    if changed != 1:
        raise UserError(f"LiteRT.js {VERSION} imports its helpers {changed} times, not once; see {Path(__file__)}")
    utilities = (packages / "wasm-utils" / "dist" / "index.js").read_text(encoding="utf-8")
    for name, text in (("litert.js", core), ("wasm-utils.js", utilities)):
        (folder / name).write_text(re.sub(r"(?m)^//# sourceMappingURL=.*$", "", text), encoding="utf-8")
    for build in BUILDS:
        shutil.copy(packages / "core" / "wasm" / f"{build}.js", folder)
        module = (packages / "core" / "wasm" / f"{build}.wasm").read_bytes()
        (folder / f"{build}.bin").write_bytes(gzip.compress(module, 9, mtime=0))
    (folder / "package.json").write_text('{"type": "module"}\n')  # for Node


@dataclasses.dataclass(frozen=True)
class Drawn:
    """What LiteRT.js made of the golden latents."""

    images: np.ndarray
    """float32 [N, 3, H, W]."""
    fully_delegated: bool
    """Whether XNNPACK computes every operation; otherwise it is slow."""
    runner: str


@functools.cache
def why_unavailable() -> str | None:
    """Return why LiteRT.js does not run under Node here, or None: it does. Found out once per process."""
    if shutil.which("node") is None:
        return "Node is not installed"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = re.match(r"v(\d+)\.", version)
    if major is None or int(major[1]) < _OLDEST_NODE:
        return f"Node is of version {version or 'unknown'}, older than {_OLDEST_NODE}"
    try:
        fetch()
    except UnavailableError as error:
        return str(error)
    return None


def draw_golden(path: Path, golden: Golden) -> Drawn:
    """Draw the golden latents by a `.tflite` file, in a Node process.

    Args:
        path: takes z, and class_weights unless the golden images are of one class; gives float32 [1, H, W, 3].
        golden: latents and classes.

    Raises:
        UnavailableError: see `why_unavailable`.
        UserError: LiteRT.js refuses the file.
    """
    if reason := why_unavailable():
        raise UnavailableError(reason)
    with tempfile.TemporaryDirectory() as folder:
        inputs, images = Path(folder) / "inputs", Path(folder) / "images"
        rows = [np.concatenate(golden.inputs(index), axis=1) for index in range(len(golden.z))]
        inputs.write_bytes(np.concatenate(rows).astype("<f4").tobytes())
        lengths = ",".join(str(part.shape[1]) for part in golden.inputs(0))
        command = ["node", _RUNNER, fetch(), path, inputs, lengths, images]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"Node ended with {done.returncode}"]
            raise UserError(f"LiteRT.js refuses it: {said[-1]}")
        report = json.loads(done.stdout)
        values = np.frombuffer(images.read_bytes(), "<f4").reshape(len(rows), *report["shape"][1:])
    drawn = np.ascontiguousarray(values.transpose(0, 3, 1, 2), np.float32)
    return Drawn(drawn, report["fully_delegated"], f"LiteRT.js {VERSION} under Node {report['node']}")
