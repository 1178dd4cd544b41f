import builtins
import re

import numpy as np
import pytest
import torch
from toy_onnx import write_onnx

from train.errors import UserError
from train.noise import SAMPLERS
from train.teacher import open_teacher

ASK = "latents=normal&names=ant,bee,cat,dog,eel"


@pytest.mark.parametrize(
    "form",
    [{}, {"kind": "integers"}, {"batch": 3}, {"channels_last": True}, {"kind": "integers", "batch": 1}],
    ids=str,
)
def test_every_form_of_a_file_draws_the_same(tmp_path, form):
    write_onnx(tmp_path / "plain.onnx", kind="one-hot")
    write_onnx(tmp_path / "other.onnx", **form)
    names = "&y=label" if form.get("kind") != "integers" else ""
    plain = open_teacher(f"onnx:{tmp_path}/plain.onnx?{ASK}&y=label")
    other = open_teacher(f"onnx:{tmp_path}/other.onnx?{ASK}{names}")
    z, y = torch.randn(7, 6), torch.arange(7) % 5
    images = other(z, y)
    assert images.shape == (7, 3, 48, 48)
    expected = plain(z, y)
    if form.get("channels_last"):
        expected = expected.flatten(1).view(7, 48, 48, 3).permute(0, 3, 1, 2)
    assert torch.allclose(images, expected, atol=1e-5)
    assert not torch.allclose(images[0], plain(z, (y + 1) % 5)[0], atol=0.1)
    assert (other.z_dim, other.num_classes, other.image_size) == (6, 5, 48)
    assert (other.sampler, other.names[4], other.name) == (SAMPLERS["normal"], "eel", "other")


def test_the_number_of_classes_is_that_of_a_one_hot_input(tmp_path):
    write_onnx(tmp_path / "net.onnx")
    teacher = open_teacher(f"onnx:{tmp_path}/net.onnx?latents=uniform&z=noise&truncation=0.5")
    assert (teacher.num_classes, teacher.names, teacher.truncation) == (5, [], 0.5)


def test_names_may_stand_in_a_file(tmp_path):
    write_onnx(tmp_path / "net.onnx", names=("z", "y"))
    (tmp_path / "names.txt").write_text("ant\nbee\n\ncat\ndog\neel\n")
    assert open_teacher(f"onnx:{tmp_path}/net.onnx?latents=normal&names={tmp_path}/names.txt").names[1] == "bee"


@pytest.mark.parametrize(
    ("form", "query", "message"),
    [
        ({}, "names=a,b,c,d,e", "does not say the law"),
        ({}, "latents=normal&name=a", "no 'name' (did you mean names"),
        ({}, "latents=normal", "takes the classes? add y=NAME"),
        ({}, "latents=normal&y=lable", "did you mean label"),
        ({}, "latents=normal&y=label&names=a,b", "takes 5 classes, and 2 are named"),
        ({"classes": None}, "latents=normal&y=label", "leaves the number of its classes open"),
        ({"kind": "integers"}, "latents=normal", "leaves the number of its classes open"),
        ({"kind": "integers"}, "latents=normal&z=label&classes=5", "takes integers"),
        ({}, "latents=normal&y=label&truncation=much", "is no number"),
    ],
)
def test_what_a_file_leaves_open_is_asked_for(tmp_path, form, query, message):
    write_onnx(tmp_path / "net.onnx", **form)
    with pytest.raises(UserError, match=re.escape(message)):
        open_teacher(f"onnx:{tmp_path}/net.onnx?{query}")


def test_damaged_and_missing_files(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"PK")
    with pytest.raises(UserError, match="is no readable ONNX file"):
        open_teacher(f"onnx:{tmp_path}/net.onnx?{ASK}")
    with pytest.raises(UserError, match="no ONNX file"):
        open_teacher(f"onnx:{tmp_path}/none.onnx?{ASK}")
    with pytest.raises(UserError, match=r"no saved_model.pb"):
        open_teacher(f"saved_model:{tmp_path}?{ASK}")


@pytest.mark.parametrize(("kind", "package"), [("onnx", "onnxruntime"), ("saved_model", "tensorflow")])
def test_a_missing_package_is_named_with_what_installs_it(tmp_path, monkeypatch, kind, package):
    original = builtins.__import__

    def no_package(name, *rest):
        if name == package:
            raise ImportError(name)
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_package)
    write_onnx(tmp_path / "net.onnx")
    (tmp_path / "saved_model.pb").touch()
    where = tmp_path / "net.onnx" if kind == "onnx" else tmp_path
    with pytest.raises(UserError, match="pip install"):
        open_teacher(f"{kind}:{where}?{ASK}")


def test_a_saved_model_draws_what_its_function_draws(tmp_path):
    tensorflow = pytest.importorskip("tensorflow", reason="the extra tensorflow is not installed")
    weights = np.random.default_rng(0).normal(0, 0.3, (6 + 5, 48 * 48 * 3)).astype(np.float32)

    class Toy(tensorflow.Module):
        @tensorflow.function(
            input_signature=[
                tensorflow.TensorSpec([None, 6], tensorflow.float32, "z"),
                tensorflow.TensorSpec([None], tensorflow.int32, "label"),
                tensorflow.TensorSpec([], tensorflow.float32, "truncation"),
            ]
        )
        def draw(self, z, label, truncation):
            joined = tensorflow.concat([z, truncation * tensorflow.one_hot(label, 5)], 1)
            return {"image": tensorflow.reshape(tensorflow.tanh(joined @ weights), [-1, 48, 48, 3])}

    model = Toy()
    tensorflow.saved_model.save(model, str(tmp_path), signatures={"serving_default": model.draw})
    fingerprint = open_teacher(f"saved_model:{tmp_path}?{ASK}&truncation=0.5").fingerprint
    (tmp_path / ".DS_Store").touch()
    teacher = open_teacher(f"saved_model:{tmp_path}?{ASK}&truncation=0.5")
    assert teacher.fingerprint == fingerprint
    z, y = torch.randn(3, 6), torch.tensor([0, 4, 2])
    joined = np.concatenate([z.numpy(), 0.5 * np.eye(5, dtype=np.float32)[y]], 1)
    expected = np.tanh(joined @ weights).reshape(3, 48, 48, 3).transpose(0, 3, 1, 2)
    assert np.allclose(teacher(z, y), expected, atol=1e-5)
    assert (teacher.z_dim, teacher.num_classes, teacher.truncation) == (6, 5, 0.5)
