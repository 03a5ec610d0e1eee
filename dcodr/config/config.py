"""Everything that determines a training, as one frozen model."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from dcodr.augmentations.names import (
    PAPER_SET,
    STRENGTHS,
    canonical,
    require_known,
    strengths_of,
    wrong_strengths,
)
from dcodr.config.methods import DrNetConfig, LORDConfig, MLVAEConfig, SimCLRConfig
from dcodr.config.parts import Arch, Augmentation, Method, Metric, OwnSetting
from dcodr.errors import UserError
from dcodr.files import IMAGENET, cached, default_store, is_uri
from dcodr.plugins import is_outside
from dcodr.seeds import MAX_SEED
from dcodr.strict_yaml import Key, StrictModel, describe, did_you_mean, mistakes, read_yaml
from dcodr.yaml_core import dump_yaml


class EncoderConfig(StrictModel):
    """The network that encodes images as codes (embeddings)."""

    arch: Arch = "resnet50"
    """``small`` is a convolutional encoder for CPUs; the paper uses ``resnet50``. ``timm:NAME`` is a model of
    timm (``pip install 'dcodr-tuning[timm]'``), ``torchvision:NAME`` a classification model of torchvision,
    ``package.module:factory`` a network of your own, see docs/extending.md."""
    code_dim: int = Field(default=128, ge=2)
    """Number of dimensions of a code."""
    head: bool = False
    """True if three fully connected layers follow (in the paper for SmallNORB and Shapes3D)."""
    hidden_layer: bool = False
    """True if a linear layer as wide as a ResNet's features (2048 for ``resnet50``) precedes its last layer,
    as in the official code. A file in ``weights`` must then come from MoCo-v2, which has that layer."""
    weights: str | None = None
    """``null`` for random weights, ``imagenet`` for torchvision's, or a file of PyTorch or safetensors
    weights (torchvision's, MoCo's, timm's, or those of your own network). timm's are not downloaded."""


class GeneratorConfig(StrictModel):
    """The AdaIN generator that reconstructs an image from its code and its domain."""

    channels: int = Field(default=256, ge=8, multiple_of=8)
    """Width of its convolutions; 256 in the paper."""
    domain_dim: int = Field(default=256, ge=1)
    """Length of a domain's embedding. It is learned; in ``ml_vae`` and ``drnet`` an encoder computes it."""


class PerceptualConfig(StrictModel):
    """The distance between an image and its reconstruction."""

    backbone: Literal["pixel", "vgg16", "vgg19", "squeezenet1_1"] = "vgg16"
    """A frozen torchvision network, or ``pixel`` for the plain mean absolute difference."""
    layers: Annotated[tuple[int, ...], Field(strict=False, min_length=1)] | None = None
    """Positions in the network's ``features``; ``null`` selects the five layers documented in the code."""
    weights: str = "imagenet"
    """``imagenet`` for torchvision's weights, or a file of them."""
    normalise: bool = False
    """True to normalise images by ImageNet's mean and deviation first. The official code does not, and the
    paper's ``reconstruction_weight`` assumes that: normalising makes the distance about four times as
    large."""


class BatchConfig(StrictModel):
    """A batch: some images of each of some domains; ``simclr`` and ``lord`` use as many of any domains."""

    n_domains: int = Field(default=4, ge=1)
    """Domains in a batch."""
    n_per_domain: int = Field(default=32, ge=2)
    """Images of each domain; all but the anchor itself are its negatives."""


class Config(StrictModel):
    """One training. The defaults are the paper's (supplement, section 2)."""

    method: Method = "dcodr"
    """``dcodr``, ``dcodr_norec`` without reconstruction, a system that the paper compares with, or
    ``package.module:Class``, a method of your own."""
    dataset: str = Field(default="synthetic", pattern="^[A-Za-z0-9_][A-Za-z0-9_-]*$")
    """Name of the dataset: letters, digits, ``-`` and ``_``."""
    data: str | None = Field(default=None, min_length=1)
    """The dataset's store, a path or a URI (``s3://bucket/cars3d.h5``); ``null`` is ``data/<dataset>.h5``."""
    encoder: EncoderConfig = EncoderConfig()
    generator: GeneratorConfig = GeneratorConfig()
    perceptual: PerceptualConfig = PerceptualConfig()
    batch: BatchConfig = BatchConfig()
    augmentations: Annotated[tuple[Augmentation, ...], Field(strict=False, min_length=1)] = PAPER_SET
    """The set that makes the positive views; ``package.module:function`` is an augmentation of your own."""
    augmentation_mode: Literal["one", "compose"] = "one"
    """``one`` draws one member for each image (official code); ``compose`` applies all of them in turn."""
    strengths: dict[Augmentation, dict[str, float]] = Field(default={})
    """Strengths by augmentation, e.g. ``gaussian_blur: {sigma: 2}``; missing ones are the paper's. One of
    your own has ``low`` and ``high``, from 0 to 1."""
    temperature: float = Field(default=0.2, gt=0)
    """Temperature of the contrastive loss."""
    encoder_lr: float = Field(default=1e-4, gt=0)
    """Learning rate of all encoders."""
    generator_lr: float = Field(default=3e-4, gt=0)
    """Learning rate of the generator."""
    embedding_lr: float = Field(default=3e-3, gt=0)
    """Learning rate of the domain embeddings, in ``lord`` of the image embeddings too; 3e-3 in the official
    codes."""
    reconstruction_weight: float = Field(default=0.3, ge=0)
    """Weight of the reconstruction, relative to the contrastive loss."""
    simclr: SimCLRConfig = SimCLRConfig()
    lord: LORDConfig = LORDConfig()
    ml_vae: MLVAEConfig = MLVAEConfig()
    drnet: DrNetConfig = DrNetConfig()
    method_settings: dict[str, OwnSetting] = Field(default={})
    """Settings of a method of your own, by the names of its model; missing ones have its defaults."""
    metrics: Annotated[tuple[Metric, ...], Field(strict=False)] = ()
    """Metrics of your own that every evaluation measures too, each ``package.module:name``."""
    epochs: int = Field(default=200, ge=1)
    """Passes over the training images."""
    lr_schedule: Literal["step", "cosine"] = "step"
    """``step`` multiplies all learning rates by ``lr_decay`` every ``lr_decay_epochs``; ``cosine`` lowers
    them along half a cosine to 1e-5 over all ``epochs``, as LORD's code does."""
    lr_decay: float = Field(default=0.33, gt=0, le=1)
    """Factor of the schedule ``step``."""
    lr_decay_epochs: int = Field(default=30, ge=1)
    """Epochs between two decays of the schedule ``step``."""
    lr_warmup_epochs: int = Field(default=0, ge=0)
    """Epochs at the start with lower learning rates, which rise in equal steps: with 3 epochs a quarter, a
    half and three quarters of the schedule's rates."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Decay of all learned weights, apart from their gradients (AdamW, Loshchilov & Hutter 2019): a step
    multiplies them by 1 minus learning rate times this. The paper has none."""
    evaluate_every: int = Field(default=10, ge=1)
    """Epochs between two evaluations on the validation images; the last epoch is always evaluated."""
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    """Number format of the networks' forward pass; weights and losses stay float32. With ``tf32`` a GPU
    rounds the factors of float32 products to ten bits of mantissa, which is faster; on the CPU it is
    ``float32``."""
    compile: bool = False
    """True to compile the networks with ``torch.compile``, which takes half a minute or more at first and
    makes steps faster."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """``auto`` selects a GPU if there is one."""
    threads: int = Field(default=1, ge=1)
    """CPU threads. With the same seed and threads, a training on the CPU is exactly reproducible."""
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    """Seed of everything random."""

    @field_validator("augmentations")
    @classmethod
    def _known_augmentations(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        require_known(names)
        return canonical(names)

    @field_validator("strengths")
    @classmethod
    def _known_strengths(cls, strengths: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        if wrong := list(wrong_strengths(strengths)):
            raise mistakes(wrong)
        return strengths

    @model_validator(mode="after")
    def _layers_need_a_backbone(self) -> "Config":
        if self.perceptual.backbone == "pixel" and self.perceptual.layers is not None:
            raise ValueError("perceptual.layers has no meaning for the pixel distance: remove it")
        return self

    @model_validator(mode="after")
    def _hidden_layers_are_of_resnets(self) -> "Config":
        if self.encoder.hidden_layer and self.encoder.arch not in ("resnet18", "resnet50"):
            which = "the small encoder" if self.encoder.arch == "small" else self.encoder.arch
            raise ValueError(f"encoder.hidden_layer is for resnet18 and resnet50, not {which}: remove it")
        return self

    @model_validator(mode="after")
    def _pairs_need_two_domains(self) -> "Config":
        if self.method == "drnet" and self.batch.n_domains < 2:
            raise ValueError("batch.n_domains is 1, but drnet compares images of two domains: raise it")
        return self

    @property
    def store(self) -> Path:
        """The path of the dataset's store. A store at a URI is downloaded to this path."""
        if self.data is None:
            return default_store(self.dataset)
        return cached(self.data) if is_uri(self.data) else Path(self.data)


def merged(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` updated with ``overrides``; merge nested mappings key by key."""
    result = dict(base)
    for key, value in overrides.items():
        old = result.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        result[key] = merged(old, value) if both else value  # type: ignore[arg-type]
    return result


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Describe the differences between two nested mappings, one text for each dotted key."""
    found: list[str] = []
    for key in dict.fromkeys([*old, *new]):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += differences(before, after, f"{prefix}{key}.")
        elif before != after:
            found.append(f"{prefix}{key}: {before!r} there, {after!r} here")
    return found


def with_absolute_paths(config: Config) -> Config:
    """Return a config with absolute paths, which are valid in every working folder."""
    update: dict[str, Any] = {} if is_uri(config.data) else {"data": str(config.store.resolve())}
    for name in ("encoder", "perceptual"):
        part = getattr(config, name)
        if part.weights not in (None, IMAGENET):
            update[name] = part.model_copy(update={"weights": str(Path(part.weights).resolve())})
    return config.model_copy(update=update)


def override(
    config: Config, overrides: Mapping[str, Any], complain: Callable[[Key, str], UserError]
) -> Config:
    """Return a config with some settings replaced; ``complain`` makes an error from a key and a message.

    Raises:
        UserError: If the result is not a valid config.
    """
    data = merged(config.model_dump(), overrides)
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise UserError.of(complain(*mistake) for mistake in describe(error, data).items()) from None


def nested(key: str, value: object) -> dict[str, Any]:
    """Return ``{"a": {"b": value}}`` for the dotted key ``a.b``."""
    for part in reversed(key_parts(key)):
        value = {part: value}
    assert isinstance(value, dict)
    return value


def key_parts(key: str) -> tuple[str, ...]:
    """Split a dotted key, e.g. ``encoder.arch``. The name of an augmentation from outside stays whole."""
    first, _, rest = key.partition(".")
    if first == "strengths" and ":" in rest:
        member, _, name = (rest, "", "") if is_outside(rest) else rest.rpartition(".")
        return (first, member, name) if name else (first, member)
    return tuple(key.split("."))


def setting(config: Config, key: str) -> Any:
    """Return the value at a dotted key; for a missing strength return the paper's.

    Raises:
        KeyError: If a config has no such key; the message lists the allowed ones.
    """
    parts = key_parts(key)
    named = [name for name in parts[1:2] if parts[0] == "strengths" and is_outside(name)]
    strengths = {name: strengths_of(name, config.strengths) for name in (*STRENGTHS, *named)}
    node: Any = dict(config) | {"strengths": strengths}
    for part in parts:
        children = dict(node) if isinstance(node, (StrictModel, dict)) else {}
        if part not in children:
            raise KeyError(f"{key} is not a setting of a config{did_you_mean(part, children)}")
        node = children[part]
    return node


def read_config(path: str | Path) -> tuple[Config, dict[str, Any]]:
    """Read a config file and, if a search exported it, its ``provenance``.

    Raises:
        UserError: If the file cannot be read or is no valid config.
    """
    # The provenance is not a setting, so it is removed before the validation.
    file = read_yaml(path)
    provenance = file.data.pop("provenance", {})
    wrong = [file.error(*mistake) for mistake in file.mistakes(Config).items()]
    if not isinstance(provenance, dict):
        wrong.append(file.error(("provenance",), f"received {provenance!r}; should be a mapping"))
    if wrong:
        raise UserError.of(wrong)
    return file.validate(Config), provenance


def dump_config(config: Config, provenance: Mapping[str, Any] | None = None) -> str:
    """Return the text of a config file; ``read_config`` reads back the same values."""
    data = json.loads(config.model_dump_json())  # tuples become lists, which YAML can represent
    if provenance is not None:
        data["provenance"] = dict(provenance)
    return dump_yaml(data)
