"""The page in a headless Chromium: what it draws, and what it says when it cannot."""

import functools
import io
import itertools
import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from deploy.android.tflite_file import load_tflite
from deploy.manifest import read_manifest
from deploy.web.demo import open_server
from train.images import to_bytes
from train.noise import truncated_normal

WIDTHS = (400, 1200)


def pixels(page, selector: str) -> np.ndarray:
    """Return the R, G, B of a canvas."""
    script = "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
    values = page.eval_on_selector(selector, script)
    size = int(len(values) ** 0.5 / 2)
    return np.array(values, np.uint8).reshape(size, size, 4)[..., :3]


def drawn(page, selector: str) -> np.ndarray:
    """Return the R, G, B of a canvas once it is drawn."""
    page.wait_for_function(
        "s => { const c = document.querySelector(s); "
        "return c && c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v) }",
        arg=selector,
    )
    page.wait_for_timeout(60)
    return pixels(page, selector)


def expected(path: Path, classes: dict[int, float], seeds: dict[int, float], truncation: float) -> np.ndarray:
    """Return the same image by the runtime of this machine, in another language's arithmetic."""
    z = sum(
        np.float32(w) * truncated_normal(np.array([seed], np.uint64), 8, truncation) for seed, w in seeds.items()
    )
    weights = np.zeros((1, 3), np.float32)
    for index, weight in classes.items():
        weights[0, index] = weight
    return to_bytes(torch.from_numpy(np.ascontiguousarray(load_tflite(path)(z, weights))))[0]


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = float(((a.astype(float) - b) ** 2).mean())
    return 10 * np.log10(255**2 / error) if error else float("inf")


def wait_for_link(page, *parts: str) -> None:
    """Wait until the address says all of `parts`; a page drawn a moment later writes it a moment later."""
    page.wait_for_function("parts => parts.every(part => location.href.includes(part))", arg=parts)


def saved(page) -> tuple[np.ndarray, str, str]:
    """Save what the viewer shows; return its pixels, the recipe inside and the file's name."""
    with page.expect_download() as download:
        page.click("#save")
    content = Path(download.value.path()).read_bytes()
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return np.asarray(image.convert("RGB")), image.text["tinygan"], download.value.suggested_filename


@pytest.mark.parametrize("width", WIDTHS)
def test_it_draws_at_every_width(open_page, address, width, tmp_path):
    asked, said = [], []

    def watch(page):
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))

    page = open_page(viewport={"width": width, "height": 800}, before=watch)
    count = 9 if width == 400 else 15
    page.wait_for_function(f"document.querySelectorAll('#tiles canvas').length === {count}")
    last = drawn(page, f"#tiles li:nth-child({count}) canvas")
    assert last.std() > 1 and not np.array_equal(last, drawn(page, "#tiles li:first-child canvas"))
    for view, scheme in itertools.product(("grid", "blend", "morph"), ("light", "dark")):
        page.click(f"#tab-{view}")
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(150)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
        picture = Image.open(io.BytesIO(page.screenshot(path=tmp_path / f"{view}-{width}-{scheme}.png")))
        ground = np.asarray(picture.convert("L"))[2, 2]
        assert (ground > 200) is np.bool_(scheme == "light")
    small = page.evaluate(
        "[...document.querySelectorAll('button, select, input')].filter(e => e.offsetParent && "
        "!e.matches('[type=range], [type=radio], #film *') && e.offsetHeight < 44).map(e => e.id || e.className)"
    )
    assert small == [], "too small for a thumb"
    assert page.inner_text("#time").endswith("ms a picture")
    assert [url for url in asked if not url.startswith((f"{address}/good/", "blob:"))] == []
    assert [line for line in said if "getImageData" not in line] == []  # which is this test's own


def test_little_goes_over_the_wire(open_page):
    sizes = {}
    page = open_page(
        before=lambda page: page.on("response", lambda r: sizes.update({r.url: int(r.headers["content-length"])}))
    )
    page.wait_for_selector("body[data-offline]")
    assert 2_500_000 < sum(sizes.values()) < 4_000_000  # the service worker's second look is the browser's cache
    assert sum("litert_wasm" in url and url.endswith(".bin") for url in sizes) == 1


def test_a_saved_picture_is_the_one_that_python_draws(open_page, int8_file):
    page = open_page("good/#class=2&seed=18446744073709551615&truncation=0.8")
    drawn(page, "#viewer-canvas")
    image, recipe, name = saved(page)
    model = read_manifest(int8_file.parent)["model"]["sha256"]["float"][:16]
    assert recipe == f"model={model}&class=2&seed=18446744073709551615&truncation=0.8"
    assert name == "tinygan-class-2-seed-18446744073709551615.png"
    wanted = expected(int8_file, {2: 1}, {2**64 - 1: 1}, 0.8)
    assert image.shape == wanted.shape and psnr(image, wanted) > 40
    assert psnr(image, expected(int8_file, {2: 1}, {2**64 - 2: 1}, 0.8)) < 38  # another seed is another picture
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.getElementById('viewer-recipe').textContent.startsWith('seed 0 ')")
    page.wait_for_timeout(200)
    assert psnr(pixels(page, "#viewer-canvas"), expected(int8_file, {2: 1}, {0: 1}, 0.8)) > 40
    page.keyboard.press("Escape")
    assert not page.is_visible("#viewer")


def test_a_link_comes_back_through_the_clipboard(open_page, address):
    page = open_page(
        "good/#class=1&seed=5&truncation=0.35&view=grid", permissions=["clipboard-read", "clipboard-write"]
    )
    page.click("#tiles li:nth-child(3) button")
    page.click("#copy")
    page.wait_for_selector("#notice:not([hidden])")
    assert "copied" in page.inner_text("#notice")
    link = page.evaluate("navigator.clipboard.readText()")
    before = drawn(page, "#viewer-canvas")
    assert link.startswith(f"{address}/good/#model=") and link.endswith("&class=1&seed=7&truncation=0.35")
    assert page.get_attribute("#open-app", "href") == f"tinygan://draw?{link.partition('#')[2]}"
    other = open_page(link)
    assert np.array_equal(drawn(other, "#viewer-canvas"), before)
    assert not other.is_visible("#notice")


def test_a_finger_blends_three_classes(open_page, int8_file):
    page = open_page("good/#class=0:0.5,1:0.3,2:0.2&seed=42&truncation=0.5", has_touch=True)
    drawn(page, "#viewer-canvas")
    image, recipe, _ = saved(page)
    assert recipe.endswith("&class=0:0.5,1:0.3,2:0.2&seed=42&truncation=0.5")
    assert psnr(image, expected(int8_file, {0: 0.5, 1: 0.3, 2: 0.2}, {42: 1}, 0.5)) > 40
    page.click("#close")
    assert page.get_attribute("#tab-blend", "aria-selected") == "true"
    assert page.get_attribute("#pad", "aria-valuetext") == "50 % class 0 + 30 % class 1 + 20 % class 2"
    box = page.locator("#pad").bounding_box()
    page.touchscreen.tap(box["x"] + 20, box["y"] + box["height"] - 20)
    assert page.get_attribute("#pad", "aria-valuetext") == "class 1"
    page.focus("#pad")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#pad", "aria-valuetext") == "96 % class 1 + 4 % class 2"
    page.select_option("#corner-2", "0")
    assert page.inner_text("#blend-title") == "4 % class 0 + 96 % class 1"
    wait_for_link(page, "view=blend", "class=0:0.04,1:0.96")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert page.get_attribute("#pad", "aria-valuetext") == "4 % class 0 + 96 % class 1"


def test_a_morph_plays_by_itself_and_stops_when_asked(open_page, int8_file):
    page = open_page("good/#view=morph&class=0&seed=1&to-class=2&to-seed=9")
    page.wait_for_function("document.getElementById('position').value > 3")
    page.click("#play")
    stopped = page.input_value("#position")
    page.wait_for_timeout(300)
    assert page.input_value("#position") == stopped
    page.eval_on_selector("#position", "e => { e.value = 25; e.dispatchEvent(new Event('input')) }")
    page.click("#morph-picture")
    drawn(page, "#viewer-canvas")
    image, recipe, _ = saved(page)
    assert recipe.endswith("&class=0:0.75,2:0.25&seed=1:0.75,9:0.25&truncation=0.5")
    assert psnr(image, expected(int8_file, {0: 0.75, 2: 0.25}, {1: 0.75, 9: 0.25}, 0.5)) > 40


def test_where_motion_is_unwanted_nothing_moves(open_page):
    page = open_page("good/#view=morph&class=0&seed=1&to-class=2&to-seed=9", reduced_motion="reduce")
    page.wait_for_timeout(500)
    assert page.input_value("#position") == "0"
    assert page.get_attribute("#play", "aria-label") == "Play"


def test_a_keyboard_reaches_everything(open_page):
    page = open_page("good/#class=0&seed=3&view=grid")
    page.focus("#tab-grid")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-blend" and page.is_visible("#blend")
    page.keyboard.press("ArrowLeft")
    page.focus("#classes input:checked")
    page.keyboard.press("ArrowRight")
    wait_for_link(page, "class=1&")
    page.focus("#truncation")
    page.keyboard.press("End")
    assert page.inner_text("#truncation-value") == "1"
    wait_for_link(page, "truncation=1&")
    page.fill("#seed", "12345678901234567890")
    page.keyboard.press("Enter")
    wait_for_link(page, "seed=12345678901234567890")
    page.fill("#seed", "-4")
    page.keyboard.press("Enter")
    assert "“-4” is no whole number" in page.inner_text("#notice")
    assert page.input_value("#seed") == "12345678901234567890"
    names = page.evaluate(
        "[...document.querySelectorAll('button, input, select, [role=slider]')].filter(e => !(e.ariaLabel || "
        "e.textContent.trim() || e.labels?.[0]?.textContent.trim())).map(e => e.outerHTML)"
    )
    assert names == [], "nothing that a screen reader could say"
    page.focus("#tiles button")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.closest('dialog')?.id") == "viewer"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.matches('#tiles button')")


def test_it_works_without_a_network_once_loaded(chromium, site):
    server = open_server(site, "localhost", 8800)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"http://localhost:{server.server_address[1]}/good/")
    page.wait_for_selector("body[data-offline]")
    server.shutdown()
    thread.join()
    server.server_close()
    page.goto("about:blank")
    page.goto(f"http://localhost:{server.server_address[1]}/good/#class=1&seed=4")
    page.wait_for_selector("body[data-ready]")
    assert drawn(page, "#viewer-canvas").std() > 1
    context.close()


def test_links_that_lead_nowhere_are_told(open_page):
    page = open_page("good/#class=7&seed=1")
    assert "class 7, which this model does not draw" in page.inner_text("#notice")
    assert drawn(page, "#tiles canvas").std() > 1
    for link, sentence in (
        ("#class=1&seed=one", "“one” is no whole number"),
        ("#class=0:0.9,1:0.5", "sum to 1.40, not 1"),
        ("#model=0123456789abcdef&class=1&seed=3", "made with another model"),
    ):
        page.evaluate("link => location.hash = link", link)
        page.wait_for_function("s => document.getElementById('notice').textContent.includes(s)", arg=sentence)


@pytest.mark.slow
def test_a_model_of_one_class_has_no_choice_of_classes(open_page, one_class_exports, site, litert):
    from deploy.web.page_folder import write_page

    path = one_class_exports("student_int8.tflite")
    write_page(path.parent, path.name, site / "one-class")
    page = open_page("one-class/")
    assert drawn(page, "#tiles canvas").std() > 1
    assert not page.is_visible("#tab-blend") and not page.is_visible("#class-choice")
    page.click("#tab-morph")
    assert drawn(page, "#morph-picture canvas").std() > 1 and not page.is_visible("#to-class")


def flip(name: str, page: Path) -> None:
    content = bytearray((page / name).read_bytes())
    content[len(content) // 2] ^= 1
    (page / name).write_bytes(content)


def remove(name: str, page: Path) -> None:
    (page / name).unlink()


def replace(name: str, content: bytes, page: Path) -> None:
    (page / name).write_bytes(content)


def cut(name: str, page: Path) -> None:
    replace(name, (page / name).read_bytes()[:-100], page)


def edit_manifest(change, page: Path) -> None:
    path = page / "model" / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


MODEL, MANIFEST, GOLDEN = "model/student_int8.tflite", "model/manifest.json", "model/golden_int8.rgb"
WASM = "litert/litert_wasm_internal"
BROKEN = {
    "no model": (remove, MODEL, False, f"{MODEL} is missing on the server (it answers 404)"),
    "a changed model": (flip, MODEL, False, f"{MODEL} is not the file that was exported"),
    "a model cut off": (cut, MODEL, False, f"{MODEL} is not the file that was exported"),
    "no manifest": (remove, MANIFEST, False, f"{MANIFEST} is missing on the server"),
    "no golden image": (remove, GOLDEN, False, f"{GOLDEN} is missing on the server"),
    "a changed golden image": (flip, GOLDEN, False, f"{GOLDEN} is not the file that was exported"),
    "no listing": (remove, "files.json", False, "files.json is missing on the server"),
    "changed WebAssembly": (flip, f"{WASM}.bin", False, f"{WASM}.bin is not the file that was exported"),
    "no glue": (remove, f"{WASM}.js", False, f"{WASM}.js is missing on the server"),
    "no LiteRT.js": (remove, "litert/litert.js", False, "litert/litert.js is missing on the server"),
    "no worker": (remove, "worker.js", False, "could not be started"),
    "no part of the worker": (remove, "sha256.js", False, "A part of the page is missing on the server"),
    "no part of the page": (remove, "blend.js", False, "A part of the page is missing on the server"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_folder_is_told_in_a_sentence(open_page, spoiled, case):
    change, name, relist, sentence = BROKEN[case]
    page = open_page(spoiled(functools.partial(change, name), relist) + "/", ready=False)
    assert_failure(page, sentence)


def assert_failure(page, sentence: str) -> None:
    page.wait_for_selector("#failure:not([hidden])")
    assert sentence in page.inner_text("#failure")
    assert not page.is_visible("main") and not page.is_visible("#loading")
    assert page.locator("#tiles canvas").count() == 0


def test_a_model_that_draws_other_pictures_shows_none(open_page, spoiled):
    negative = lambda page: replace(GOLDEN, bytes(255 - b for b in (page / GOLDEN).read_bytes()), page)  # noqa: E731
    page = open_page(spoiled(negative, relist=True) + "/", ready=False)
    assert_failure(page, "dB from the stored one, 30 dB are needed)")


def test_an_artifact_of_another_format_is_told(open_page, spoiled):
    program = functools.partial(replace, MODEL, b"\x20\x00\x00\x00ET12 and more")
    page = open_page(spoiled(program, relist=True) + "/", ready=False)
    assert_failure(page, "student_int8.tflite cannot be used: it is no TFLite file.")

    def four_classes(manifest):
        manifest["model"]["num_classes"] = 4
        manifest["artifacts"][0]["inputs"][1]["shape"] = [1, 4]

    page = open_page(spoiled(functools.partial(edit_manifest, four_classes), relist=True) + "/", ready=False)
    assert_failure(
        page, "cannot be used: it takes class_weights float32 [1, 3] and z float32 [1, 8] and gives image"
    )


def test_a_manifest_of_another_format_is_told(open_page, spoiled):
    newer = functools.partial(edit_manifest, lambda manifest: manifest.update(format="tinygan-edge-manifest-2"))
    page = open_page(spoiled(newer, relist=True) + "/", ready=False)
    assert_failure(page, "format is “tinygan-edge-manifest-2”, not “tinygan-edge-manifest-1”")


def test_a_browser_that_cannot_is_told(open_page):
    page = open_page(ready=False, before=lambda page: page.add_init_script("delete window.WebAssembly"))
    assert_failure(page, "no WebAssembly")
    page = open_page(ready=False, before=lambda page: page.add_init_script("delete window.DecompressionStream"))
    assert_failure(page, "too old")


def test_a_page_opened_as_a_file_is_told(open_page, site):
    page = open_page((site / "good" / "index.html").as_uri(), ready=False)
    assert_failure(page, "python -m http.server")


@pytest.mark.parametrize(
    ("spoiling", "sentence"),
    [
        ("new WebAssembly.Memory({initial: 65536, maximum: 65536}); throw new RangeError("
         "'WebAssembly.instantiate(): Out of memory: Cannot allocate Wasm memory for new instance')",
         "There is not enough memory"),
        ("throw new WebAssembly.CompileError('Wasm code generation disallowed')", "WebAssembly does not start"),
    ],
)  # fmt: skip
def test_a_machine_that_cannot_is_told(open_page, spoiling, sentence):
    def before(page):
        def spoil(route):
            code = f"WebAssembly.instantiate = async () => {{ {spoiling} }};\n"
            response = route.fetch()
            route.fulfill(response=response, body=code + response.text())

        page.route("**/worker.js", spoil)

    assert_failure(open_page(ready=False, before=before), sentence)
