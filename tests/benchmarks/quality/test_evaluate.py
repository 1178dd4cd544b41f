import json

import numpy as np
import pytest
from PIL import Image
from quality_images import random_images

from benchmarks.quality import cross_check
from benchmarks.quality import evaluate as module
from benchmarks.quality.evaluate import Asked, QualitySettings, evaluate
from train import digits
from train.errors import UserError
from train.reals import RealImages

CLASSES, PER_CLASS = 4, 10
Y = np.arange(CLASSES * PER_CLASS) % CLASSES


def noisy(images: np.ndarray, amount: int, seed: int = 9) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(-amount, amount + 1, images.shape)
    return (images + noise).clip(0, 255).astype(np.uint8)


TEACHER = random_images(1, len(Y))
MODELS = {"int8.pte": noisy(TEACHER, 60), "float": noisy(TEACHER, 20), "teacher": TEACHER}
ASKED = Asked(Y, 0.5, 7, names={k: f"animal {k}" for k in range(CLASSES)})
REALS = RealImages(random_images(2, 60, brightness=20), np.arange(60) % 5, "the zoo")


@pytest.fixture(scope="module")
def everything(tmp_path_factory, inception_file, pooled_file):
    folder = tmp_path_factory.mktemp("everything")
    settings = QualitySettings(
        inception=inception_file, features=pooled_file, cache=folder / "cache", cross_check=()
    )
    told = []
    found = evaluate(
        MODELS,
        ASKED,
        settings,
        reals=REALS,
        picture=folder / "worst.png",
        worst_of="int8.pte",
        on_row=lambda name, row: told.append((name, dict(row))),
    )
    return found, told, folder


def test_rows_columns_and_record_belong_together(everything):
    found, told, _ = everything
    assert list(found.rows) == list(MODELS)
    assert told == [(name, found.rows[name]) for name in ("teacher", "int8.pte", "float")]
    keys = {key for row in found.rows.values() for key in row} | set(found.floor)
    assert keys == set(found.columns)
    assert all(column["title"] and column["how"] for column in found.columns.values())
    json.dumps(vars(found), allow_nan=False)
    for prefix in ("legacy_tensorflow", "clean"):
        assert {f"fid40_{prefix}", f"kid40_{prefix}", f"inception_score40_{prefix}"} <= set(found.rows["float"])
        assert f"intra_fid10_{prefix}_correlation_to_teacher" in found.rows["float"]
        assert f"fid40_{prefix}_to_teacher" in found.rows["float"]
    assert "fid48_pooled_cells_n40" in found.rows["float"] and "fid24_clean_real_to_real" in found.floor
    assert not any("to_teacher" in key for key in found.rows["teacher"])
    assert not any(key.startswith("inception_score") and "pooled" in key for key in keys)
    record = found.record
    assert (record["images"], record["first_seed"], record["truncation"]) == (40, 7, 0.5)
    assert (record["classes"], record["images_per_class"]) == ("0-3", [10])
    # The fifth class was not asked for.
    assert record["reals"]["source"] == "the zoo" and record["reals"]["images"] == 48
    assert [network["name"] for network in record["networks"]] == ["legacy_tensorflow", "clean", "pooled_cells"]
    assert sum("are fewer than its 2,048 dimensions" in note for note in found.notes) == 2


def test_the_numbers_say_which_model_is_nearer(everything):
    rows = everything[0].rows
    for key in ("fid40_legacy_tensorflow_to_teacher", "fid48_pooled_cells_n40_to_teacher", "l1_to_teacher"):
        assert 0 < rows["float"][key] < rows["int8.pte"][key]
    assert rows["float"]["psnr_to_teacher"] > rows["int8.pte"]["psnr_to_teacher"]
    assert rows["float"]["ssim_to_teacher"] > rows["int8.pte"]["ssim_to_teacher"]
    assert rows["teacher"]["psnr_to_float"] == rows["float"]["psnr_to_teacher"]


def test_intra_fid_of_every_class_and_the_picture_of_the_worst(everything):
    found, _, folder = everything
    values = found.per_class["intra_fid10_legacy_tensorflow"]
    assert set(values) == set(MODELS) and list(values["float"]) == ["0", "1", "2", "3"]
    mean = found.rows["float"]["intra_fid10_legacy_tensorflow"]
    assert mean == pytest.approx(np.mean(list(values["float"].values())), rel=1e-4)
    with Image.open(folder / "worst.png") as picture:
        assert picture.height == CLASSES * 2 * 64 + (CLASSES * 2 - 1) * 2


def test_one_pass_per_network_and_image_set(everything, inception_file, monkeypatch):
    found, _, folder = everything
    assert len(list((folder / "cache").iterdir())) == 3 * (len(MODELS) + 1)
    monkeypatch.setattr("benchmarks.quality.reference.extract", None)  # nothing is computed again
    settings = QualitySettings(inception=inception_file, cache=folder / "cache", cross_check=())
    again = evaluate(MODELS, ASKED, settings, reals=REALS)
    for name, row in again.rows.items():
        assert row == {key: found.rows[name][key] for key in row}


def test_clean_fids_value_stands_beside_ours(tmp_path, inception_file, monkeypatch):
    seen = []

    def distance(own, real):
        seen.append((own.shape, real.shape))
        return 12.25  # its square root of a 2048 × 2048 matrix takes minutes

    monkeypatch.setattr(module, "clean_fid_distance", distance)
    settings = QualitySettings(inception=inception_file, preprocessing=("clean",), cache=tmp_path)
    found = evaluate({"float": MODELS["float"], "int8": MODELS["int8.pte"]}, ASKED, settings, reals=REALS)
    assert found.rows["float"]["fid40_clean_by_clean_fid"] == 12.25
    assert "fid40_clean_by_clean_fid" not in found.rows["int8"]
    assert seen == [((40, 2048), (48, 2048))]
    others = evaluate({"int8": MODELS["int8.pte"]}, ASKED, settings, reals=REALS)
    assert "clean-fid's own value is absent for float: there is no such model." in others.notes
    assert cross_check.clean_fid_distance is not distance


def test_digits_without_a_network(tmp_path):
    images, labels = digits.real_digits()
    models = {"teacher": images[:100], "float": noisy(images[:100], 40), "same": images[:100].copy()}
    asked = Asked(labels[:100], 0.5, None, "real digits")
    found = evaluate(models, asked, QualitySettings(digits=True, cache=tmp_path))
    quality = digits.measure(models["float"], labels[:100], models["teacher"])
    row = found.rows["float"]
    assert row["recognised"] == pytest.approx(quality.recognised, rel=1e-5)
    assert row["diversity"] == pytest.approx(quality.diversity, rel=1e-5)
    assert row["l1_to_teacher"] == pytest.approx(quality.l1_to_teacher, rel=1e-5)
    assert "psnr_to_teacher" not in found.rows["same"] and found.rows["same"]["l1_to_teacher"] == 0
    assert not any("fid" in key for key in found.columns)
    assert any(
        "give the standard inception-2015-12-05.pt with --inception FILE, or fetch it with --download; or" in note
        for note in found.notes
    )
    assert any("same has the very bytes of the teacher" in note for note in found.notes)
    assert not list(tmp_path.iterdir())


def test_without_reals_the_teacher_is_the_reference(tmp_path, pooled_file):
    settings = QualitySettings(features=pooled_file, cache=tmp_path)
    found = evaluate(MODELS, ASKED, settings, picture=tmp_path / "worst.png")
    assert "fid48_pooled_cells_n40_to_teacher" in found.rows["float"]
    assert "fid48_pooled_cells_n40" not in found.rows["float"] and not found.floor
    assert "intra_fid48_pooled_cells_n10_to_teacher" in found.rows["float"]
    assert any("distances are to the teacher's images only" in note for note in found.notes)
    assert any("FID proper is absent" in note for note in found.notes)


def test_given_values_of_a_teacher(tmp_path, pooled_file):
    values = tmp_path / "given.json"
    values.write_text(json.dumps({str(k): k * k for k in range(CLASSES)}))
    settings = QualitySettings(features=pooled_file, cache=tmp_path, teacher_intra_fid=values)
    found = evaluate({"float": MODELS["float"]}, ASKED, settings, reals=REALS)
    own = list(found.per_class["intra_fid48_pooled_cells_n10"]["float"].values())
    expected = np.corrcoef(own, [0, 1, 4, 9])[0, 1]
    assert found.rows["float"]["intra_fid48_pooled_cells_n10_correlation_to_given"] == pytest.approx(
        expected, rel=1e-3
    )


def test_one_class(tmp_path, pooled_file):
    asked = Asked(np.full(len(Y), 3), 0.5, 7)
    settings = QualitySettings(features=pooled_file, cache=tmp_path)
    reals = RealImages(REALS.images, np.full(60, 3), "the zoo")
    found = evaluate(MODELS, asked, settings, reals=reals, picture=tmp_path / "worst.png")
    assert not found.per_class and not any("intra" in key for key in found.columns)
    assert (
        "All images are of class 3: a distance within classes is absent, it would be the whole one." in found.notes
    )
    assert not (tmp_path / "worst.png").exists()


def test_few_images_per_class_leave_intra_fid_out(tmp_path, pooled_file):
    y = np.arange(len(Y)) % 6
    reals = RealImages(REALS.images, np.arange(60) % 6, "the zoo")
    found = evaluate(
        {"float": MODELS["float"]},
        Asked(y, 0.5, 7),
        QualitySettings(features=pooled_file, cache=tmp_path),
        reals=reals,
    )
    assert any(
        "a distance within classes needs 10 images each, the least frequent class has 6" in note
        for note in found.notes
    )
    assert not found.per_class


def settings_of(pooled_file, tmp_path, **changes) -> QualitySettings:
    return QualitySettings(features=pooled_file, cache=tmp_path, **changes)


def test_too_few_images_are_refused(tmp_path, pooled_file, monkeypatch):
    few = {"float": TEACHER[:12]}
    with pytest.raises(UserError, match="need 20 images, there are 12 of every model"):
        evaluate(few, Asked(Y[:12], 0.5, 7), settings_of(pooled_file, tmp_path), reals=REALS)
    reals = RealImages(REALS.images[:16], Y[:16], "the zoo")
    with pytest.raises(UserError, match="need 20 images, there are 16 of real images"):
        evaluate(MODELS, ASKED, settings_of(pooled_file, tmp_path), reals=reals)
    with pytest.raises(UserError, match="a distance within classes of 13 images: there are 10 of class 0"):
        evaluate(MODELS, ASKED, settings_of(pooled_file, tmp_path, intra_samples=13), reals=REALS)
    monkeypatch.setattr("benchmarks.quality.reference.extract", None)  # all of it before the long work
    with pytest.raises(UserError, match="KID by subsets of 30 needs 60 images of each set, there are 40 and 48"):
        evaluate(MODELS, ASKED, settings_of(pooled_file, tmp_path, kid_subset_size=30), reals=REALS)


def test_images_that_do_not_fit_are_refused(tmp_path):
    settings = QualitySettings(cache=tmp_path)
    with pytest.raises(UserError, match="there are no images"):
        evaluate({}, ASKED, settings)
    for wrong in (TEACHER[:5], TEACHER.astype(np.float32), TEACHER[..., :1]):
        with pytest.raises(UserError, match=r"wrong has .* like those of teacher"):
            evaluate({"teacher": TEACHER, "wrong": wrong}, ASKED, settings)
    with pytest.raises(UserError, match="40 images and 5 classes"):
        evaluate({"float": TEACHER}, Asked(Y[:5], 0.5, 7), settings)
    with pytest.raises(UserError, match="the worst classes of 'int4' cannot be drawn; there are float"):
        evaluate({"float": TEACHER}, ASKED, settings, worst_of="int4")
    with pytest.raises(UserError, match="has no images of 1 of the 4 classes"):
        evaluate({"float": TEACHER}, ASKED, settings, reals=RealImages(TEACHER, Y % 3, "the zoo"))
    with pytest.raises(UserError, match="these are digits"):
        evaluate({"float": TEACHER}, ASKED, QualitySettings(digits=True, classifier=tmp_path, cache=tmp_path))
