"""The model card of an exported encoder, in Markdown (Mitchell et al. 2019, arXiv 1810.03993)."""

import textwrap
from collections.abc import Iterator
from importlib.metadata import version

from dcodr.config import dump_config
from dcodr.data.dataset import SPLITS, FactorDataset
from dcodr.data.store import open_store
from dcodr.errors import UserError
from dcodr.export.formats import Exported
from dcodr.tables import markdown_table
from dcodr.training.encoder_file import sha256
from dcodr.training.origin import Measured, Origin
from dcodr.words import counted

JUDGES = {
    "fast": "the fast probe of a search, fitted to the codes of the train images",
    "paper": "the paper's probe (a six-layer MLP), fitted to the codes of the train images",
}
FIRST = ("invariance", "informativeness", "image_informativeness")
_CONSTANT = {
    "domain_accuracy": "chance/domain",
    "accuracy": "chance/{}",
    "error": "error_of_median/{}",
}
"""For each kind of metric the metric of the best constant answer."""
_USE = {
    "onnx": (
        "import onnxruntime\n",
        """\
session = onnxruntime.InferenceSession("{name}")
(codes,) = session.run(["codes"], {{"images": images}})
""",
    ),
    "torchscript": (
        "import torch\n",
        """\
model = torch.jit.load("{name}")
with torch.inference_mode():
    codes = model(torch.from_numpy(images)).numpy()
""",
    ),
    "safetensors": (
        "import dcodr\nimport torch\nfrom dcodr.export.formats import image_encoder\n",
        """\
encoder = dcodr.load("{name}")
model = image_encoder(encoder, encoder.image_size)
with torch.inference_mode():
    codes = model(torch.from_numpy(images)).numpy()
""",
    ),
}
"""For each format the imports and the statements that compute codes."""


def render_card(made: Exported, name: str, origin: Origin | None) -> str:
    """Return the card of an exported file.

    Args:
        made: The file.
        name: The encoder, as it was given to ``export``.
        origin: The encoder's training, if known. Only metrics in it are printed.
    """
    blocks = [
        f"# {made.path.name}",
        _about(origin),
        markdown_table(("", ""), _facts(made, name, origin)),
        "## Use",
        _use(made),
        "## Metrics",
        *_metrics(origin),
        "## Data",
        *_data(origin),
        "## Intended use and limits",
        _limits(),
        "## Config of the training",
        "Not known." if origin is None else f"```yaml\n{dump_config(origin.config)}```",
    ]
    return "\n\n".join(blocks) + "\n"


def _about(origin: Origin | None) -> str:
    method = "dcodr" if origin is None else origin.config.method
    return textwrap.fill(
        f"This encoder maps an image to a code (embedding). Its method, `{method}` of "
        "dcodr-tuning, aims at codes that are *invariant* to a labelled domain of the training images and "
        "*informative* of everything else (Kahana & Hoshen, ECCV 2022, https://arxiv.org/abs/2203.11284).",
        110,
    )


def _facts(made: Exported, name: str, origin: Origin | None) -> Iterator[tuple[str, str]]:
    width = "code_dim" if origin is None else str(origin.config.encoder.code_dim)
    yield (
        "format",
        f"{made.format.name}, {made.path.stat().st_size / 1e6:.1f} MB, SHA-256 `{sha256(made.path)}`",
    )
    if made.format.name == "safetensors":
        yield "content", "weights, and the config in the header; the network is built by dcodr-tuning"
    yield "input `images`", "`(batch, height, width, 3)` uint8 RGB, of any batch size, height and width"
    yield "preparation", made.preparation
    yield (
        "output `codes`",
        f"`(batch, {width})` float32, each of length 1: compare codes by their dot product",
    )
    yield "exported from", f"`{name}`, by dcodr-tuning {version('dcodr-tuning')}, torch {version('torch')}"
    yield "checked", f"{made.agreement}, on {made.images} images ({made.runtime})"


def _use(made: Exported) -> str:
    imports, statements = _USE[made.format.name]
    draft = (2 * made.image_size, 2 * made.image_size)
    code = (
        f"import numpy as np\n{imports}from PIL import Image, ImageOps\n\n"
        'photo = Image.open("photo.jpg")\n'
        f'photo.draft("RGB", {draft})  # decodes a large JPEG smaller, as the training did\n'
        'photo = ImageOps.exif_transpose(photo).convert("RGB")\n'
        "images = np.array(photo)[None]  # (1, height, width, 3) uint8\n"
        f"{statements.format(name=made.path.name)}print(codes.shape)\n"
    )
    text = (
        f"```python\n{code}```\n\nLay transparent images over white first, as the training did. "
        "Codes of large JPEG files differ a little if these are decoded in full."
    )
    if made.format.name == "safetensors":
        text += (
            f" A whole folder: `python -m dcodr embed {made.path.name} --images FOLDER --out codes.parquet`."
        )
    return text


def _metrics(origin: Origin | None) -> Iterator[str]:
    measured = () if origin is None else origin.measured
    for split in ("validation", "test"):
        found = [one for one in measured if one.split == split]
        for one in found:
            yield f"**On {split} images**, by {JUDGES[one.judge]}{_of_other_data(one, origin)}:"
            if one.infeasible is not None:
                yield f"These metrics must not be compared: {one.infeasible}."
            yield markdown_table(("metric", "value", "95 % interval", "a constant answer"), _rows(one))
        if not found:
            yield f"**On {split} images**: not measured."
    yield textwrap.fill(
        "`invariance` and `informativeness` are 1 at best. An `invariance` of 0 means that the probe reads "
        "the domain from the codes without error, an `informativeness` of 0 that it learns nothing from them "
        "about the attributes.",
        110,
    )


def _of_other_data(one: Measured, origin: Origin | None) -> str:
    if origin is None or one.fingerprint == origin.fingerprint:
        return ""
    return f", of another dataset than the training's (fingerprint `{one.fingerprint}`)"


def _rows(one: Measured) -> Iterator[tuple[str, str, str, str]]:
    names = sorted(one.metrics, key=lambda name: (name not in FIRST, name))
    for name in names:
        if name.startswith(("chance/", "error_of_median/")):
            continue
        low, high = one.intervals.get(name, (None, None))
        interval = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
        constant = one.metrics.get(_CONSTANT.get(name.partition("/")[0], "{}").format(name.partition("/")[2]))
        yield name, f"{one.metrics[name]:.3f}", interval, "" if constant is None else f"{constant:.3f}"


def _data(origin: Origin | None) -> Iterator[str]:
    if origin is None:
        yield "Not known."
        return
    rows = [
        ("dataset", f"`{origin.config.dataset}`"),
        ("fingerprint", f"`{origin.fingerprint}`" if origin.fingerprint else "not recorded"),
        ("epochs of training", "not recorded" if origin.epochs is None else str(origin.epochs)),
    ]
    try:
        data = open_store(origin.config.store)
    except UserError:
        reason = "could not be opened when this card was written"
    else:
        if data.fingerprint == origin.fingerprint:
            yield markdown_table(("", ""), [*rows, *_store(data)])
            return
        reason = "now holds other data"
    yield markdown_table(("", ""), [*rows, ("store", f"`{origin.config.store}`, which {reason}")])


def _store(data: FactorDataset) -> Iterator[tuple[str, str]]:
    """Yield what a store holds, and where it comes from."""
    spec = data.spec
    splits = ", ".join(f"{len(data.indices(split)):,} {split}" for split in SPLITS)
    yield "images", f"{len(data.images):,} ({splits})"
    yield "domain", f"`{spec.domain}`: {counted(data.n_domains, 'value')}"
    yield "attributes", ", ".join(f"`{one.name}`" for one in spec.attributes) or "none labelled"
    for key, value in data.provenance.items():
        yield key, str(value)


def _limits() -> str:
    points = (
        "Use the codes to compare, search, cluster or map images regardless of their domain, or as features "
        "for a small model of an attribute.",
        "The metrics hold for images like those of the training: the same source, views and domains. Nothing "
        "was measured for images from other sources (another camera, background, crop or domain). Measure "
        "with labelled images of your own before you rely on the codes.",
        "Invariance is only as true as its judge. A low domain accuracy says that *this* probe finds no "
        "domain. A stronger one, or one with more images, may find it; `python -m dcodr evaluate --judges "
        "all` asks several kinds. Codes protect no privacy and are not anonymous.",
        "Informativeness covers the labelled attributes only. Other properties may be lost.",
    )
    return "\n".join(
        textwrap.fill(point, 110, initial_indent="* ", subsequent_indent="  ") for point in points
    )
