import pytest
import torch
from torch.nn.utils.parametrizations import _SpectralNorm

from train.discriminator import POWER_ITERATIONS, Discriminator


def test_the_paper_discriminator_has_its_size():
    discriminator = Discriminator(32, 128, 1000)
    assert sum(p.numel() for p in discriminator.parameters()) == 3_300_321


@pytest.mark.parametrize(("size", "layers"), [(32, 3), (64, 4), (128, 5)])
def test_every_layer_returns_its_features(size, layers):
    scores, features = Discriminator(4, size, 10)(torch.zeros(2, 3, size, size), torch.tensor([0, 9]))
    assert scores.shape == (2,)
    assert [tuple(f.shape[1:]) for f in features] == [
        (4 * 2**k, size // 2 ** (k + 1), size // 2 ** (k + 1)) for k in range(layers)
    ]


def test_weights_have_spectral_norm_one():
    torch.manual_seed(0)
    discriminator = Discriminator(8, 32, 10)
    x, y = torch.randn(2, 3, 32, 32), torch.tensor([1, 2])
    for _ in range(50):
        discriminator(x, y)
    for layer in [*discriminator.convs, discriminator.linear, discriminator.class_embedding]:
        norm = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), ord=2)
        assert norm == pytest.approx(1, abs=2e-2)


def test_a_call_in_eval_mode_leaves_the_spectral_vectors_alone():
    discriminator = Discriminator(4, 32, 10)
    x, y = torch.randn(2, 3, 32, 32), torch.tensor([1, 2])

    def vectors():
        return {n: b.clone() for n, b in discriminator.named_buffers()}

    before = vectors()
    discriminator.eval()(x, y)
    assert all(torch.equal(before[n], b) for n, b in vectors().items())
    discriminator.train()(x, y)
    assert not all(torch.equal(before[n], b) for n, b in vectors().items())


def test_a_call_turns_every_spectral_vector_as_often_as_it_says(monkeypatch):
    turned = []
    turn = _SpectralNorm._power_method
    monkeypatch.setattr(
        _SpectralNorm, "_power_method", lambda norm, matrix, n: (turned.append(n), turn(norm, matrix, n))[1]
    )
    discriminator = Discriminator(4, 32, 10)
    turned.clear()
    discriminator(torch.randn(2, 3, 32, 32), torch.tensor([3, 7]))
    assert turned == [POWER_ITERATIONS] * 5  # three convolutions, the linear layer and the embedding


def test_the_class_is_projected():
    torch.manual_seed(0)
    discriminator = Discriminator(4, 32, 10).eval().requires_grad_(False)
    x = torch.randn(1, 3, 32, 32).repeat(2, 1, 1, 1)
    scores, features = discriminator(x, torch.tensor([3, 7]))
    pooled = features[-1].sum(dim=(2, 3))[0]
    table = discriminator.class_embedding.weight
    assert scores[0] - scores[1] == pytest.approx(float((table[3] - table[7]) @ pooled), abs=1e-5)
