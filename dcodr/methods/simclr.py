"""SimCLR: contrastive learning that ignores domains."""

import torch.nn.functional as F
from torch import Tensor, nn

from dcodr.losses.nt_xent import NTXentLoss
from dcodr.methods.batch import Batch, Draws
from dcodr.methods.method import Method
from dcodr.models.encoder import Encoder


class SimCLR(Method):
    """An encoder trained with the whole batch as negatives.

    Objective: :class:`~dcodr.losses.nt_xent.NTXentLoss` of projected codes (Chen et al. 2020,
    https://arxiv.org/abs/2002.05709). The projection is discarded after training. All information that
    distinguishes two images lowers the loss, including the domain. SimCLR is DCoDR's counterpart, with a high
    domain accuracy in DCoDR's paper.

    Batches are shuffled, with images of any domains. Batches drawn by domain would have more in-domain
    negatives, which is partly DCoDR's objective. Views and encoding are those of DCoDR-norec: the view is
    augmented but not the anchor, and each is encoded with its own batch statistics.

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
        """Compute the loss of a batch: scalar ``loss``, equal to ``contrastive``."""
        loss = self.contrastive(self._projected(batch.anchors), self._projected(batch.views()))
        return {"loss": loss, "contrastive": loss}

    def draws(self, n_images: int) -> Draws:
        """Announce one view of each image."""
        return Draws(views=1)

    def learned(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters to train, by the name of the setting with their learning rate."""
        return {"encoder_lr": [*self.encoder.parameters(), *self.projection.parameters()]}

    def _projected(self, images: Tensor) -> Tensor:
        return F.normalize(self.projection(self.encoder(images)).float(), dim=1)
