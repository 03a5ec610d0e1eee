"""Methods from outside: subclasses of :class:`dcodr.methods.method.Method` with settings of their own.

The class is built as ``Class(encoder, config, settings, sizes)``: an encoder, the whole config, its own
``Settings`` with the values of ``method_settings``, and :class:`Sizes`. Its ``learned`` groups parameters by
``encoder_lr``, ``generator_lr`` and ``embedding_lr``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from pydantic import ValidationError

from dcodr import plugins
from dcodr.config import Config
from dcodr.errors import UserError
from dcodr.methods.method import Method
from dcodr.models.encoder import Encoder
from dcodr.strict_yaml import StrictModel, describe

RATES = ("encoder_lr", "generator_lr", "embedding_lr")
"""The settings that can be the learning rates of a method from outside."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of a dataset.

    Attributes:
        n_domains: Number of domains.
        image_size: Height and width of the images, in pixels.
        n_images: Number of training images.
    """

    n_domains: int
    image_size: int
    n_images: int


def load_method(name: str) -> type[Method]:
    """Return the class of a method from outside.

    Raises:
        UserError: If its package is not allowed, or the name is not that of a subclass of ``Method``.
    """
    found = plugins.load(name, "method")
    if not (isinstance(found, type) and issubclass(found, Method)):
        raise UserError(f"method: {name} should be a subclass of dcodr.methods.method.Method")
    return found


def build_outside(encoder: Encoder, config: Config, sizes: Sizes) -> Method:
    """Build the method from outside that a config names.

    Raises:
        UserError: If the method cannot be loaded or built, or its settings are wrong.
    """
    kind = load_method(config.method)
    settings = _settings(kind, config)
    build = cast(Callable[[Encoder, Config, StrictModel, Sizes], Method], kind)
    try:
        method = build(encoder, config, settings, sizes)
        rates = method.learned()
    except UserError:
        raise
    except Exception as error:  # a method of another author can raise anything
        raise UserError(f"method: {config.method} cannot be built: {plugins.told(error)}") from error
    if wrong := [rate for rate in rates if rate not in RATES]:
        raise UserError(
            f"method: {config.method}.learned names {', '.join(map(repr, wrong))}; the learning rates are "
            f"{', '.join(RATES)}"
        )
    return method


def _settings(kind: type[Method], config: Config) -> StrictModel:
    """Return the method's own settings."""
    try:
        return kind.Settings.model_validate(config.method_settings)
    except ValidationError as error:
        mistakes = describe(error, config.method_settings)
        raise UserError.of(
            UserError(f"{'.'.join(['method_settings', *map(str, key)])}: {message}")
            for key, message in mistakes.items()
        ) from None
