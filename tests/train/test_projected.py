"""The critic on pretrained features, in the place of the paper's."""

import json

import numpy as np
import pytest
import torch
from stand_ins import StopAfter, replace

from compress.float_run import open_run
from train import digits, loop
from train.build import build_discriminator, build_network
from train.discriminator import DiscriminatorConfig
from train.errors import UserError
from train.feature_network import FeatureNetwork
from train.frechet import frechet_distance, gaussian_statistics
from train.generator import GeneratorConfig
from train.images import from_bytes, to_bytes
from train.noise import SAMPLER, consecutive_seeds, draw_latents
from train.run import introduce_classes, train
from train.sampling import generate
from train.snapshot import load_student
from train.sources import open_sources

CONFIG = DiscriminatorConfig("projected", channels=8, feature_size=32)
STUDENT = GeneratorConfig(channels=4, image_size=32, num_classes=10)


@pytest.fixture
def critic():
    torch.manual_seed(0)
    critic = build_discriminator(CONFIG, STUDENT)
    random = np.random.default_rng(0)
    critic.learn_classes(random.integers(0, 255, (20, 32, 32, 3), np.uint8), np.arange(20) % 10)
    return critic


def test_it_has_the_interface_of_the_paper_s(critic):
    scores, features = critic(torch.zeros(2, 3, 32, 32), torch.tensor([0, 9]))
    assert scores.shape == (2, 16 + 16 + 4 + 1)  # the 8×8 map is halved; a score for each place
    assert scores.dtype == torch.float32
    assert [tuple(f.shape[1:]) for f in features] == [(64, 8, 8), (64, 4, 4), (128, 2, 2), (256, 1, 1)]


def test_only_heads_are_trained(critic):
    assert all(name.startswith("heads.") for name, _ in critic.named_parameters())
    fixed = {name: b.clone() for name, b in critic.named_buffers() if not name.startswith("heads.")}
    assert {"across_channels.0.weight", "across_scales.0.weight", "class_features", "network.stem.weight"} <= {
        *fixed
    }
    optimizer = torch.optim.Adam(critic.parameters(), lr=0.1)
    critic(torch.randn(2, 3, 32, 32), torch.tensor([1, 2]))[0].mean().backward()
    optimizer.step()
    assert all(torch.equal(fixed[name], b) for name, b in critic.named_buffers() if name in fixed)
    assert all(p.grad is not None for p in critic.parameters())


def test_gradients_reach_the_images(critic):
    images = torch.zeros(2, 3, 32, 32, requires_grad=True)
    critic(images, torch.tensor([0, 1]))[0].mean().backward()
    assert (images.grad.abs().amax(dim=(1, 2, 3)) > 0).all()


def test_the_class_decides_the_score(critic):
    images = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)).repeat(2, 1, 1, 1)
    scores, features = critic.eval()(images, torch.tensor([3, 7]))
    assert not torch.allclose(*scores)
    assert all(torch.equal(*feature) for feature in features)


def test_classes_are_their_mean_features(critic):
    random = np.random.default_rng(1)
    images, labels = random.integers(0, 255, (6, 32, 32, 3), np.uint8), np.array([2, 2, 2, 5, 5, 5])
    fresh = build_discriminator(CONFIG, STUDENT)
    fresh.learn_classes(images, labels)
    features = fresh.network(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1)
    means = torch.stack([features[:3].mean(0), features[3:].mean(0)])
    expected = (means - means.mean(0)) / (means - means.mean(0)).std()
    assert torch.allclose(fresh.class_features[[2, 5]], expected, atol=1e-4)
    assert (fresh.class_features[[0, 1, 3, 9]] == 0).all()


def test_its_state_holds_no_pretrained_weights(critic):
    assert not any(name.startswith("network.") for name in critic.state_dict())


def test_channels_that_no_group_norm_takes_are_refused():
    with pytest.raises(UserError, match=r"--discriminator.channels 6 must be a multiple of 4"):
        build_discriminator(DiscriminatorConfig("projected", channels=6), STUDENT)


def features_of(images):
    with torch.inference_mode():
        return FeatureNetwork(32)(from_bytes(torch.from_numpy(images))).numpy()


@pytest.fixture
def projected_config(tiny_config):
    return replace(
        tiny_config, discriminator__kind="projected", discriminator__channels=4, discriminator__feature_size=32
    )


def test_a_run_trains_with_it_and_hands_it_on(projected_config, world, tmp_path):
    train(projected_config, tmp_path / "run", world)
    assert (
        json.loads((tmp_path / "run" / "config.json").read_text())["settings"]["discriminator"]["kind"]
        == "projected"
    )
    run = open_run(tmp_path / "run")
    assert (run.discriminator.class_features.abs().sum(1) > 0).all()


def test_a_stopped_run_goes_on_to_the_same_bits(projected_config, world, tmp_path, monkeypatch):
    train(projected_config, tmp_path / "whole", world)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "one_step", StopAfter(5)(loop.one_step))
        with pytest.raises(loop.Interrupted):
            train(projected_config, tmp_path / "stopped", world)
    train(projected_config, tmp_path / "stopped", world)
    for name in ("student.safetensors", "discriminator.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes()


def test_a_short_run_against_it_alone_comes_nearer_to_real_images(projected_config, world, tmp_path):
    """By its scores only: no pixels, no features of a teacher's images."""
    alone = {"loss__pixel": 0.0, "loss__feature": 0.0, "loss__distillation_generator": 1.0, "schedule__every": 1}
    lr = {"optimizer__generator_lr": 3e-3, "optimizer__discriminator_lr": 2e-4}
    config = replace(projected_config, optimizer__images=960, optimizer__ema_decay=0.9, **alone, **lr)
    train(config, tmp_path / "run", world)
    torch.manual_seed(config.seed)
    untrained = build_network(config.generator)
    trained, _ = load_student(tmp_path / "run" / "student.safetensors")
    latents = draw_latents(SAMPLER, consecutive_seeds(0, 200), config.generator.z_dim, 0.5)
    z, y = torch.from_numpy(latents), torch.arange(200) % 10
    real = gaussian_statistics(features_of(digits.real_digits()[0][:200]))
    distances = [
        frechet_distance(gaussian_statistics(features_of(to_bytes(generate(student, z, y)))), real)
        for student in (untrained, trained)
    ]
    assert distances[1] < 0.8 * distances[0]


def test_a_fresh_one_is_introduced_to_the_classes_for_fine_tuning(projected_config, world, tmp_path):
    train(projected_config, tmp_path / "run", world)
    trained, fresh = (
        open_run(tmp_path / "run", fresh_discriminator=fresh).discriminator for fresh in (False, True)
    )
    assert not fresh.class_features.any()
    introduce_classes(fresh, open_sources(projected_config, tmp_path / "run", world))
    # Of values up to 19; the last bits follow the memory format.
    assert torch.allclose(fresh.class_features, trained.class_features, atol=1e-3)


def test_a_student_of_the_paper_s_critic_goes_on_against_it(
    projected_config, tiny_config, world, tmp_path, capsys
):
    train(tiny_config, tmp_path / "strided", world)
    first = tmp_path / "strided" / "student.safetensors"
    train(replace(projected_config, initialise=str(first)), tmp_path / "run", world)
    assert "a discriminator that starts anew" in capsys.readouterr().out
    assert open_run(tmp_path / "run").config.discriminator.kind == "projected"
    with pytest.raises(UserError, match=rf"or start with a fresh one: --initialise {first}"):
        train(replace(projected_config, initialise=str(first.parent)), tmp_path / "other", world)


def test_the_state_of_another_critic_is_refused(projected_config, tiny_config, world, tmp_path):
    train(projected_config, tmp_path / "projected", world)
    train(tiny_config, tmp_path / "strided", world)
    (tmp_path / "strided" / "discriminator.safetensors").replace(
        tmp_path / "projected" / "discriminator.safetensors"
    )
    with pytest.raises(UserError, match="does not fit the architecture"):
        open_run(tmp_path / "projected")


def test_it_needs_photos_to_know_classes_by(projected_config, world, tmp_path):
    config = replace(projected_config, data__reals="", loss__real_generator=0.0, loss__real_discriminator=0.0)
    with pytest.raises(UserError, match=r"--discriminator\.kind projected knows classes by their photos"):
        train(config, tmp_path / "run", world)
