"""Take the pictures of the page anew: `python tests/support/page_pictures.py`.

The shipped animals in a headless Chromium: the three views at a phone's width, and one of them wide and dark.
"""

import io
import tempfile
import threading
from pathlib import Path

from browser import CHROMIUM
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from deploy.web.demo import open_server
from deploy.web.export import WebExportConfig, export_page
from train.commands import ROOT

RUN = ROOT / "train" / "assets" / "animals_student"
FOLDER = ROOT / "deploy" / "web" / "pictures"
# 1 is goldfish, 107 jellyfish, 145 king penguin.
_GRID = "class=107&seed=42&view=grid"
_BLEND = "class=1:0.2,107:0.6,145:0.2&corners=1,107,145&seed=42&view=blend"
_MORPH = "class=107&seed=42&to-class=1&to-seed=7&view=morph"
_GAP = 20
# Functions: the page's policy refuses to evaluate a string.
_MORPHED = "() => document.getElementById('position').value > 70"
_DRAWN = """() => [...document.querySelectorAll('main canvas')].filter((canvas) => {
  const box = canvas.getBoundingClientRect();
  return box.width && box.left >= 0 && box.right <= innerWidth && box.bottom <= innerHeight;
}).every((canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean))"""


def photograph(browser: Browser, address: str, width: int, height: int, scheme: str) -> Image.Image:
    """Return the page at an address, once all that is seen of it is drawn."""
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    # Of a machine that does other work meanwhile, it would be no phone's.
    page.eval_on_selector("#time", "time => { time.hidden = true; }")
    page.wait_for_function(_DRAWN)
    if "morph" in address:
        page.wait_for_function(_MORPHED)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    page.close()
    return picture


def take_pictures(address: str) -> None:
    """Put both pictures into the project."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        views = [photograph(browser, f"{address}#{view}", 400, 800, "light") for view in (_GRID, _BLEND, _MORPH)]
        wide = photograph(browser, f"{address}#{_BLEND}", 1200, 720, "dark")
        browser.close()
    phone = Image.new("RGB", (3 * 400 + 2 * _GAP, 800), "white")
    for place, view in enumerate(views):
        phone.paste(view, (place * (400 + _GAP), 0))
    for name, picture in (("phone", phone), ("desktop", wide)):
        picture.save(FOLDER / f"{name}.jpg", quality=90, subsampling=0, optimize=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        folder = export_page(WebExportConfig(RUN, Path(name, "web"), Path(name, "artifacts")))
        with open_server(folder, "localhost", 8900) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            take_pictures(f"http://localhost:{server.server_address[1]}/")
            server.shutdown()
