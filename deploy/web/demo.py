"""Show a student in a browser on this machine: `python deploy/web/demo.py`, or `make demo`.

The newest run becomes a page, or the shipped student where nothing is trained; the page is served until Ctrl-C.
"""

import dataclasses
import errno
import functools
import http.server
import socket
from pathlib import Path

from deploy.web.export import WebExportConfig, export_page
from deploy.web.page_folder import LISTING_FILE
from train.cli import parse, run_script
from train.commands import typed
from train.errors import UserError
from train.snapshot import STUDENT_FILE

_ASSETS = Path(__file__).parents[2] / "train" / "assets"
_SHIPPED = ("animals_student", "digits_student")
_PORTS_TRIED = 20


@dataclasses.dataclass(frozen=True)
class DemoConfig:
    """What is shown, and where."""

    run: Path | None = None
    """Run folder; by default the one in runs/ whose student is the newest, or the shipped student."""
    page: Path | None = None
    """Serve this page, which deploy/web/export.py has written, and export nothing."""
    port: int = 8000
    """Of the server; the next free one is taken if it is busy."""
    host: str = "localhost"
    """0.0.0.0 lets phones in the same network open the page, too."""


def main(arguments: list[str]) -> None:
    """Export and serve."""
    config = parse(DemoConfig, arguments, "Show a student in a browser.")
    folder = config.page or export_page(choose(config.run, Path("runs")))
    if not (folder / LISTING_FILE).is_file():
        raise UserError(f"no page in {folder}; write one with: {typed('deploy/web/export.py')}")
    with open_server(folder, config.host, config.port) as server:
        port = server.server_address[1]
        for name in _addresses(config.host):
            print(f"open http://{name}:{port}/", flush=True)
        print("Ctrl-C ends it", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def choose(run: Path | None, runs: Path) -> WebExportConfig:
    """Return what to export: a run, the newest in a folder, or the shipped student."""
    if run is not None:
        return WebExportConfig(run)
    students = sorted(runs.glob(f"*/{STUDENT_FILE}"), key=lambda path: path.stat().st_mtime)
    if students:
        print(f"the newest run: {students[-1].parent}", flush=True)
        return WebExportConfig(students[-1].parent)
    shipped = next(_ASSETS / name for name in _SHIPPED if (_ASSETS / name).is_dir())
    print(f"nothing is trained in {runs}: the shipped {shipped.name}", flush=True)
    # Of no run: the package's own folder is left as it is.
    place = runs / "embedded" / shipped.name
    return WebExportConfig(shipped, place / "web", place / "artifacts")


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each, and lets browsers ask whether they have changed."""

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def open_server(folder: Path, host: str, port: int) -> http.server.ThreadingHTTPServer:
    """Return a server of a folder, at the first free port from `port` on.

    Raises:
        UserError: none of them is free, or the host is not this machine's.
    """
    handler = functools.partial(_Handler, directory=str(folder))
    for candidate in range(port, port + _PORTS_TRIED):
        try:
            return http.server.ThreadingHTTPServer((host, candidate), handler)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise UserError(f"--host {host} --port {candidate}: {error.strerror or error}") from None
    raise UserError(f"ports {port} to {port + _PORTS_TRIED - 1} are all busy; give another --port")


def _addresses(host: str) -> list[str]:
    """Return the names by which browsers reach a host that the server listens at."""
    if host != "0.0.0.0":
        return [host]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent: it asks which address would send
        return ["localhost", probe.getsockname()[0]]


if __name__ == "__main__":
    run_script(main)
