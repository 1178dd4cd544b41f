"""The real BigGAN architecture at width 8, with weights that the test makes."""

import functools

import pytest
import torch
from pytorch_pretrained_biggan import BigGAN, BigGANConfig

from train import biggan
from train.biggan import CONFIG_FILE, WEIGHTS_FILE, TrainableBigGAN, load_biggan
from train.digits import measure
from train.errors import UserError
from train.files import file_hash
from train.generator import GeneratorConfig
from train.images import to_bytes
from train.noise import consecutive_seeds, truncated_normal
from train.teacher import BigGANTeacher, open_teacher


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A biggan-deep-128 at width 8 in the library's format; its statistics differ from row to row."""
    torch.manual_seed(0)
    model = BigGAN(BigGANConfig(channel_width=8))
    torch.nn.init.ones_(model.generator.bn.weight)
    torch.nn.init.zeros_(model.generator.bn.bias)
    with torch.no_grad():
        for _ in range(3):  # settles the spectral norms
            model(torch.randn(2, 128), torch.eye(1000)[:2], 0.5)
        for name, buffer in model.named_buffers():
            if name.endswith(("running_means", "running_vars")):
                rows = torch.linspace(0.5, 1.5, len(buffer))[:, None]
                buffer.copy_(rows * (torch.rand_like(buffer) * 0.1 + float(name.endswith("vars"))))
    path = tmp_path_factory.mktemp("biggan")
    torch.save(model.state_dict(), path / WEIGHTS_FILE)
    (path / CONFIG_FILE).write_text(model.config.to_json_string())
    return path


def inputs(count=2):
    return torch.from_numpy(truncated_normal(consecutive_seeds(0, count), 128, 0.5)), torch.tensor(
        [7, 399][:count]
    )


def library_images(folder, z, y, truncation):
    model = BigGAN.from_pretrained(str(folder)).eval()
    with torch.no_grad():
        return model(z, torch.nn.functional.one_hot(y, 1000).float(), truncation)


@pytest.mark.parametrize("truncation", [0.5, 1.0])
def test_the_cheaper_model_has_the_library_output(folder, truncation):
    z, y = inputs()
    teacher = open_teacher(str(folder), truncation)
    assert (teacher(z, y) - library_images(folder, z, y, truncation)).abs().max() < 2e-5
    assert (teacher.image_size, teacher.z_dim, teacher.num_classes) == (128, 128, 1000)


def test_statistics_between_two_rows_are_interpolated_the_right_way_round(folder):
    z, y = inputs()
    images = {t: open_teacher(str(folder), t)(z, y) for t in (0.50, 0.505, 0.52)}
    near = (images[0.505] - images[0.50]).abs().mean()
    far = (images[0.505] - images[0.52]).abs().mean()
    assert near < far  # the library itself has it the other way


def test_the_rgb_convolution_is_cut_and_spectral_norms_are_folded(folder):
    model = load_biggan(folder / WEIGHTS_FILE, folder / CONFIG_FILE, 0.5)
    assert model.generator.conv_to_rgb.out_channels == 3
    assert not any(name.endswith(("weight_orig", "weight_u")) for name in model.state_dict())
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())


def test_a_foreign_file_is_refused(folder, tmp_path):
    (tmp_path / CONFIG_FILE).write_text((folder / CONFIG_FILE).read_text())
    state = torch.load(folder / WEIGHTS_FILE, weights_only=True)
    del state["generator.gen_z.weight_orig"]
    torch.save(state, tmp_path / WEIGHTS_FILE)
    with pytest.raises(UserError, match=r"misses generator.gen_z.weight_orig"):
        open_teacher(str(tmp_path))
    torch.save({"something": torch.zeros(1)}, tmp_path / WEIGHTS_FILE)
    with pytest.raises(UserError, match="does not fit"):
        open_teacher(str(tmp_path))
    (tmp_path / WEIGHTS_FILE).write_bytes((folder / WEIGHTS_FILE).read_bytes()[:1000])
    with pytest.raises(UserError, match="not a readable BigGAN weights file"):
        open_teacher(str(tmp_path))
    (tmp_path / WEIGHTS_FILE).unlink()
    with pytest.raises(UserError, match="no BigGAN weights file"):
        open_teacher(str(tmp_path))


def test_damaged_or_missing_configuration(folder, tmp_path):
    (tmp_path / WEIGHTS_FILE).write_bytes(b"")
    with pytest.raises(UserError, match=r"no config.json"):
        open_teacher(str(tmp_path))
    (tmp_path / CONFIG_FILE).write_text("{")
    with pytest.raises(UserError, match="not a BigGAN configuration"):
        open_teacher(str(tmp_path))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("biggan-deep-12", "did you mean biggan-deep-128"),
        ("digit", "did you mean digits"),
        ("pairs:x", "stored images"),
    ],
)
def test_unknown_teachers(spec, message):
    with pytest.raises(UserError, match=message):
        open_teacher(spec)


def test_a_published_teacher_without_a_network_says_what_to_do(monkeypatch, capsys):
    def no_network(*what):
        raise ConnectionError(what)

    monkeypatch.setattr("pytorch_pretrained_biggan.file_utils.cached_path", no_network)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", no_network)
    with pytest.raises(UserError, match=r"hub:osanseviero/BigGAN-deep-128 cannot be had .* put config.json"):
        open_teacher("biggan-deep-128")
    assert "cannot be downloaded (ConnectionError)" in capsys.readouterr().out


def test_the_mirror_stands_in_for_the_librarys_address(folder, monkeypatch, capsys):
    def no_network(*what):
        raise ConnectionError(what)

    monkeypatch.setattr("pytorch_pretrained_biggan.file_utils.cached_path", no_network)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda repository, name: str(folder / name))
    direct, by_mirror = open_teacher(str(folder)), open_teacher("biggan-deep-128")
    assert (by_mirror.name, by_mirror.fingerprint) == ("biggan-deep-128", direct.fingerprint)
    assert open_teacher("hub:somebody/their-gan").name == "their-gan"
    assert file_hash(folder / "pytorch_model.bin") in capsys.readouterr().out


@pytest.mark.parametrize("spec", ["hub:nobody", "hub:a/b/c"])
def test_a_hub_name_has_an_owner(spec):
    with pytest.raises(UserError, match="give hub:OWNER/NAME"):
        open_teacher(spec)


@pytest.mark.parametrize("truncation", [0.0, 1.5])
def test_truncation_out_of_range(truncation):
    with pytest.raises(UserError, match=str(truncation)):
        open_teacher("digits", truncation)


def test_a_trained_generator_is_stored_in_the_library_format(tmp_path, monkeypatch):
    """The tables must reproduce, in eval mode, what batch statistics give in training."""
    monkeypatch.setattr(biggan, "STATISTICS_IMAGES", 500)
    torch.manual_seed(0)
    with monkeypatch.context() as patch:
        patch.setattr(biggan, "BigGANConfig", functools.partial(BigGANConfig, n_stats=11))  # truncations, of 51
        generator = TrainableBigGAN(GeneratorConfig("biggan", 8, 32, 10))
    generator.store(tmp_path, list(range(10)), seed=0)
    seeds = consecutive_seeds(123, 400)
    y = torch.arange(400) % 10
    for truncation in (0.5, 1.0):
        z = torch.from_numpy(truncated_normal(seeds, 128, truncation))
        with torch.no_grad():
            trained = generator.eval()(z, y)
        stored = open_teacher(str(tmp_path), truncation)(z, y)
        assert (trained - stored).abs().mean() < 0.15 * trained.std()  # two samples' statistics differ
        with torch.no_grad():
            unfilled = BigGAN(generator.model.config).eval()
            tables = {n: b for n, b in unfilled.named_buffers() if "running" in n}
            unfilled.load_state_dict(generator.model.state_dict() | tables)
            other = unfilled(z, torch.nn.functional.one_hot(y, 10).float(), truncation)
        assert (trained - other).abs().mean() > 0.3 * trained.std()
    assert BigGAN.from_pretrained(str(tmp_path)).config.output_dim == 32


@pytest.mark.parametrize(("truncation", "floor"), [(0.5, 0.98), (1.0, 0.92)])
def test_the_embedded_teacher_draws_digits(truncation, floor):
    teacher = open_teacher("digits", truncation)
    y = torch.arange(500) % 10
    z = torch.from_numpy(truncated_normal(consecutive_seeds(2**63, 500), 128, truncation))
    images = to_bytes(torch.cat([teacher(*part) for part in zip(z.split(250), y.split(250), strict=True)]))
    quality = measure(images, y.numpy())
    assert quality.recognised >= floor
    assert quality.diversity >= 0.75


def test_the_embedded_teacher_is_small():
    from train.teacher import EMBEDDED

    assert (EMBEDDED["digits"] / WEIGHTS_FILE).stat().st_size <= 8e6
    assert isinstance(open_teacher("digits"), BigGANTeacher)


def test_half_precision_is_for_convolutions_alone():
    torch.manual_seed(0)
    generator = TrainableBigGAN(GeneratorConfig("biggan", channels=8, image_size=32, num_classes=10)).train()
    seen = []
    for module in generator.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    z, y = torch.randn(8, 128), torch.arange(8)
    exact = generator(z, y)
    vectors = {name: b.clone() for name, b in generator.named_buffers() if name.endswith("weight_u")}
    assert set(seen) == {torch.float32}
    seen.clear()
    with torch.autocast("cpu", torch.bfloat16):
        images = generator(z, y)
    assert set(seen) == {torch.bfloat16}
    assert (images.float() - exact).abs().mean() < 0.02  # of images in [-1, 1]
    turned = {name: b for name, b in generator.named_buffers() if name in vectors}
    assert all(b.dtype == torch.float32 for b in turned.values())
    # A product in half precision would be off by a hundredth.
    for name, vector in turned.items():
        path = name.removesuffix("weight_u")
        matrix = generator.get_parameter(f"{path}weight_orig").flatten(1)
        settled = torch.mv(matrix, generator.get_buffer(f"{path}weight_v"))
        assert torch.allclose(vector, torch.nn.functional.normalize(settled, dim=0), atol=1e-5)
    images.float().square().sum().backward()
    assert all(p.grad is None or p.grad.dtype == torch.float32 for p in generator.parameters())
