"""The systems that learn codes: each is its networks and the losses of a batch."""

from torch import nn

from dcodr.config import Config, PerceptualConfig
from dcodr.methods.dcodr import DCoDR
from dcodr.methods.dcodr_norec import DCoDRNorec
from dcodr.models.encoder import Encoder
from dcodr.models.generator import Generator
from dcodr.models.perceptual import DEFAULT_LAYERS, PerceptualDistance, PixelDistance, backbone_features
from dcodr.weights import load_encoder, load_features


def build_method(config: Config, n_domains: int, image_size: int) -> DCoDRNorec:
    """The method of a config, its weights drawn from torch's global generator.

    Args:
        config: What to build.
        n_domains: Domains of the dataset.
        image_size: Height and width of the images, in pixels.

    Raises:
        UserError: If pretrained weights cannot be had.
    """
    encoder = Encoder(config.encoder.arch, config.encoder.code_dim, config.encoder.head)
    if config.encoder.weights is not None:
        load_encoder(encoder, config.encoder.arch, config.encoder.weights)
    batch = config.batch
    if config.method == "dcodr_norec":
        return DCoDRNorec(encoder, config.temperature, batch.n_domains)
    generator = Generator(
        config.encoder.code_dim, n_domains, config.generator.domain_dim, config.generator.channels, image_size
    )
    distance = build_distance(config.perceptual)
    return DCoDR(
        encoder, generator, distance, config.temperature, batch.n_domains, config.reconstruction_weight
    )


def build_distance(config: PerceptualConfig) -> nn.Module:
    """The distance between images that a config asks for.

    Raises:
        UserError: If the backbone's weights cannot be had.
    """
    if config.backbone == "pixel":
        return PixelDistance()
    layers = config.layers or DEFAULT_LAYERS[config.backbone]
    features = backbone_features(config.backbone, max(layers))
    load_features(features, config.backbone, config.weights)
    return PerceptualDistance(features, layers, config.normalise)
