"""DCoDR-norec: the domain-wise contrastive objective alone."""

from torch import Tensor, nn

from dcodr.losses.contrastive import DomainContrastiveLoss
from dcodr.methods.batch import Batch, Draws
from dcodr.methods.method import Method
from dcodr.models.encoder import Encoder


class DCoDRNorec(Method):
    """An encoder trained with negatives from the anchor's own domain.

    Objective: the mean over anchors of the contrastive loss of
    :class:`~dcodr.losses.contrastive.DomainContrastiveLoss` (Kahana & Hoshen 2022, section 3). The codes have
    the same distribution within each domain, so a code does not reveal the domain. Anchors and views are
    encoded in two passes, each with its own batch statistics, as in the official code.

    Args:
        encoder: Makes the codes.
        temperature: Temperature of the loss.
        n_domains: Domains in a batch.
    """

    def __init__(self, encoder: Encoder, temperature: float, n_domains: int) -> None:
        super().__init__(encoder)
        self.contrastive = DomainContrastiveLoss(temperature, n_domains)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Compute the loss of a batch: scalar ``loss``, equal to ``contrastive``."""
        # Two passes: each has its own BatchNorm statistics.
        loss = self.contrastive(self.encoder(batch.anchors), self.encoder(batch.views()))
        return {"loss": loss, "contrastive": loss}

    def draws(self, n_images: int) -> Draws:
        """Announce one view of each image."""
        return Draws(views=1)

    def learned(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters to train, by the name of the setting with their learning rate."""
        return {"encoder_lr": list(self.encoder.parameters())}
