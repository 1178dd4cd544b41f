"""The page as a folder, and the demo."""

import errno
import hashlib
import json
import os
import re
import shutil
import threading
import urllib.request
from pathlib import Path

import pytest

from deploy.manifest import read_manifest
from deploy.web import demo, export, page_folder
from deploy.web.export import WebExportConfig, export_page
from deploy.web.page_folder import write_page
from train.errors import UserError
from train.snapshot import STUDENT_FILE


def listing(page: Path) -> dict:
    return json.loads((page / "files.json").read_text())


def test_the_page_is_listed_file_by_file(site, int8_file):
    page = site / "good"
    files = listing(page)["files"]
    there = {path.relative_to(page).as_posix() for path in page.rglob("*") if path.is_file()}
    assert there - files.keys() == {"files.json", "service-worker.js"}
    for name, entry in files.items():
        content = (page / name).read_bytes()
        assert entry == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert (page / "model" / int8_file.name).read_bytes() == int8_file.read_bytes()
    (artifact,) = json.loads((page / "model" / "manifest.json").read_text())["artifacts"]
    assert artifact in read_manifest(int8_file.parent)["artifacts"]
    assert f"'{listing(page)['version']}'" in (page / "service-worker.js").read_text()


def test_what_is_fetched_is_never_committed(site):
    tracked = Path(export.__file__).parent / "page"
    assert not list(tracked.rglob("*.bin")) and not list(tracked.rglob("litert*"))
    assert "litert_wasm" not in (site / "good" / "index.html").read_text()


def test_nothing_in_the_page_names_another_host(site):
    page = site / "good"
    for path in [*page.glob("*.js"), *page.glob("*.css"), *page.glob("*.html"), *page.glob("*.webmanifest")]:
        assert "://" not in path.read_text().replace("tinygan://draw", ""), path.name


def test_another_model_is_another_version(site, int8_file, tmp_path):
    artifacts = shutil.copytree(int8_file.parent, tmp_path / "artifacts")
    write_page(artifacts, int8_file.name, tmp_path / "web")
    assert listing(tmp_path / "web") == listing(site / "good")
    with (artifacts / "golden_int8.rgb").open("r+b") as file:
        file.write(b"x")
    write_page(artifacts, int8_file.name, tmp_path / "web")
    assert listing(tmp_path / "web")["version"] != listing(site / "good")["version"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["artifacts", "web"]


def test_a_folder_of_something_else_is_left_alone(litert, int8_file, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("dear")
    with pytest.raises(UserError, match="holds something else than a page; give another --out"):
        write_page(int8_file.parent, int8_file.name, tmp_path / "letters")
    assert [path.name for path in (tmp_path / "letters").iterdir()] == ["a.txt"]


def test_what_a_desktop_leaves_neither_counts_nor_travels(litert, site, int8_file, tmp_path, monkeypatch):
    monkeypatch.setattr(page_folder, "_PAGE", shutil.copytree(page_folder._PAGE, tmp_path / "page"))
    (tmp_path / "web").mkdir()
    for place in ("page/.DS_Store", "web/.DS_Store", "web/desktop.ini"):
        (tmp_path / place).touch()
    write_page(int8_file.parent, int8_file.name, tmp_path / "web")
    assert listing(tmp_path / "web") == listing(site / "good")


def test_an_artifact_that_browsers_run_slowly_becomes_no_page(litert, int8_file, tmp_path):
    artifacts = shutil.copytree(int8_file.parent, tmp_path / "artifacts")
    manifest = json.loads((artifacts / "manifest.json").read_text())
    for entry in manifest["artifacts"]:
        entry["checks"]["litert_js"] = {"fully_delegated": False}
    (artifacts / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="would be slow in a browser"):
        write_page(artifacts, int8_file.name, tmp_path / "web")
    with pytest.raises(UserError, match=r"no student_int2\.tflite in"):
        write_page(artifacts, "student_int2.tflite", tmp_path / "web")
    assert not (tmp_path / "web").exists()


@pytest.mark.usefixtures("litert", "few_golden_images")
def test_a_run_becomes_a_page(export_run, int8_file, tmp_path, capsys):
    artifacts = shutil.copytree(int8_file.parent, tmp_path / "artifacts")
    export.main(["--run", str(export_run), "--out", str(tmp_path / "web"), "--artifacts", str(artifacts)])
    said = capsys.readouterr().out
    assert "student_int8.tflite" in said and "is there" in said and f"page: {tmp_path / 'web'}" in said
    assert listing(tmp_path / "web")["litert"]


def test_without_an_int8_student_it_is_asked_for(export_run, tmp_path):
    shutil.copy(export_run / STUDENT_FILE, tmp_path)
    with pytest.raises(UserError, match=r"no int8 student; make it with: python compress/qat\.py --run"):
        export_page(WebExportConfig(tmp_path, precision="int8"))


def test_the_demo_shows_the_newest_run_or_the_shipped_student(tmp_path, capsys):
    shipped = demo.choose(None, tmp_path / "runs")
    assert (shipped.run / STUDENT_FILE).is_file() and shipped.run.parent.name == "assets"
    assert shipped.out is not None and tmp_path in shipped.out.parents
    assert shipped.artifacts is not None and tmp_path in shipped.artifacts.parents
    assert "the shipped" in capsys.readouterr().out
    for age, name in ((200, "older"), (100, "newest"), (50, "unfinished")):
        (tmp_path / "runs" / name).mkdir(parents=True)
        if name != "unfinished":
            student = tmp_path / "runs" / name / STUDENT_FILE
            student.touch()
            os.utime(student, (1e9 - age, 1e9 - age))
    assert demo.choose(None, tmp_path / "runs") == WebExportConfig(tmp_path / "runs" / "newest")
    assert demo.choose(tmp_path / "mine", tmp_path / "runs").run == tmp_path / "mine"


def test_a_busy_port_is_passed_over(tmp_path):
    with demo.open_server(tmp_path, "localhost", 8900) as first:
        port = first.server_address[1]
        with demo.open_server(tmp_path, "localhost", port) as second:
            assert second.server_address[1] > port


def test_hosts_that_cannot_be_served_are_told(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"^--host 192\.0\.2\.7 --port 8900: "):
        demo.open_server(tmp_path, "192.0.2.7", 8900)

    def busy(*arguments):
        raise OSError(errno.EADDRINUSE, "busy")

    monkeypatch.setattr(demo.http.server, "ThreadingHTTPServer", busy)
    with pytest.raises(UserError, match="ports 8900 to 8919 are all busy; give another --port"):
        demo.open_server(tmp_path, "localhost", 8900)
    with pytest.raises(UserError, match=r"no page in .*; write one with"):
        demo.main(["--page", str(tmp_path)])


def test_the_demo_serves_until_it_is_stopped(site, capsys, monkeypatch):
    answers = []

    def serve_once(server):
        address = f"http://localhost:{server.server_address[1]}/latents.js"
        visitor = threading.Thread(target=lambda: answers.append(visit(address)))
        visitor.start()
        server.handle_request()
        visitor.join()
        raise KeyboardInterrupt

    def visit(address):
        with urllib.request.urlopen(address, timeout=20) as answer:
            return answer.headers["Content-Type"], answer.headers["Cache-Control"], answer.read()

    monkeypatch.setattr(demo.http.server.ThreadingHTTPServer, "serve_forever", serve_once)
    demo.main(["--page", str(site / "good"), "--port", "8950"])
    ((kind, cache, content),) = answers
    assert kind == "text/javascript" and cache == "no-cache" and b"splitmix64" in content
    assert re.match(r"open http://localhost:89\d\d/\nCtrl-C ends it\n", capsys.readouterr().out)
