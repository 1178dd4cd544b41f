import json

import pytest

from compress import sensitivity
from train import judging
from train.errors import UserError


def test_each_layer_has_its_cost_and_the_costliest_comes_first(digits_run, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    command = ["--run", str(digits_run), "--out", str(tmp_path), "--images", "4", "--bits", "W4A8"]
    sensitivity.main([*command, "--exceptions", "to_rgb.weight=float"])
    report = json.loads((tmp_path / "sensitivity.json").read_text())
    levels = [row["psnr_to_float"] for row in report["layers"].values()]
    assert levels == sorted(levels)
    assert "to_rgb.weight" not in report["layers"]
    assert {"to_rgb.output", "input_linear.weight", "blocks.0.conv1.depthwise.output"} <= report["layers"].keys()
    groups = {name: row["psnr_to_float"] for name, row in report["groups"].items()}
    # With four bits the weights err most; what eight-bit activations add may cancel some of it.
    assert groups["everything"] < groups["all activations"] - 3 and groups["all weights"] < levels[0], groups
    assert report["float"]["l1_to_teacher"] > 0
    assert (tmp_path / "sensitivity.png").stat().st_size > 1000
    assert "all weights" in capsys.readouterr().out


def test_a_senseless_number_of_images_is_refused(tmp_path):
    with pytest.raises(UserError, match=f"--images must be between 1 and {judging.JUDGED_IMAGES}, not 0"):
        sensitivity.main(["--run", str(tmp_path), "--images", "0"])
