"""SimCLR: contrastive learning that knows nothing of domains."""

import torch.nn.functional as F
from torch import Tensor, nn

from dcodr.losses.nt_xent import NTXentLoss
from dcodr.methods.batch import Batch, Draws
from dcodr.methods.method import Method
from dcodr.models.encoder import Encoder


class SimCLR(Method):
    """An encoder trained with the whole batch as negatives.

    Objective: :class:`~dcodr.losses.nt_xent.NTXentLoss` of projected codes (Chen et al. 2020,
    https://arxiv.org/abs/2002.05709); the projection is thrown away after training. Whatever tells two images
    apart lowers the loss, the domain too: DCoDR's counterpart, and high in domain accuracy in its paper.

    Batches are shuffled: any images, of as many domains as chance brings. Batches drawn by domain would make
    more of its negatives in-domain ones, which is DCoDR's objective in part. Views and encoding are those of
    DCoDR-norec: the anchor is not augmented, its view is, and each is encoded with its own batch statistics.

    Args:
        encoder: Makes the codes.
        temperature: Temperature of the loss.
        code_dim: Width of the codes.
        projection_dim: Width of the projections; ``None`` compares the codes themselves.
    """

    def __init__(
        self, encoder: Encoder, temperature: float, code_dim: int, projection_dim: int | None
    ) -> None:
        super().__init__(encoder)
        self.contrastive = NTXentLoss(temperature)
        self.projection: nn.Module = nn.Identity()
        if projection_dim is not None:
            self.projection = nn.Sequential(
                nn.Linear(code_dim, code_dim, bias=False),
                nn.BatchNorm1d(code_dim),
                nn.ReLU(inplace=True),
                nn.Linear(code_dim, projection_dim, bias=False),
            )

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The loss of a batch: scalar ``loss``, equal to ``contrastive``."""
        loss = self.contrastive(self._projected(batch.anchors), self._projected(batch.views()))
        return {"loss": loss, "contrastive": loss}

    def draws(self, n_images: int) -> Draws:
        """One view of each image."""
        return Draws(views=1)

    def learned(self) -> dict[str, list[nn.Parameter]]:
        """The parameters to train, by the name of the setting that is their learning rate."""
        return {"encoder_lr": [*self.encoder.parameters(), *self.projection.parameters()]}

    def _projected(self, images: Tensor) -> Tensor:
        return F.normalize(self.projection(self.encoder(images)).float(), dim=1)
