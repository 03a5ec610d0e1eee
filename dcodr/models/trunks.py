"""Trunks of encoders: two of this package, any model of timm or torchvision, networks from outside.

torchvision is imported where it is needed: its import brings PyTorch's compiler, which takes seconds.
"""

import difflib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dcodr import plugins
from dcodr.errors import UserError
from dcodr.models.convolution import as_matrix_products


def build_trunk(
    arch: str, code_dim: int, hidden_layer: bool = False, image_size: int | None = None
) -> nn.Module:
    """Build a trunk with random weights. Its last layer is ``code_dim`` wide.

    Args:
        arch: ``small``, ``resnet18`` or ``resnet50``; ``timm:NAME``; ``torchvision:NAME``; or
            ``package.module:factory``, where ``factory(num_classes=code_dim)`` returns a module from float
            images ``(B, 3, H, W)`` in [0, 1] to ``(B, code_dim)``, as torchvision's functions do.
        code_dim: Width of the last layer.
        hidden_layer: True for a linear layer before the last one, see :class:`dcodr.models.encoder.Encoder`.
        image_size: Height and width of the images, in pixels. If it is known, a trunk that is not of this
            package has to encode two black images.

    Raises:
        ValueError: If a hidden layer is requested for another trunk than a ResNet.
        UserError: If there is no such trunk, its package is not allowed, or it cannot encode images.
    """
    if arch in ("resnet18", "resnet50"):
        return _resnet(arch, code_dim, hidden_layer)
    if hidden_layer:
        raise ValueError(f"the encoder {arch} has no hidden layer")
    if arch == "small":
        return small_trunk(code_dim)
    library, _, name = arch.partition(":")
    try:
        if library == "timm":
            trunk = _timm(name, code_dim)
        elif library == "torchvision":
            trunk = _torchvision(name, code_dim, image_size)
        else:
            trunk = plugins.load(arch, "encoder.arch")(num_classes=code_dim)
        if library in ("timm", "torchvision"):
            _start_last_layer(trunk, code_dim)
        if not isinstance(trunk, nn.Module):
            raise UserError(f"encoder.arch: {arch} returned {type(trunk).__name__}; should be a torch Module")
        if image_size is not None:
            _require_codes(arch, trunk, code_dim, image_size)
    except UserError:
        raise
    except Exception as error:  # a network of another author can raise anything
        raise UserError(f"encoder.arch: {arch} cannot be built: {plugins.told(error)}") from error
    return trunk


def last_layers(trunk: nn.Module, width: int) -> tuple[str, ...]:
    """Return the name of a trunk's last layer, which is ``width`` wide; a few models of timm have two.

    Pretrained weights do not cover it, as its width is that of our codes.

    Raises:
        UserError: If there is none.
    """
    names = [
        name
        for name, layer in trunk.named_modules()
        if width in (getattr(layer, "out_features", None), getattr(layer, "out_channels", None))
    ]
    if not names:
        raise UserError(f"encoder.weights: the encoder has no last layer {width} wide: set it to null")
    declared = (getattr(trunk, "pretrained_cfg", None) or {}).get("classifier")
    known = (declared,) if isinstance(declared, str) else tuple(declared or ())
    return tuple(name for name in known if name in names) or (names[-1],)


def _start_last_layer(trunk: nn.Module, width: int) -> None:
    """Draw a last layer that is zero, as torchvision's transformers have: its codes had no direction."""
    for name in last_layers(trunk, width):
        layer = trunk.get_submodule(name)
        if isinstance(layer, (nn.Linear, nn.Conv2d)) and not layer.weight.any():
            layer.reset_parameters()


def _require_codes(arch: str, trunk: nn.Module, code_dim: int, image_size: int) -> None:
    """Refuse a trunk that cannot encode images of a size; its buffers stay as they are."""
    was_training = trunk.training
    trunk.eval()
    try:
        with torch.no_grad():  # tensors that a network caches must be usable for gradients
            codes = trunk(torch.zeros(2, 3, image_size, image_size))
    except Exception as error:
        raise UserError(
            f"encoder.arch: {arch} cannot encode images of {image_size}x{image_size} pixels: "
            f"{plugins.told(error)}"
        ) from error
    finally:
        trunk.train(was_training)
    found = tuple(codes.shape) if isinstance(codes, Tensor) else type(codes).__name__
    if found != (2, code_dim):
        raise UserError(
            f"encoder.arch: {arch} maps 2 images to {found}; should be (2, {code_dim}): its last layer has "
            "to be num_classes wide"
        )


def _timm(name: str, code_dim: int) -> nn.Module:
    """Build a model of timm (https://huggingface.co/docs/timm) for images of any size, if it allows that."""
    try:
        import timm
    except ImportError:
        raise UserError(
            f"encoder.arch: timm:{name} needs timm: pip install 'dcodr-tuning[timm]', or pip install timm"
        ) from None
    if not timm.is_model(name.partition(".")[0]):
        raise UserError(f"encoder.arch: timm {timm.__version__} has no model {name!r}{_like(timm, name)}")
    build: Callable[..., nn.Module] = timm.create_model
    try:
        # Transformers have position embeddings for one size of images, which this makes adapt to others.
        return build(name, pretrained=False, num_classes=code_dim, dynamic_img_size=True)
    except TypeError:
        return build(name, pretrained=False, num_classes=code_dim)


def _like(timm: Any, name: str) -> str:
    close = difflib.get_close_matches(name, timm.list_models(), n=5)
    return f"; did you mean {' or '.join(close)}?" if close else ": timm.list_models() lists all"


def _torchvision(name: str, code_dim: int, image_size: int | None) -> nn.Module:
    """Build a classification model of torchvision."""
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise UserError(f"encoder.arch: torchvision has no model {name!r}; it has {', '.join(known)}")
    size: dict[str, Any] = {}
    if image_size is not None and name.startswith("vit_"):
        size["image_size"] = image_size
    elif image_size is not None and name.startswith("maxvit"):
        size["input_size"] = (image_size, image_size)
    elif name in ("googlenet", "inception_v3"):
        size |= {"aux_logits": False, "init_weights": True}
    model: nn.Module = models.get_model(name, weights=None, num_classes=code_dim, **size)
    return model


def small_trunk(code_dim: int) -> nn.Module:
    """Build a trunk of three convolutions for CPUs, with about 0.9 million parameters.

    It is fast because the first convolution reduces the resolution to a quarter; its 8x8 windows overlap by
    half. The last map is kept as a 4x4 grid, not averaged, because pose depends on the positions of things.

    At 64x64 the maps are 64 x 16x16, 128 x 8x8 and 256 x 4x4; other sizes are pooled to the same grid.
    """
    return nn.Sequential(
        nn.Conv2d(3, 64, kernel_size=8, stride=4, padding=2, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.Conv2d(64, 128, kernel_size=3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(128),
        nn.ReLU(inplace=True),
        nn.Conv2d(128, 256, kernel_size=3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(256),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(256 * 4 * 4, code_dim),
    )


def _resnet(arch: str, code_dim: int, hidden_layer: bool) -> nn.Module:
    """Build torchvision's ResNet with random weights and a classifier ``fc`` as wide as a code.

    With a hidden layer, ``fc.0`` is that layer, as in MoCo-v2, and ``fc.1`` is the classifier.
    """
    from torchvision.models import get_model

    trunk: nn.Module = get_model(arch, num_classes=code_dim)
    if hidden_layer:
        last = trunk.get_submodule("fc")
        assert isinstance(last, nn.Linear)
        # `last` keeps its weights: only the new hidden layer draws random numbers.
        trunk.fc = nn.Sequential(nn.Linear(last.in_features, last.in_features), last)
    as_matrix_products(trunk)
    return trunk
