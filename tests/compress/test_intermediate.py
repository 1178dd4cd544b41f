"""What the full student's features add to a narrower one's gradient, and what is left of it afterwards."""

import copy

import pytest
import torch

from compress.elastic import elastic, extract
from compress.intermediate import Intermediate, with_intermediate, without_adapters
from train.generator import Widths

NARROW = Widths((20, 12, 8, 4), (8, 6, 4))


def test_features_are_those_of_the_extracted_student(trained_like, latents):
    full = elastic(trained_like(channels=4))
    z, y = latents()
    embedding = full.class_embedding(y)
    narrow = elastic(extract(full, NARROW))
    with torch.no_grad():
        images, features = full.with_features(z, embedding, NARROW)
        own_images, own = narrow.with_features(z, embedding)  # by hooks: all of its channels
    assert [x.shape[1] for x in features] == [12, 8, 4]
    torch.testing.assert_close(features, own, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(images, own_images, rtol=1e-4, atol=1e-5)


def test_the_gradient_is_that_of_both_losses(trained_like, latents):
    full = trained_like(channels=4)
    learner = Intermediate(elastic(full), full, weight=0.5).train()
    learner.student.chosen = NARROW
    explicit = copy.deepcopy(learner)
    z, y = latents()
    images = learner(z, y)
    images.backward(torch.full_like(images, 0.01))

    images, features = explicit.student.with_features(z, explicit.student.class_embedding(y))
    teacher = elastic(full).eval()
    _, wanted = teacher.with_features(z, teacher.class_embedding(y))
    adapted = [
        torch.nn.functional.conv2d(h, a.weight[:, : h.shape[1]], a.bias)
        for a, h in zip(explicit.adapters, features, strict=True)
    ]
    parts = zip(adapted, wanted, strict=True)
    distance = torch.stack([((a - w.detach()) ** 2).mean() / (w**2).mean().detach() for a, w in parts]).mean()
    (0.01 * images.sum() + 0.5 * distance).backward()
    assert distance.item() > 0.01 and learner.distance.item() == pytest.approx(distance.item(), rel=1e-4)
    for (name, ours), theirs in zip(learner.named_parameters(), explicit.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-6, msg=name)
    assert learner.adapters[0].weight.grad.abs().sum() > 0


def test_it_begins_at_nothing_and_the_adapters_go(trained_like, latents):
    full = trained_like(channels=4)
    learner = with_intermediate(elastic(full).eval(), full, 1.0)
    assert isinstance(learner, Intermediate)
    z, y = latents()
    learner.training = True  # the norms in eval mode, as the full student's are
    learner(z, y)
    assert float(learner.distance) < 1e-10
    assert not any(name.startswith("_full") for name in learner.state_dict())
    student = without_adapters(learner)
    assert student.state_dict().keys() == full.state_dict().keys()
    learner.eval()
    assert torch.equal(learner(z, y), full(z, y))
    assert with_intermediate(student, full, 0.0) is student
