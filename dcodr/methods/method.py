"""What the trainer and the evaluation ask of a method."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from dcodr.methods.batch import Batch, Draws
from dcodr.models.encoder import Encoder


class Method(nn.Module, ABC):
    """Networks that are trained together, and the losses of a batch.

    Everything that a training must find again when it is resumed is a parameter or a buffer.

    Args:
        encoder: Makes the codes; all that remains after training.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Scalars of a batch: ``loss``, whose gradient is followed, and its parts."""

    def draws(self, n_images: int) -> Draws:
        """Return what :meth:`losses` draws at random for a batch of so many images."""
        return Draws()

    def render(self, content: Tensor, lenders: Tensor, domain: Tensor) -> Tensor | None:
        """Images with the content of some images and the domain of others.

        Args:
            content: ``(B, 3, H, W)`` images in [0, 1].
            lenders: ``(B, 3, H, W)`` images whose domains are lent.
            domain: ``(B,)`` int64 domain labels of these.

        Returns:
            ``(B, 3, H, W)`` in [0, 1]; ``None`` where a method has no generator.
        """
        return None

    @abstractmethod
    def learned(self) -> dict[str, list[nn.Parameter]]:
        """The parameters to train, by the dotted key of the setting that is their learning rate.

        Adam treats every parameter by itself: a group here is as good as an optimiser of its own.
        """
