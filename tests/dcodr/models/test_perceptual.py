"""The distances against torchvision, naive references and properties."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision import models, transforms

from dcodr.errors import UserError
from dcodr.models.perceptual import (
    DEFAULT_LAYERS,
    Backbone,
    PerceptualDistance,
    backbone_features,
    distance_of_each,
    require_size,
)

BACKBONES: list[Backbone] = ["vgg16", "vgg19", "squeezenet1_1"]


def images(seed: int, size: int = 32) -> torch.Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def toy() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 5, 3), nn.ReLU(inplace=True), nn.Dropout(0.5)
    )


@pytest.mark.parametrize("name", BACKBONES)
def test_backbones_are_torchvisions(name: Backbone) -> None:
    with torch.device("meta"):
        whole = getattr(models, name)().features
    assert str(backbone_features(name, len(whole) - 1)) == str(whole)
    assert str(backbone_features(name, 4)) == str(whole[:5])


@pytest.mark.parametrize("name", BACKBONES)
def test_default_layers_are_five_without_negative_outputs(name: Backbone) -> None:
    layers = DEFAULT_LAYERS[name]
    assert len(layers) == 5
    x = images(0, size=64)
    for index, layer in enumerate(backbone_features(name, max(layers))):
        x = layer(x)
        assert index not in layers or (x.min() >= 0 and x.max() > 0)


def test_vgg16_defaults_equal_the_official_layers_after_in_place_relus() -> None:
    features = backbone_features("vgg16", 30)
    distance = PerceptualDistance(features, DEFAULT_LAYERS["vgg16"], normalise=False)

    def official(x: torch.Tensor) -> list[torch.Tensor]:
        kept = []
        for index, layer in enumerate(features):
            x = F.relu(x, inplace=True) if isinstance(layer, nn.ReLU) else layer(x)
            if index in (2, 7, 12, 21, 30):
                kept.append(x)
        return kept

    output, target = images(0), images(1)
    expected = (output - target).abs().mean()
    for ours, theirs in zip(official(output), official(target), strict=True):
        expected = expected + (ours - theirs).abs().mean()
    torch.testing.assert_close(distance(output, target), expected)


def test_pixel_distance_is_the_mean_absolute_difference() -> None:
    target = images(0)
    output = target.clone()
    output[:, 0] += 0.3
    assert nn.L1Loss()(output, target).item() == pytest.approx(0.1)


def test_perceptual_distance_adds_pixels_and_layers(toy: nn.Sequential) -> None:
    output, target = images(0), images(1)
    expected = (output - target).abs().mean()
    for depth in (2, 4):
        features = toy[:depth]
        expected = expected + (features(output) - features(target)).abs().mean()
    torch.testing.assert_close(PerceptualDistance(toy, (3, 1), normalise=False)(output, target), expected)


def test_a_layer_before_a_relu_is_not_overwritten(toy: nn.Sequential) -> None:
    output, target = images(0), images(1)
    expected = (output - target).abs().mean() + (toy[0](output) - toy[0](target)).abs().mean()
    expected = expected + (toy[:2](output) - toy[:2](target)).abs().mean()
    torch.testing.assert_close(PerceptualDistance(toy, (0, 1), normalise=False)(output, target), expected)


def test_normalising_is_that_of_torchvisions_weights(toy: nn.Sequential) -> None:
    normalise = transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    output, target = images(0), images(1)
    features = toy[0](normalise(output)) - toy[0](normalise(target))
    expected = (output - target).abs().mean() + features.abs().mean()
    torch.testing.assert_close(PerceptualDistance(toy, (0,))(output, target), expected)


def test_distance_of_equal_images_is_zero_and_of_others_symmetric(toy: nn.Sequential) -> None:
    distance = PerceptualDistance(toy, (1, 3))
    output, target = images(0), images(1)
    assert distance(output, output).item() == 0
    assert distance(output, target).item() > 0
    torch.testing.assert_close(distance(output, target), distance(target, output))


def test_gradient_reaches_the_output_alone(toy: nn.Sequential) -> None:
    output, target = images(0).requires_grad_(), images(1)
    distance = PerceptualDistance(toy, (1, 3))
    pixels_only = torch.autograd.grad(nn.L1Loss()(output, target), output)[0]
    distance(output, target).backward()
    assert output.grad is not None
    assert not torch.allclose(output.grad, pixels_only)
    assert not any(parameter.requires_grad for parameter in distance.parameters())
    assert all(parameter.grad is None for parameter in distance.parameters())


def test_backbone_stays_in_evaluation_mode(toy: nn.Sequential) -> None:
    distance = PerceptualDistance(toy, (4,))
    parent = nn.ModuleList([distance, nn.Dropout()]).train()
    assert parent[1].training
    assert not any(module.training for module in distance.modules())


@pytest.mark.parametrize("layer", [-1, 31])
def test_layers_outside_the_backbone_are_refused(layer: int, toy: nn.Sequential) -> None:
    with pytest.raises(UserError, match=rf"perceptual\.layers .*{layer}, but vgg16 has layers 0 to 30"):
        backbone_features("vgg16", layer)
    with pytest.raises(UserError, match=rf"layer {layer}, but the backbone has layers 0 to 4"):
        PerceptualDistance(toy, (1, layer))


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("size", [16, 24, 31, 32, 48])
def test_images_are_refused_where_the_backbone_fails(name: Backbone, size: int) -> None:
    features = backbone_features(name, max(DEFAULT_LAYERS[name]))
    try:
        features(torch.rand(1, 3, size, size))
    except RuntimeError:
        with pytest.raises(UserError, match=f"images of {size} pixels are too small for {name}"):
            require_size(features, size, name)
    else:
        require_size(features, size, name)


def test_the_distance_of_each_image_is_that_of_a_batch_of_one(toy: nn.Sequential) -> None:
    distance = PerceptualDistance(toy, (1, 3))
    ours, theirs = images(0), images(1)
    each = distance_of_each(distance.compared(ours), distance.compared(theirs))
    alone = [distance(a[None], b[None]) for a, b in zip(ours, theirs, strict=True)]
    torch.testing.assert_close(each, torch.stack(alone))
    assert each[0] != each[1]
