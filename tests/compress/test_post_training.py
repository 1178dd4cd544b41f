"""An int8 student without training, for which no data has to be known."""

import json
import re
import shutil

import pytest
from stand_ins import save_student

from compress import post_training, qat
from compress.float_run import open_run
from compress.int8_file import load_int8
from train.errors import UserError


@pytest.fixture
def imported(tmp_path, trained_like):
    """A folder as train/import_official.py writes it."""
    folder = tmp_path / "official"
    folder.mkdir()
    save_student(folder / "student.safetensors", trained_like())
    (folder / "config.json").write_text(json.dumps({"imported_from": "model_30.tar", "classes": "0-4"}))
    return folder


def test_an_imported_checkpoint_is_quantized_as_the_message_says(imported, capsys):
    with pytest.raises(
        UserError, match=r"imported checkpoint.*python compress/post_training\.py --run \S+"
    ) as error:
        qat.main(["--run", str(imported), "--fresh-discriminator"])
    assert "\n" not in str(error.value)
    named = re.findall(r"post_training\.py (--run) (\S+);", str(error.value))[0]
    post_training.main([*named, "--latents", "40"])
    student, info = load_int8(imported / "qat" / "student_int8.safetensors")
    assert student.quantization.weight_bits == 8
    assert info.images == 0
    level = float(capsys.readouterr().out.split(" dB")[0].split()[-1])
    assert level > 30


def test_the_classes_are_those_of_the_snapshot(digits_run, tmp_path):
    info = open_run(digits_run).info
    _, y = post_training._latents(info, 0, 25)
    assert set(y.tolist()) == set(info.classes)


def test_bits_have_folders_and_a_fine_tuning_is_kept(imported):
    command = ["--run", str(imported), "--latents", "8", "--bits", "W4A8"]
    post_training.main([*command, "--exceptions", "to_rgb.weight=8"])
    student, _ = load_int8(imported / "qat" / "W4A8" / "student_int8.safetensors")
    assert student.operations()["to_rgb.weight"].bits == 8
    (imported / "qat" / "W4A8" / "state.pt").touch()
    with pytest.raises(UserError, match=r"holds a fine-tuning.*--out"):
        post_training.main(command)
    shutil.rmtree(imported / "qat")
    with pytest.raises(UserError, match="--latents must be at least 1, not 0"):
        post_training.main(["--run", str(imported), "--latents", "0"])
