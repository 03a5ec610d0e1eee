"""The interface between a method and the trainer and evaluation."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from dcodr.methods.batch import Batch, Draws
from dcodr.models.encoder import Encoder
from dcodr.strict_yaml import StrictModel


class NoSettings(StrictModel):
    """The settings of a method that has none of its own."""


class Method(nn.Module, ABC):
    """Networks that are trained together, and the losses of a batch.

    All state that a resumed training needs must be a parameter or a buffer. See
    :mod:`dcodr.methods.outside` for methods of other packages.

    Attributes:
        Settings: The model of a method's own settings, if it is from outside.
        shuffled: True if a method from outside is trained on shuffled batches of any images.

    Args:
        encoder: Makes the codes; the only network that remains after training.
    """

    Settings: ClassVar[type[StrictModel]] = NoSettings
    shuffled: ClassVar[bool] = False

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Compute the scalars of a batch: ``loss``, which is minimised, and its parts."""

    def draws(self, n_images: int) -> Draws:
        """Announce the random draws of :meth:`losses` for a batch of ``n_images`` images."""
        return Draws()

    def render(self, content: Tensor, lenders: Tensor, domain: Tensor) -> Tensor | None:
        """Render the content of some images in the domains of others.

        Args:
            content: ``(B, 3, H, W)`` images in [0, 1].
            lenders: ``(B, 3, H, W)`` images that lend their domains.
            domain: ``(B,)`` int64 domain labels of the lenders.

        Returns:
            ``(B, 3, H, W)`` in [0, 1]; ``None`` if the method has no generator.
        """
        return None

    @abstractmethod
    def learned(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters to train, by the dotted key of the setting with their learning rate.

        Adam treats every parameter independently, so a group is equivalent to a separate optimiser.
        """
