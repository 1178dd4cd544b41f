"""The page with the small student of random weights, a server for it, and Chromium, where it is there."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM

from deploy.web import litert_js
from deploy.web.demo import open_server
from deploy.web.page_folder import write_page
from train.files import file_hash


@pytest.fixture(scope="session")
def litert() -> Path:
    """The folder of LiteRT.js."""
    try:
        return litert_js.fetch()
    except litert_js.UnavailableError as reason:
        pytest.skip(f"the page cannot be made: {reason}")


@pytest.fixture(scope="session")
def int8_file(android_exports) -> Path:
    """The .tflite file that every test here shares; its manifest and golden images lie beside it."""
    return android_exports("student_int8.tflite")


@pytest.fixture(scope="session")
def site(litert, int8_file, tmp_path_factory) -> Path:
    """A folder of pages, one folder each; `good` is as the export has written it."""
    folder = tmp_path_factory.mktemp("site")
    write_page(int8_file.parent, int8_file.name, folder / "good")
    return folder


@pytest.fixture(scope="session")
def address(site) -> Iterator[str]:
    """Where the site is served."""
    server = open_server(site, "localhost", 8700)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def spoiled(site, tmp_path, request) -> Iterator[Callable[..., str]]:
    """(change, relist) → the name of a copy of the page, changed; `relist`: as if exported like that."""
    names = []

    def spoil(change: Callable[[Path], None], relist: bool = False) -> str:
        name = f"{tmp_path.name}-{len(names)}"
        names.append(name)
        shutil.copytree(site / "good", site / name)
        change(site / name)
        if relist:
            _relist(site / name)
        return name

    yield spoil
    for name in names:
        shutil.rmtree(site / name)


def _relist(page: Path) -> None:
    """Let manifest.json and files.json state what the files are now."""
    manifest_file = page / "model" / "manifest.json"
    manifest = json.loads(manifest_file.read_text())
    for entry in manifest["artifacts"]:
        file = page / "model" / entry["file"]
        entry |= {"bytes": file.stat().st_size, "sha256": file_hash(file)}
    manifest_file.write_text(json.dumps(manifest))
    listing = json.loads((page / "files.json").read_text())
    for name, entry in listing["files"].items():
        entry |= {"bytes": (page / name).stat().st_size, "sha256": file_hash(page / name)}
    (page / "files.json").write_text(json.dumps(listing))


@pytest.fixture(scope="module")
def chromium():
    """A headless browser."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on PATH to open the page with; apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium, address):
    """(path, …) → a page of the browser, in a context of its own; `ready`: wait until it can draw."""
    contexts = []

    def open_(path="good/", *, ready=True, before=lambda page: None, **options):
        context = chromium.new_context(**{"viewport": {"width": 400, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        before(page)
        page.goto(path if "://" in path else f"{address}/{path}")
        if ready:
            page.wait_for_selector("body[data-ready]")
        return page

    yield open_
    for context in contexts:
        context.close()
