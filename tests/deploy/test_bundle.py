"""Several models in one folder: groups of classes, and students of several sizes."""

import json
import shutil

import pytest

from deploy import bundle, pipeline, verify
from deploy.bundle import MODELS_FILE, groups_of, numbered_classes, read_models
from deploy.source import open_source
from tests.fixtures.bundles import bundle as fixture
from train.errors import UserError
from train.files import file_hash
from train.snapshot import STUDENT_FILE


@pytest.fixture(scope="module")
def given():
    return fixture()


def write(folder, files):
    for path, text in files.items():
        if text is not None:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def artifacts(plain_artifact, export_run, tmp_path):
    assert pipeline.export([plain_artifact()], open_source(export_run), tmp_path / "plain") == []
    return tmp_path / "plain"


@pytest.fixture
def exported(artifacts, tmp_path):
    """Two sizes of one student and a student of other classes: exported folders that differ as theirs would."""
    for name, changes in {
        "L": {},
        "S": {"sha256": "1" * 64, "channels": 2},
        "others": {"sha256": "2" * 64, "teacher_classes": {"0": 10, "1": 11, "2": 12}},
    }.items():
        folder = tmp_path / "runs" / name / "artifacts"
        shutil.copytree(artifacts, folder, ignore=shutil.ignore_patterns(".*"))
        manifest = json.loads((folder / "manifest.json").read_text())
        if "sha256" in changes:
            changes["sha256"] = {**manifest["model"]["sha256"], "float": changes["sha256"]}
        manifest["model"] |= changes
        (folder / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path / "runs"


def folders(runs, *names):
    return [str(runs / name / "artifacts") for name in names]


def test_a_bundle_holds_all_that_its_models_need(exported, tmp_path, capsys):
    out = tmp_path / "bundle"
    bundle.main([*folders(exported, "L", "others", "S"), "--out", str(out)])
    assert "L, S: 3 classes, class 0, class 1, class 2\nothers: 3 classes" in capsys.readouterr().out
    models = read_models(out)
    assert list(models) == ["L", "others", "S"]
    assert [list(group) for group in groups_of(models)] == [["L", "S"], ["others"]]
    assert list(numbered_classes(models["others"])) == [10, 11, 12]
    assert not [path for path in out.rglob(".*")]
    verify.main([str(out), "--hashes-only"])
    assert capsys.readouterr().out.count("unchanged") == sum(len(m["artifacts"]) for m in models.values())
    bundle.main([*folders(exported, "L", "others"), "--names", "big", "more", "--out", str(out)])
    assert list(read_models(out)) == ["big", "more"] and not (out / "L").exists()


def test_a_changed_artifact_is_neither_bundled_nor_verified(exported, tmp_path, capsys):
    out = tmp_path / "bundle"
    bundle.main([*folders(exported, "L", "S"), "--out", str(out)])
    before = file_hash(out / MODELS_FILE)
    file = json.loads((exported / "S/artifacts/manifest.json").read_text())["artifacts"][0]["file"]
    for place in (exported / "S/artifacts", out / "S"):
        (place / file).write_bytes(b"other")
    with pytest.raises(SystemExit):
        verify.main([str(out), "--hashes-only"])
    assert f"error: {file}: it has 5 bytes" in capsys.readouterr().err
    with pytest.raises(UserError, match=rf"{file} is not the one of its manifest; export it again"):
        bundle.main([*folders(exported, "L", "S"), "--out", str(out)])
    (exported / "S/artifacts" / file).unlink()
    with pytest.raises(UserError, match=rf"{file} is missing; export it again"):
        bundle.main([*folders(exported, "L", "S"), "--out", str(out)])
    assert file_hash(out / MODELS_FILE) == before


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], r"give the folders of the exported models"),
        (["L", "L"], r"two models are called 'L'; give each a name of its own with --names"),
        (["L", "S", "--names", "a"], r"--names has 1 names for 2 folders"),
        (["L", "S", "--names", "a", "b/c"], r"'b/c' is no name of a folder in an app"),
        (["L", "nothing"], r"no manifest\.json in .*nothing"),
        (["L", "L", "--names", "a", "b"], r"a and b are the same student; leave one of them out"),
    ],
)
def test_what_cannot_be_bundled_is_said_in_one_line(exported, tmp_path, flags, message):
    at = flags.index("--names") if "--names" in flags else len(flags)
    with pytest.raises(UserError, match=message) as refused:
        bundle.main([*folders(exported, *flags[:at]), *flags[at:], "--out", str(tmp_path / "bundle")])
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "bundle").exists()


def test_a_folder_of_something_else_is_left_alone(exported):
    with pytest.raises(UserError, match=r"holds something else than a bundle; give another --out"):
        bundle.main([*folders(exported, "L", "S"), "--out", str(exported)])
    assert sorted(path.name for path in exported.iterdir()) == ["L", "S", "others"]


def test_a_run_folder_is_led_to_its_own_artifacts(exported, tmp_path):
    run = exported / "L"
    with pytest.raises(UserError, match=rf"no manifest\.json in {run}; give {run}/artifacts$"):
        bundle.main([str(run), "--out", str(tmp_path / "bundle")])
    (tmp_path / STUDENT_FILE).touch()
    with pytest.raises(UserError, match=rf"export\.py --run {tmp_path}$"):
        bundle.main([str(tmp_path), "--out", str(tmp_path / "bundle")])


def test_what_a_desktop_leaves_is_nothing_else(exported, tmp_path):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / ".DS_Store").touch()
    bundle.main([*folders(exported, "L"), "--out", str(tmp_path / "bundle")])
    assert list(read_models(tmp_path / "bundle")) == ["L"]


def test_the_fixture_of_the_apps_is_a_bundle(given, tmp_path):
    models = read_models(write(tmp_path, given["files"]))
    assert [list(group) for group in groups_of(models)] == given["groups"] == [["L", "S"], ["birds"]]
    assert [found["number"] for found in given["classes"]] == [0, 1, 7, 8, 9, 134, 281, 300, 397]
    assert {found["name"] for found in given["classes"] if found["group"] == 1} == {
        "hen",
        "ostrich, Struthio camelus",
    }


def test_broken_bundles_are_refused_in_one_line(given, tmp_path):
    assert len(given["errors"]) == len({case["name"] for case in given["errors"]}) > 20
    for number, case in enumerate(given["errors"]):
        assert case["files"], case["name"]
        folder = write(tmp_path / str(number), given["files"] | case["files"])
        with pytest.raises(UserError) as refused:
            read_models(folder)
        assert case["word"] in str(refused.value) and "\n" not in str(refused.value), case["name"]
