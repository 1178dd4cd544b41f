import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from train.errors import UserError
from train.generator import ConditionalBatchNorm2d, Generator, GeneratorConfig
from train.images import ROW_GAP, to_bytes
from train.noise import consecutive_seeds, truncated_normal
from train.sample import main
from train.sampling import generate, generate_mixtures, labelled_rows
from train.snapshot import SnapshotInfo, load_snapshot, save_snapshot

Z_DIM = 6


@pytest.fixture
def run(tmp_path):
    """A run folder of a random student at 32×32: 10 classes, of which 0-4 and 7 were trained."""
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(channels=2, image_size=32, num_classes=10, z_dim=Z_DIM))
    for module in generator.modules():
        if isinstance(module, ConditionalBatchNorm2d):
            nn.init.normal_(module.gain_bias.weight, std=0.2)  # else the class changes nothing
    classes = {index: f"name {index}, synonym" for index in (0, 1, 2, 3, 4, 7)}
    info = SnapshotInfo(generator.config, classes, truncation=0.7, source="a test")
    save_snapshot(tmp_path / "run" / "student.safetensors", generator, info)
    return tmp_path / "run"


@pytest.fixture
def refused(run, tmp_path):
    """Expect one line that matches, and no new file."""

    def check(message, *arguments):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(UserError, match=message) as error:
            main(list(map(str, arguments)))
        assert "\n" not in str(error.value)
        assert sorted(tmp_path.rglob("*")) == before

    return check


def student(run):
    return load_snapshot(run / "student.safetensors")[0]


def latents(seed, count, truncation=0.7):
    return torch.from_numpy(truncated_normal(consecutive_seeds(seed, count), Z_DIM, truncation))


def right_part(path, width):
    """The images of a sheet of two rows, without the labels on their left and the gap between the rows."""
    with Image.open(path) as picture:
        images = np.asarray(picture)[:, -width:]
    row = (len(images) - ROW_GAP) // 2
    return np.concatenate([images[:row], images[row + ROW_GAP :]])


def test_image_k_of_the_grid_has_the_latent_of_seed_plus_k(run, capsys):
    main(["--run", str(run), "--seed", "5", "--columns", "3", "--classes", "7,0"])
    with torch.no_grad():
        images = to_bytes(student(run)(latents(5, 6), torch.tensor([7, 7, 7, 0, 0, 0])))
    rows = images.reshape(2, 3, 32, 32, 3).transpose(0, 2, 1, 3, 4).reshape(64, 96, 3)
    enlarged = rows.repeat(3, axis=0).repeat(3, axis=1)
    drawn = right_part(run / "samples" / "grid_classes-7,0_seed-5_columns-3.png", 288)
    assert drawn.shape == enlarged.shape
    assert np.abs(drawn.astype(int) - enlarged).max() <= 1
    assert "columns-3.png: 2 rows of 3 images" in capsys.readouterr().out


def test_every_trained_class_has_a_row_by_default(run, tmp_path):
    main(["--run", str(run), "--save-arrays", str(tmp_path / "grid.npz"), "--columns", "2"])
    with np.load(tmp_path / "grid.npz") as arrays:
        assert arrays["y"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 7, 7]
        assert arrays["y"].dtype == np.int64 and arrays["z"].dtype == np.float32
        assert arrays["images"].shape == (12, 3, 32, 32) and arrays["images"].dtype == np.float32
        np.testing.assert_array_equal(arrays["z"], latents(0, 12).numpy())


def test_the_same_seed_gives_the_same_bytes(run, tmp_path):
    written = []
    for name in ("first", "second"):
        png, npz = tmp_path / f"{name}.png", tmp_path / f"{name}.npz"
        main(["--run", str(run), "--out", str(png), "--save-arrays", str(npz), "--truncation", "0.3"])
        written.append((png.read_bytes(), npz.read_bytes()))
    assert written[0] == written[1]
    main(["--run", str(run), "--out", str(png), "--save-arrays", str(npz), "--truncation", "0.3", "--seed", "1"])
    assert png.read_bytes() != written[0][0]


def test_saved_arrays_come_back_as_latents(run, tmp_path):
    grid, again = tmp_path / "grid.npz", tmp_path / "again.npz"
    main(["--run", str(run), "--save-arrays", str(grid)])
    checkpoint = str(run / "student.safetensors")
    main(["--checkpoint", checkpoint, "--latents", str(grid), "--save-arrays", str(again)])
    assert grid.read_bytes() == again.read_bytes()
    assert not (run / "student_grid.png").exists()


def test_a_checkpoint_gets_its_picture_beside_it(run):
    main(["--checkpoint", str(run / "student.safetensors")])
    assert (run / "student_grid.png").is_file()


def test_z_strips_walk_between_two_latents_in_each_class(run, tmp_path):
    arguments = ["--interpolate", "z", "--steps", "5", "--classes", "2,3", "--seed", "9"]
    main(["--run", str(run), *arguments, "--save-arrays", str(tmp_path / "z.npz")])
    assert (run / "samples" / "interpolate_z_classes-2,3_seed-9_steps-5.png").is_file()
    with np.load(tmp_path / "z.npz") as arrays:
        z, y = arrays["z"].reshape(2, 5, Z_DIM), arrays["y"].reshape(2, 5)
    ends = latents(9, 4).numpy()
    np.testing.assert_array_equal(z[:, 0], ends[::2])
    np.testing.assert_array_equal(z[:, -1], ends[1::2])
    np.testing.assert_allclose(z[:, 2], (ends[::2] + ends[1::2]) / 2, atol=1e-6)
    assert (y == [[2], [3]]).all()


def test_class_strips_walk_between_two_embeddings_with_one_latent(run):
    main(["--run", str(run), "--interpolate", "class", "--steps", "3", "--classes", "3,0,7"])
    generator, z = student(run), latents(0, 2)
    first, middle, last = (generator.class_embedding.weight[index] for index in (3, 0, 7))
    walks = torch.stack([first, (first + middle) / 2, middle, middle, (middle + last) / 2, last])
    with torch.no_grad():
        images = to_bytes(generator.synthesize(z.repeat_interleave(3, dim=0), walks))
    with Image.open(run / "samples" / "interpolate_class_classes-3,0,7_steps-3.png") as picture:
        sheet = np.asarray(picture)
    margin = (sheet.shape[1] - 3 * 96) // 2  # alike on both sides: the labels are equally wide
    strips = np.concatenate([sheet[:96], sheet[96 + ROW_GAP :]])
    body = strips[1::3, margin + 1 : margin + 3 * 96 : 3]
    expected = images.reshape(2, 3, 32, 32, 3).transpose(0, 2, 1, 3, 4).reshape(64, 96, 3)
    assert np.abs(body.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("10 is too large", ["--classes", "0,10"]),
        ("'x' is no index or range", ["--classes", "1,x"]),
        (r"not trained on 5-6,8; choose from 0-4,7", ["--classes", "4-8"]),
        (r"--truncation 0\.0 is not in \(0, 1\]", ["--truncation", "0"]),
        (r"--truncation 1\.5 is not in", ["--truncation", "1.5"]),
        (r"--truncation nan is not in", ["--truncation", "nan"]),
        ("--seed -1 is not in", ["--seed", "-1"]),
        ("--columns 0 leaves nothing", ["--columns", "0"]),
        ("--steps 1 has no room", ["--interpolate", "z", "--steps", "1"]),
        ("needs two classes or more, not 'name 3' alone", ["--interpolate", "class", "--classes", "3"]),
        ("stores one class per image", ["--interpolate", "class", "--save-arrays", "a.npz"]),
        ("--latents in.npz needs --save-arrays", ["--latents", "in.npz"]),
        ("leave out --classes", ["--latents", "in.npz", "--save-arrays", "out.npz", "--classes", "1"]),
        (r"grid\.jpg must end in \.png", ["--out", "grid.jpg"]),
        (r"out\.bin must end in \.npz", ["--save-arrays", "out.bin"]),
        ("exclude each other", ["--checkpoint", "student.safetensors"]),
        ("invalid", ["--interpolate", "y"]),
    ],
)
def test_bad_flags_are_refused(run, refused, message, arguments):
    refused(message, "--run", run, *arguments)


def test_missing_damaged_and_foreign_snapshots_are_refused(run, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(r"no student snapshot at runs.digits.student\.safetensors; train one with")  # the default run
    refused("no student snapshot at", "--checkpoint", tmp_path / "absent.safetensors")
    snapshot = run / "student.safetensors"
    whole = snapshot.read_bytes()
    snapshot.write_bytes(whole[:1000])
    refused("is not a readable safetensors file", "--run", run)
    snapshot.write_bytes(whole.replace(b"tinygan-edge-student-1", b"tinygan-edge-student-9"))
    refused("is no student snapshot", "--run", run)


def test_places_that_cannot_be_written_are_refused(run, refused, tmp_path):
    (tmp_path / "file").write_text("")
    refused("file is not a folder", "--run", run, "--out", tmp_path / "file" / "grid.png")
    refused("file is not a folder", "--run", run, "--save-arrays", tmp_path / "file" / "deep" / "grid.npz")
    (tmp_path / "folder.png").mkdir()
    refused("is a folder; name a file in it", "--run", run, "--out", tmp_path / "folder.png")


def test_a_write_that_fails_leaves_nothing(run, refused, monkeypatch):
    def full_disk(self, target, **options):
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    (run / "samples").mkdir()
    monkeypatch.setattr(Image.Image, "save", full_disk)
    refused(r"grid\.png cannot be written \(No space left on device\)", "--run", run)


Z, Y = np.zeros((3, Z_DIM), np.float32), np.array([0, 1, 7])


@pytest.mark.parametrize(
    ("message", "arrays"),
    [
        ("holds no 'y', only", {"z": Z, "labels": Y}),
        ("holds no 'z', only", {"y": Y}),
        (r"z is float64 \[3, 6\], not float32 \[3, 6\]", {"z": Z.astype(np.float64), "y": Y}),
        (r"z is float32 \[3, 5\], not float32 \[3, 6\]", {"z": Z[:, :5], "y": Y}),
        (r"z is float32 \[2, 6\], not float32 \[3, 6\]", {"z": Z[:2], "y": Y}),
        (r"z is float32 \[18\], not", {"z": Z.ravel(), "y": Y}),
        (r"y is int32 \[3\], not int64", {"z": Z, "y": Y.astype(np.int32)}),
        (r"y is int64 \[3, 1\], not int64 \[N\]", {"z": Z, "y": Y[:, None]}),
        (r"y is int64 \[0\], not", {"z": Z[:0], "y": Y[:0]}),
        ("z holds NaN", {"z": Z * np.nan, "y": Y}),
        ("y holds 10, outside the classes 0-9", {"z": Z, "y": np.array([0, 10, 1])}),
        ("y holds -1, outside the classes 0-9", {"z": Z, "y": np.array([0, 1, -1])}),
        ("not trained on 5-6; choose from 0-4,7", {"z": Z, "y": np.array([5, 6, 0])}),
        ("is not a readable .npz", {"z": Z, "y": np.array([object()])}),
    ],
)
def test_latents_that_do_not_fit_are_refused(run, refused, tmp_path, message, arrays):
    np.savez(tmp_path / "in.npz", **arrays)
    refused(message, "--run", run, "--latents", tmp_path / "in.npz", "--save-arrays", tmp_path / "out.npz")


def test_files_that_are_no_npz_are_refused(run, refused, tmp_path):
    path = tmp_path / "in.npz"
    arguments = ["--run", run, "--latents", path, "--save-arrays", tmp_path / "out.npz"]
    refused("no latents at", *arguments)
    with open(path, "wb") as file:
        np.save(file, Z)
    refused("is not a readable .npz", *arguments)
    np.savez(path, z=Z, y=Y)
    whole = path.read_bytes()
    for content in (b"", b"text", whole[:200], whole[:90] + b"\xff" * 8 + whole[98:]):
        path.write_bytes(content)
        refused("is not a readable .npz|holds NaN", *arguments)


class CountingGenerator(nn.Module):
    """Images of the value z[0] + y; its norm must not see the batches."""

    def __init__(self):
        super().__init__()
        self.norm, self.batches = nn.BatchNorm2d(3), []

    def forward(self, z, y):
        assert not torch.is_grad_enabled()
        self.batches.append(len(z))
        return self.norm((z[:, 0] + y)[:, None, None, None].expand(-1, 3, 2, 2))


def test_generate_runs_in_batches_and_puts_the_modes_back():
    generator = CountingGenerator().train()
    generator.norm.eval()
    frozen = CountingGenerator().train()
    z, y = torch.rand(5, 2), torch.arange(5)
    images = generate(generator, z, y, batch_size=2)
    assert generator.batches == [2, 2, 1]
    torch.testing.assert_close(images[:, 0, 0, 0], (z[:, 0] + y) / (1 + 1e-5) ** 0.5)
    assert not images.requires_grad and images.dtype == torch.float32
    assert generator.training and not generator.norm.training
    generate(frozen, z, y)
    assert frozen.norm.training and frozen.norm.num_batches_tracked == 0


def test_unmixed_embeddings_give_the_images_of_their_class(run):
    generator, z, y = student(run), latents(0, 3), torch.tensor([0, 4, 7])
    mixed = generate_mixtures(generator, z, generator.class_embedding.weight.detach()[y])
    torch.testing.assert_close(mixed, generate(generator, z, y))


def test_labels_stand_beside_their_rows_and_long_ones_are_cut():
    rows = [np.full((2, 40, 40, 3), level, np.uint8) for level in (50, 200)]
    picture = np.asarray(
        labelled_rows(rows, ["a name that is far too long for any margin", "b"], ["c", ""], scale=2)
    )
    assert picture.shape[0] == 162 and 160 + 100 < picture.shape[1] < 160 + 280
    right = picture.shape[1] - 160 - int((picture[0] == 50).all(axis=1).argmax())
    ink = picture.max(axis=2) < 128
    left_edge = picture.shape[1] - 160 - right
    assert ink[:80, :left_edge].sum() > ink[80:, :left_edge].sum() > 0
    assert ink[:80, -right:].sum() > 0 == ink[80:, -right:].sum()


@pytest.mark.parametrize("of", ["--run", "--checkpoint"])
@pytest.mark.parametrize(("kind", "flags"), [("grid", []), ("interpolate_z", ["--interpolate", "z"])])
def test_a_picture_of_some_classes_leaves_the_default_one_alone(run, of, kind, flags):
    source = run if of == "--run" else run / "student.safetensors"
    beside = run / "samples" / kind if of == "--run" else run / f"student_{kind}"
    main([of, str(source), *flags])
    before = beside.with_suffix(".png").read_bytes()
    many = ",".join(map(str, [7, 0] * 60))
    for classes in ("7", many):
        main([of, str(source), *flags, "--classes", classes])
    assert beside.with_suffix(".png").read_bytes() == before
    names = [path.name for path in beside.parent.glob(f"{beside.name}_*.png")]
    assert len(names) == 2 and max(map(len, names)) < 100
