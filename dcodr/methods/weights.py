"""Loading of pretrained weights from torchvision's cache or from a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from dcodr.errors import UserError
from dcodr.files import IMAGENET
from dcodr.models.encoder import Encoder
from dcodr.models.perceptual import Backbone
from dcodr.models.trunks import last_layers

_MOCO_PREFIX = "module.encoder_q."
_HIDDEN = "fc.0."
"""Prefix of the hidden layer's parameters, in MoCo-v2's projection head and in our encoder."""


def load_features(
    features: nn.Sequential, name: Backbone, source: str | Path, setting: str = "perceptual.weights"
) -> None:
    """Fill the layers of a perceptual backbone.

    Args:
        features: The first layers of the backbone, from ``backbone_features``; filled in place.
        name: Name of the backbone.
        source: ``"imagenet"`` for torchvision's published weights, or a file with a state dict of the whole
            network (``features.0.weight``) or of its features (``0.weight``); additional layers are ignored.
        setting: The setting or option with the source, named in error messages.

    Raises:
        UserError: If the weights are not available or do not fit.
    """
    state, path = _read(source, name, setting)
    found = {str(key).removeprefix("features."): value for key, value in state.items()}
    wanted = features.state_dict()
    unfit = _unfit(found, wanted)
    if unfit:
        n_covered = min(int(key.split(".")[0]) for key in unfit)
        covered = f"layers 0 to {n_covered - 1}" if n_covered else "no layer"
        raise UserError(
            f"{path}: weights of {name} are missing or of another shape: {_listed(unfit)}; the file covers "
            f"{covered}, but layers 0 to {len(features) - 1} are needed: set "
            f"{setting} to another file, or in a config choose lower perceptual.layers"
        )
    features.load_state_dict({key: found[key] for key in wanted})


def load_encoder(encoder: Encoder, arch: str, source: str | Path) -> None:
    """Fill the trunk of an encoder, except its last layer, which is as wide as a code.

    An encoder with a hidden layer gets that of MoCo-v2's projection head, as in the official code. Without a
    hidden layer it gets only the convolutions, also from MoCo-v2.

    Args:
        encoder: The encoder; filled in place.
        arch: Its architecture.
        source: ``"imagenet"`` for torchvision's published weights, or a file (PyTorch or safetensors) with
            the state dict of the trunk or, for a ResNet, a MoCo checkpoint
            (https://github.com/facebookresearch/moco), version 1 or 2.

    Raises:
        UserError: If the weights are not available or do not fit, or the architecture has none.
    """
    if arch == "small":
        raise UserError(
            f"encoder.weights is {source}, but the small encoder has no pretrained weights: remove the "
            "setting or choose another encoder.arch, such as resnet18"
        )
    library, _, model = arch.rpartition(":")
    if source == IMAGENET and library not in ("", "torchvision"):
        raise UserError(
            f"encoder.weights is imagenet, but nothing is downloaded for {arch}: set it to a file of its "
            "weights (for timm: model.safetensors of https://huggingface.co/timm), or to null"
        )
    state, path = _read(source, model, "encoder.weights")
    found = state.get("state_dict", state)
    if not isinstance(found, dict):
        raise UserError(f"encoder.weights: {path} has a state_dict that is a {type(found).__name__}")
    # MoCo's checkpoint also holds the key encoder; only the query encoder is used.
    if any(str(key).startswith(_MOCO_PREFIX) for key in found):
        found = {str(key).removeprefix(_MOCO_PREFIX): value for key, value in found.items()}
    own = encoder.trunk.state_dict()
    counters = {key for key in own if key.endswith("num_batches_tracked")}  # older files lack them
    # The last layer is new: its width is that of our codes.
    last = tuple(f"{name}." for name in last_layers(encoder.trunk, encoder.code_dim))
    own_alone = {key for key in own if key.startswith(last)}
    wanted = {key: value for key, value in own.items() if key not in own_alone | counters}
    unfit = _unfit(found, wanted)
    if unfit and all(key.startswith(_HIDDEN) for key in unfit):
        width = len(own["fc.0.bias"])
        raise UserError(
            f"encoder.hidden_layer is true, but {path} has no hidden layer of {width} -> {width} to start "
            "from (fc.0.weight, fc.0.bias): MoCo-v2 has one, MoCo-v1 and torchvision's weights do not. Set "
            "encoder.weights to a checkpoint of MoCo-v2, or encoder.hidden_layer to false"
        )
    if unfit:
        raise UserError(
            f"{path}: weights of {arch} are missing or of another shape: {_listed(unfit)}; set "
            f"encoder.weights to a file of {arch}, or change encoder.arch"
        )
    # Parameters that the file does not cover keep their random values.
    encoder.trunk.load_state_dict(own | {key: found[key] for key in wanted})


def _read(source: str | Path, model: str, setting: str) -> tuple[dict[str, Any], Path]:
    """Read a state dict, and return it with the path of its file."""
    path = _published(model, setting) if source == IMAGENET else Path(source)
    try:
        if path.suffix == ".safetensors":
            return load_file(path), path
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{setting}: no such file: {path}") from None
    except Exception as error:  # torch.load raises a dozen kinds of exceptions for a corrupt file
        raise UserError(
            f"{setting}: {path} is not a readable file of PyTorch weights: replace it, or change the setting"
        ) from error
    if not isinstance(state, dict):
        raise UserError(f"{setting}: {path} holds a {type(state).__name__}, not a state dict")
    return state, path


def _published(model: str, setting: str) -> Path:
    """Return the path of a model's ImageNet weights in torch.hub's cache; download them if missing."""
    from torchvision.models import get_model_weights

    published = get_model_weights(model)
    url: str = getattr(published, "IMAGENET1K_V1", next(iter(published))).url
    path = Path(torch.hub.get_dir(), "checkpoints", url.rsplit("/", 1)[-1])
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), hash_prefix=path.stem.rsplit("-", 1)[-1])
    except Exception as error:  # a download fails with many kinds of exceptions
        raise UserError(
            f"the ImageNet weights of {model} are not in {path} and could not be downloaded ({error}): place "
            f"{path.name} from {url} in {path.parent}, or set {setting} to another file"
        ) from error
    return path


def _unfit(found: Mapping[str, Any], wanted: Mapping[str, torch.Tensor]) -> list[str]:
    """Return the wanted keys that are missing or are not tensors of the right shape."""
    return [key for key, value in wanted.items() if getattr(found.get(key), "shape", None) != value.shape]


def _listed(keys: list[str]) -> str:
    return ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
