import dataclasses
import hashlib
import json
import os
import warnings
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import nn

from train.batches import Batch
from train.classes import class_names
from train.config import RuntimeConfig, TrainConfig
from train.discriminator import Discriminator, DiscriminatorConfig
from train.errors import UserError
from train.import_official import DISCRIMINATOR_FORMAT, main
from train.loop import one_step
from train.run import assemble
from train.snapshot import load_snapshot
from train.sources import Sources

CHANNELS, CRITIC_CHANNELS, NUM_CLASSES, Z_DIM, EMBEDDING_DIM = 4, 3, 12, 16, 8


def generator_weights(
    channels=CHANNELS, num_classes=NUM_CLASSES, z_dim=Z_DIM, embedding_dim=EMBEDDING_DIM, blocks=5
):
    """Random weights of the authors' generator under their names, with running statistics of a trained one."""
    random = torch.Generator().manual_seed(1)

    def normal(*shape, fan_in=1):
        return torch.randn(shape, generator=random) / fan_in**0.5

    width = channels * 2 ** (blocks - 1)
    weights = OrderedDict(
        {
            "embeding.weight": normal(num_classes, embedding_dim),
            "fc.weight": normal(width * 16, z_dim, fan_in=z_dim),
            "fc.bias": 0.1 * normal(width * 16),
        }
    )

    def add_conv(name, inputs, outputs, size, groups=1):
        weights[f"{name}.weight"] = normal(
            outputs, inputs // groups, size, size, fan_in=inputs // groups * size**2
        )
        weights[f"{name}.bias"] = 0.1 * normal(outputs)

    def add_statistics(name, width):
        weights[f"{name}.running_mean"] = 0.2 * normal(width)
        weights[f"{name}.running_var"] = normal(width).abs() + 0.3
        weights[f"{name}.num_batches_tracked"] = torch.tensor(77)

    for block in range(blocks):
        inputs, width = width, width if block == 0 else width // 2
        name = f"blocks.{block}"
        add_conv(f"{name}.dw_conv1", inputs, inputs, 3, groups=inputs)
        add_conv(f"{name}.dw_conv2", width, width, 3, groups=width)
        add_conv(f"{name}.pw_conv1", inputs, width, 1)
        add_conv(f"{name}.pw_conv2", width, width, 1)
        add_conv(f"{name}.c_sc", inputs, width, 1)
        for norm, size in (("cbn0", inputs), ("cbn1", width)):
            add_statistics(f"{name}.{norm}.bn", size)
            weights[f"{name}.{norm}.embed.weight"] = normal(2 * size, embedding_dim, fan_in=embedding_dim)
            weights[f"{name}.{norm}.embed.bias"] = normal(2 * size)
    weights["bn.weight"], weights["bn.bias"] = 1 + 0.3 * normal(width), 0.3 * normal(width)
    add_statistics("bn", width)
    add_conv("colorize", width, 3, 3)
    return weights


def reference_images(weights, z, y):
    """The authors' generator, written as arithmetic on their tensors."""

    def conv(name, x, groups=1):
        kernel = weights[f"{name}.weight"]
        return F.conv2d(x, kernel, weights[f"{name}.bias"], padding=kernel.shape[-1] // 2, groups=groups)

    def normalised(name, x):
        mean, variance = (weights[f"{name}.running_{what}"][:, None, None] for what in ("mean", "var"))
        return (x - mean) / (variance + 1e-5).sqrt()

    def conditional_norm(name, x):
        gain_bias = embedding @ weights[f"{name}.embed.weight"].T + weights[f"{name}.embed.bias"]
        gain, bias = gain_bias[:, : x.shape[1], None, None], gain_bias[:, x.shape[1] :, None, None]
        return gain * normalised(f"{name}.bn", x) + bias

    def up(x):
        return F.interpolate(x, size=(2 * x.shape[2], 2 * x.shape[3]), mode="bilinear")

    embedding = weights["embeding.weight"][y]
    h = z @ weights["fc.weight"].T + weights["fc.bias"]
    h = h.view(len(z), h.shape[1] // 16, 4, 4)
    for block in range(5):
        x, name = h, f"blocks.{block}"
        h = up(conditional_norm(f"{name}.cbn0", h).relu())
        h = conv(f"{name}.pw_conv1", conv(f"{name}.dw_conv1", h, groups=h.shape[1]))
        h = conditional_norm(f"{name}.cbn1", h).relu()
        h = conv(f"{name}.pw_conv2", conv(f"{name}.dw_conv2", h, groups=h.shape[1]))
        h = h + conv(f"{name}.c_sc", up(x))
    gain, bias = (weights[f"bn.{what}"][:, None, None] for what in ("weight", "bias"))
    return conv("colorize", (gain * normalised("bn", h) + bias).relu()).tanh()


def critic_layers():
    """Layers of the authors' discriminator with torch's first spectral norm, after some power iterations."""
    torch.manual_seed(2)
    widths = [3] + [CRITIC_CHANNELS * 2**k for k in range(5)]
    layers: dict[str, nn.Module] = {
        f"layers.{2 * k}": nn.Conv2d(widths[k], widths[k + 1], 4, stride=2, padding=1) for k in range(5)
    }
    layers |= {"fc_src": nn.Linear(widths[-1], 1), "embeding": nn.Embedding(NUM_CLASSES, widths[-1])}
    examples = {f"layers.{2 * k}": torch.ones(1, widths[k], 8, 8) for k in range(5)}
    examples |= {"fc_src": torch.ones(1, widths[-1]), "embeding": torch.tensor([0])}
    for name, layer in layers.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # deprecated, and what the authors' files contain
            nn.utils.spectral_norm(layer)
        for _ in range(3):  # too few to converge: the imported vectors must matter
            layer(examples[name])
        layer.eval()
    return layers


def critic_weights():
    return OrderedDict(
        (f"{name}.{key}", tensor)
        for name, layer in critic_layers().items()
        for key, tensor in layer.state_dict().items()
    )


def reference_scores(x, y):
    layers = critic_layers()
    features = []
    for k in range(5):
        x = F.leaky_relu(layers[f"layers.{2 * k}"](x), 0.01)
        features.append(x)
    pooled = x.sum(dim=(2, 3))
    return layers["fc_src"](pooled)[:, 0] + (layers["embeding"](y) * pooled).sum(dim=1), features


def adam_state():
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.Adam(layer.parameters(), 2e-4, (0.0, 0.9))
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return optimizer.state_dict()


@pytest.fixture
def content():
    return {
        "G": generator_weights(),
        "D": critic_weights(),
        "g_optimizer": adam_state(),
        "d_optimizer": adam_state(),
    }


@pytest.fixture
def import_content(tmp_path):
    def run(content, *flags):
        path = tmp_path / "model_30.tar"
        torch.save(content, path)
        main([str(path), str(tmp_path / "run"), "--classes", "0-9", *flags])
        return tmp_path / "run"

    return run


def load_critic(path: Path) -> Discriminator:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    assert metadata["format"] == DISCRIMINATOR_FORMAT
    critic = Discriminator(**json.loads(metadata["info"]))
    critic.load_state_dict(weights)
    return critic.eval()


def test_images_are_those_of_the_authors_generator(content, import_content):
    generator, info = load_snapshot(import_content(content) / "student.safetensors")
    torch.manual_seed(0)
    z, y = torch.randn(4, Z_DIM), torch.tensor([0, 5, 9, 11])
    expected = reference_images(content["G"], z, y)
    with torch.no_grad():
        images = generator(z, y)
    assert images.shape == (4, 3, 128, 128)
    assert expected.std() > 0.2  # neither flat nor saturated, or the comparison would say nothing
    assert (expected.abs() < 0.9).float().mean() > 0.3
    assert (images - expected).abs().max() < 1e-4
    assert (info.generator.architecture, info.generator.channels, info.generator.image_size) == (
        "dw",
        CHANNELS,
        128,
    )
    assert (info.generator.num_classes, info.generator.z_dim) == (NUM_CLASSES, Z_DIM)
    assert list(info.classes) == list(range(10))


@torch.no_grad()
def test_scores_are_those_of_the_authors_discriminator(content, import_content):
    critic = load_critic(import_content(content) / "discriminator.safetensors")
    x, y = torch.rand(4, 3, 128, 128) * 2 - 1, torch.tensor([0, 5, 9, 11])
    expected, expected_features = reference_scores(x, y)
    scores, features = critic(x, y)
    torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-5)
    assert expected.std() > 1e-3
    for found, reference in zip(features, expected_features, strict=True):
        torch.testing.assert_close(found, reference, rtol=1e-4, atol=1e-5)


def test_the_run_folder_says_where_it_comes_from(content, import_content, tmp_path, capsys):
    run = import_content(content)
    digest = hashlib.sha256((tmp_path / "model_30.tar").read_bytes()).hexdigest()
    _, info = load_snapshot(run / "student.safetensors")
    assert info.truncation == 0.5
    assert "model_30.tar" in info.source and digest in info.source
    config = json.loads((run / "config.json").read_text())
    assert config["sha256"] == digest and config["discriminator"]["channels"] == CRITIC_CHANNELS
    assert sorted(path.name for path in run.iterdir()) == [
        "config.json",
        "discriminator.safetensors",
        "student.safetensors",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model_30.tar", "run"]
    assert "10 classes, with a discriminator" in capsys.readouterr().out


def test_the_generator_alone_is_enough(content, import_content):
    run = import_content({"G": content["G"]})
    assert sorted(path.name for path in run.iterdir()) == ["config.json", "student.safetensors"]


def test_prefixes_of_data_parallel_are_dropped(content, import_content):
    for part in "GD":
        content[part] = {f"module.{name}": tensor for name, tensor in content[part].items()}
    generator, _ = load_snapshot(import_content(content) / "student.safetensors")
    assert torch.equal(generator.to_rgb.weight, generator_weights()["colorize.weight"])


def test_the_papers_size_and_names(tmp_path):
    weights = generator_weights(channels=32, num_classes=1000, z_dim=128, embedding_dim=128)
    torch.save({"G": weights}, tmp_path / "model_30.tar")
    main([str(tmp_path / "model_30.tar"), str(tmp_path / "run")])
    generator, info = load_snapshot(tmp_path / "run" / "student.safetensors")
    assert sum(parameter.numel() for parameter in generator.parameters()) == 3_070_659
    assert list(info.classes) == list(range(398))
    assert (info.classes[0], info.classes[1]) == ("tench, Tinca tinca", "goldfish, Carassius auratus")


def drop(part, name):
    return lambda content: content[part].pop(name)


def put(part, name, value):
    return lambda content: content[part].__setitem__(name, value)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: content.pop("G"), r"no weights under 'G'.* 'D', 'g_optimizer', 'd_optimizer'"),
        (lambda content: content.__setitem__("G", [1]), "no weights under 'G'"),
        (lambda content: content.__setitem__("D", {}), "no weights under 'D'"),
        (drop("G", "fc.bias"), r"G misses fc\.bias"),
        (drop("G", "colorize.weight"), r"G misses colorize\.weight"),
        (drop("G", "blocks.3.cbn1.embed.weight"), r"G misses blocks\.3\.cbn1\.embed\.weight"),
        (put("G", "blocks.0.extra", torch.ones(1)), r"has the unknown blocks\.0\.extra"),
        (put("G", "fc.bias", 3), r"G\['fc\.bias'\] is a int, not a tensor"),
        (put("G", "fc.bias", torch.full((1024,), torch.nan)), r"G\['fc\.bias'\] holds NaN"),
        (put("G", "fc.bias", torch.ones(9)), r"fc\.bias is \[9\], but its other weights ask for \[1024\]"),
        (
            put("G", "fc.bias", torch.ones(1024, dtype=torch.int64)),
            r"fc\.bias is torch\.int64, not torch\.float32",
        ),
        (put("G", "colorize.weight", torch.ones(3)), r"colorize\.weight is \[3\], which is no matrix"),
        (put("G", "blocks.5.c_sc.bias", torch.ones(2)), "G has 6 blocks; only 5"),
        (lambda content: content.__setitem__("G", generator_weights(blocks=4)), "G has 4 blocks; only 5"),
        (drop("D", "embeding.weight_u"), r"D misses embeding\.weight_u"),
        (put("D", "layers.10.bias", torch.ones(2)), "D has 6 convolutions; only 5"),
        (put("D", "fc_src.weight", torch.ones(1, 48)), r"D has the unknown fc_src\.weight"),
        (put("D", "fc_src.weight_v", torch.ones(3)), r"D's fc_src\.weight_v is \[3\]"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name(content, import_content, tmp_path, spoil, message):
    spoil(content)
    with pytest.raises(UserError, match=message) as error:
        import_content(content)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_the_standard_variant_is_refused(content, import_content):
    content["G"] = {
        name.replace("dw_conv", "conv"): tensor for name, tensor in content["G"].items() if "pw_conv" not in name
    }
    with pytest.raises(UserError, match="only TinyGAN-dw can be imported"):
        import_content(content)


def test_classes_outside_the_embedding_are_refused(content, import_content, tmp_path):
    with pytest.raises(UserError, match="12 is too large"):
        import_content(content, "--classes", "0-12")
    assert not (tmp_path / "run").exists()


class Malicious:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def test_a_malicious_pickle_does_not_run(content, import_content, tmp_path):
    marker = tmp_path / "marker"
    content["g_optimizer"] = Malicious(str(marker))
    with pytest.raises(UserError, match="not a readable checkpoint of the authors' code"):
        import_content(content)
    assert not marker.exists() and not (tmp_path / "run").exists()


def test_missing_and_damaged_files_are_refused(content, tmp_path):
    path = tmp_path / "model_30.tar"
    arguments = [str(path), str(tmp_path / "run")]
    with pytest.raises(UserError, match=r"no checkpoint of the authors' code at .*model_30\.tar"):
        main(arguments)
    torch.save(content, path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UserError, match="not a readable checkpoint"):
        main(arguments)
    torch.save([1, 2], path)
    with pytest.raises(UserError, match="holds a list"):
        main(arguments)
    assert not (tmp_path / "run").exists()


def test_another_folder_is_never_overwritten(content, import_content, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    with pytest.raises(UserError, match="already holds something else"):
        import_content(content)
    assert (tmp_path / "run" / "config.json").read_text() == "{}"


def test_an_empty_folder_is_used_and_the_same_import_is_recognised(content, import_content, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".DS_Store").touch()
    run = import_content(content)
    (run / "samples").mkdir()
    import_content(content)
    assert "already holds this import" in capsys.readouterr().out
    assert (run / "samples").is_dir()
    with pytest.raises(UserError, match="already holds something else"):
        import_content(content, "--classes", "0-3")


def test_a_folder_that_cannot_be_made_is_refused(content, tmp_path):
    (tmp_path / "file").write_text("")
    torch.save(content, tmp_path / "model_30.tar")
    for folder, message in (("file", "is a file"), ("file/run", "cannot be written")):
        with pytest.raises(UserError, match=message):
            main([str(tmp_path / "model_30.tar"), str(tmp_path / folder), "--classes", "0-9"])


def test_the_authors_networks_are_trained_on(content, import_content, world):
    """Both of them start a run of other classes: seven that they know and two that are new."""
    folder = import_content(content)
    student, _ = load_snapshot(folder / "student.safetensors")
    names = ["unicorn", *class_names(NUM_CLASSES)[2 : NUM_CLASSES - 3], "dragon"]
    config = TrainConfig(
        generator=dataclasses.replace(student.config, num_classes=len(names)),
        discriminator=DiscriminatorConfig(channels=CRITIC_CHANNELS),
        initialise=str(folder),
        runtime=RuntimeConfig(device="cpu"),
    )
    training = assemble(config, Sources(None, None, list(range(len(names))), names, 0.5), world)
    generator, critic = training.players.generator, training.players.discriminator
    found, stored = critic.state_dict(), load_critic(folder / "discriminator.safetensors").state_dict()
    assert {name for name in found if not torch.equal(found[name], stored[name])} == {
        "class_embedding.parametrizations.weight.original",
        "class_embedding.parametrizations.weight.0._u",
    }
    assert torch.equal(generator.blocks[4].conv2.pointwise.weight, student.blocks[4].conv2.pointwise.weight)
    assert torch.equal(generator.class_embedding.weight[1:-1], student.class_embedding.weight[2 : NUM_CLASSES - 3])
    torch.manual_seed(0)
    z, y = torch.randn(2, Z_DIM), torch.tensor([0, 3])
    images = torch.rand(2, 3, 128, 128) * 2 - 1
    terms = one_step(training, Batch(z, y, images, images.flip(0), None, 0.0), 0)
    assert all(term.isfinite() for term in terms.values())
    assert not torch.equal(generator.input_linear.weight, student.input_linear.weight)
