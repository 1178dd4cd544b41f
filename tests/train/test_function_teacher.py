import re
from pathlib import Path

import numpy as np
import pytest
import torch

from train.adapted_teacher import RenumberedTeacher, ResizedTeacher, area_weights, at_size_of_a_student
from train.errors import UserError
from train.function_teacher import Description, FunctionTeacher
from train.noise import SAMPLERS
from train.teacher import open_teacher

TOY = Path(__file__).parents[1] / "support" / "toy_generator.py"
SAYS = 'draw.latents, draw.z_dim, draw.classes = "normal", 3, 4\n'


def description(**changes) -> Description:
    return Description(
        **{"name": "toy", "fingerprint": "0", "latents": "normal", "z_dim": 3, "classes": 4} | changes
    )


def grey(z, y):
    return torch.tanh(z[:, :1, None, None] + y[:, None, None, None]).expand(-1, 3, 8, 8)


def test_a_function_says_once_what_it_is():
    teacher = open_teacher(f"{TOY}:draw")
    assert (teacher.image_size, teacher.z_dim, teacher.num_classes, teacher.truncation) == (48, 12, 5, 1.0)
    assert teacher.names == ["ant", "bee", "cat", "dog", "eel"]
    assert teacher.sampler == SAMPLERS["normal"]
    assert teacher.parameters is None
    images = teacher.to(torch.device("cpu"))(torch.zeros(2, 12), torch.tensor([0, 4]))
    assert images.shape == (2, 3, 48, 48) and images.dtype == torch.float32
    assert open_teacher(f"{TOY}:draw", 0.5).truncation == 0.5


def test_a_module_is_opened_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "some_generator_of_mine.py").write_text(
        f"def draw(z, y): return z.new_zeros(len(y), 3, 8, 8)\n{SAYS}"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert open_teacher("some_generator_of_mine:draw").num_classes == 4


def test_the_fingerprint_follows_the_code_and_the_files_named(tmp_path):
    (tmp_path / "weights").write_text("1")
    code = f"def draw(z, y): return z.new_zeros(len(y), 3, 8, 8)\n{SAYS}draw.files = ['weights']\n"
    (tmp_path / "mine.py").write_text(code)
    first = open_teacher(f"{tmp_path}/mine.py:draw").fingerprint
    (tmp_path / "weights").write_text("2")
    assert open_teacher(f"{tmp_path}/mine.py:draw").fingerprint != first


def test_a_torch_module_counts_its_parameters(tmp_path):
    code = (
        "import torch\nclass Net(torch.nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n"
        "        self.shade = torch.nn.Parameter(torch.zeros(7))\n"
        "    def forward(self, z, y): return self.shade[0] + z.new_zeros(len(y), 3, 8, 8) - 0.5\n"
        f"draw = Net()\n{SAYS}"
    )
    (tmp_path / "net.py").write_text(code)
    assert open_teacher(f"{tmp_path}/net.py:draw").parameters == 7


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = 1\n", "has no function 'draw'"),
        ("def dawr(z, y): ...\n", "did you mean dawr"),
        ("def draw(z, y): ...\n", "does not say its latents; write draw.latents"),
        ("def draw(z, y): ...\ndraw.latents = 'normal'\n", "does not say its z_dim"),
        ("raise KeyError('no GPU')\n", "cannot be imported (KeyError"),
        (f"def draw(z, y): ...\n{SAYS}draw.files = ['w.pt']\n", "names the file"),
    ],
)
def test_a_file_that_says_too_little_is_refused(tmp_path, code, message):
    (tmp_path / "mine.py").write_text(code)
    with pytest.raises(UserError, match=re.escape(message)):
        open_teacher(f"{tmp_path}/mine.py:draw")


@pytest.mark.parametrize("spec", ["nowhere.py:draw", "no_such_module_of_mine:draw"])
def test_a_file_that_is_not_there(spec):
    with pytest.raises(UserError, match=r"no file nowhere.py|No module named"):
        open_teacher(spec)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda z, y: torch.zeros(len(y), 8, 8, 3), "made images of shape"),
        (lambda z, y: torch.zeros(len(y), 3, 8, 9), "made images of shape [4, 3, 8, 9]"),
        (lambda z, y: torch.zeros(len(y), 3, 8, 8, dtype=torch.uint8), "made images of uint8; return floats"),
        (lambda z, y: grey(z, y) * 255, "bring them to [-1, 1]"),
        (lambda z, y: grey(z, y) * np.nan, "NaN or infinity"),
        (lambda z, y: torch.rand(len(y), 3, 8, 8), "makes other images of the same z and y"),
        (lambda z, y: grey(z, y) - grey(z, y).mean(), "or in another batch"),
        (lambda z, y: "an image", "returned str"),
    ],
)
def test_images_that_are_none_are_refused(draw, message):
    with pytest.raises(UserError, match=re.escape(message)):
        FunctionTeacher(description(), draw)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latents": "gauss"}, "no law of latents 'gauss'"),
        ({"z_dim": 0}, "z_dim is 0"),
        ({"classes": []}, "classes is 0"),
        ({"classes": "ant,bee"}, "give a list of names"),
        ({"classes": ["ant", "Ant"]}, "two classes are called"),
        ({"truncation": 2.0}, "not in (0, 1]"),
    ],
)
def test_wrong_descriptions_are_refused(changes, message):
    with pytest.raises(UserError, match=re.escape(message)):
        FunctionTeacher(description(**changes), grey)


def test_images_from_0_to_1_are_suspected(capsys):
    FunctionTeacher(description(), lambda z, y: grey(z, y).abs())
    assert "return 2 v - 1" in capsys.readouterr().out


def test_area_resampling_keeps_the_mean_and_averages_blocks():
    weights = area_weights(48, 32)
    assert torch.allclose(weights.sum(1), torch.ones(32))
    assert torch.allclose(weights.sum(0), torch.full((48,), 2 / 3))
    image = torch.rand(8, 8)
    halves = area_weights(8, 4) @ image @ area_weights(8, 4).T
    assert torch.allclose(halves, image.view(4, 2, 4, 2).mean((1, 3)))


def test_larger_images_come_at_a_students_size():
    teacher = open_teacher(f"{TOY}:draw")
    fitted = at_size_of_a_student(teacher, None)
    z, y = torch.randn(2, 12), torch.tensor([1, 3])
    assert fitted.image_size == 32 and fitted(z, y).shape == (2, 3, 32, 32)
    assert torch.allclose(fitted(z, y).mean((2, 3)), teacher(z, y).mean((2, 3)), atol=1e-5)
    with pytest.raises(UserError, match="smaller than --image-size 64; give 32"):
        at_size_of_a_student(teacher, 64)
    with pytest.raises(UserError, match="no size of a student"):
        at_size_of_a_student(teacher, 40)
    assert isinstance(fitted, ResizedTeacher) and fitted.fingerprint == teacher.fingerprint


def test_chosen_classes_are_counted_anew():
    teacher = open_teacher(f"{TOY}:draw")
    chosen = RenumberedTeacher(teacher, [4, 1])
    z = torch.randn(2, 12)
    assert torch.equal(chosen(z, torch.tensor([0, 1])), teacher(z, torch.tensor([4, 1])))
    assert (chosen.num_classes, chosen.names, chosen.teacher_classes) == (2, ["eel", "bee"], [4, 1])
