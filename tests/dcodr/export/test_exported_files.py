"""``python -m dcodr export``: files that compute the encoder's codes in other programs, and their cards."""

import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from dcodr.cli import app
from dcodr.config import Config, EncoderConfig
from dcodr.data.dataset import FactorDataset
from dcodr.embeddings.embedding import embed_images
from dcodr.embeddings.sources import open_images
from dcodr.errors import UserError
from dcodr.export import formats
from dcodr.export.formats import FORMATS, TOLERANCE, Format, export_encoder
from dcodr.methods.build import build_encoder
from dcodr.training.encoder_file import read_encoder, write_encoder
from dcodr.training.origin import Origin
from dcodr.training.report_file import with_reports
from dcodr.training.trained import load
from dcodr.training.trainer import fit
from dcodr.words import for_a_shell
from tests.dcodr.embeddings.photographs import encoder_file

ENDINGS = {"onnx": "onnx", "torchscript": "pt", "safetensors": "safetensors"}


def run(*words: object) -> str:
    with for_a_shell():
        return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False).stdout


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder in all formats, made by one command, and a large photograph beside it."""
    folder = tmp_path_factory.mktemp("exported")
    encoder_file(folder / "encoder.safetensors")
    options = [word for name, end in ENDINGS.items() for word in (f"--{name}", folder / f"out.{end}")]
    printed = run("export", folder / "encoder.safetensors", *options).splitlines()
    assert [line.partition(":")[0] for line in printed[::2]] == [str(path) for path in options[1::2]]
    assert printed[1::2] == [f"{path}.md" for path in options[1::2]]
    grain = np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the camera turned
    Image.fromarray(grain).save(folder / "photo.jpg", exif=exif)
    return folder


@pytest.fixture(scope="module")
def expected(exported: Path) -> Any:
    """The code of the photograph, as ``embed`` computes it."""
    source = open_images(exported / "photo.jpg", warn=print)
    return embed_images(load(exported / "encoder.safetensors"), source, "encoder", device="cpu").codes


@pytest.mark.parametrize("name", ENDINGS)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_snippet_of_a_card_computes_the_codes_of_embed(
    name: str,
    exported: Path,
    expected: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(exported)
    card = Path(f"out.{ENDINGS[name]}.md").read_text()
    (snippet,) = re.findall(r"^```python\n(.*?)^```$", card, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(snippet, names)
    assert capsys.readouterr().out == "(1, 8)\n"
    np.testing.assert_allclose(names["codes"], expected, atol=TOLERANCE)


def test_a_card_of_an_encoder_without_metrics_prints_none(exported: Path) -> None:
    card = (exported / "out.onnx.md").read_text()
    assert "**On validation images**: not measured." in card
    assert "**On test images**: not measured." in card
    assert "| fingerprint | not recorded |" in card
    assert "  arch: small\n" in card
    assert "resized to 32 x 32" in card


def test_the_files_describe_themselves(exported: Path) -> None:
    import onnxruntime

    known = onnxruntime.InferenceSession(exported / "out.onnx").get_modelmeta().custom_metadata_map
    extra = {"metadata.json": ""}
    with warnings.catch_warnings(action="ignore"):
        torch.jit.load(exported / "out.pt", _extra_files=extra)  # type: ignore[no-untyped-call]
    assert known == json.loads(extra["metadata.json"])
    assert known["images"].startswith("uint8 (batch, height, width, 3) RGB")
    assert known["image_size"] == "32"
    assert Config.model_validate_json(known["config"]).encoder.code_dim == 8


def test_a_file_that_computes_other_codes_does_not_appear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = read_encoder(encoder_file(tmp_path / "encoder.safetensors"))
    form = FORMATS["safetensors"]

    def off(path: Path) -> Any:
        codes_of = form.open(path)
        return lambda images: codes_of(images) + 2 * TOLERANCE * (len(images) == 3)

    wrong = Format(form.name, form.runtime, form.write, off)
    with pytest.raises(UserError, match=r"out\.safetensors was not written: .* by up to 2\.\de-05"):
        export_encoder(encoder, tmp_path / "out.safetensors", wrong)
    nan = Format(form.name, form.runtime, form.write, lambda path: lambda images: np.full((1, 8), np.nan))
    with pytest.raises(UserError, match=r"differ from the encoder's by up to nan"):
        export_encoder(encoder, tmp_path / "out.safetensors", nan)
    assert [path.name for path in tmp_path.iterdir()] == ["encoder.safetensors"]


def test_an_encoder_that_cannot_be_traced_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = read_encoder(encoder_file(tmp_path / "encoder.safetensors"))

    def broken(path: Path, *more: object) -> None:
        path.write_text("half")
        raise RuntimeError("operator not supported\nmany more lines")

    form = Format("torchscript", "torch", broken, FORMATS["torchscript"].open)
    with pytest.raises(
        UserError, match=r"out\.pt: this encoder cannot be written as torchscript: operator not su"
    ):
        export_encoder(encoder, tmp_path / "out.pt", form)
    assert [path.name for path in tmp_path.iterdir()] == ["encoder.safetensors"]


def test_wrong_requests_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = encoder_file(tmp_path / "old.safetensors", image_size=None)
    out = tmp_path / "out.pt"
    with pytest.raises(UserError, match="nothing to write: give --onnx"):
        run("export", old)
    with pytest.raises(UserError, match="two formats have the same file"):
        run("export", old, "--torchscript", out, "--onnx", out)
    with pytest.raises(UserError, match=r"give it, e\.g\. --image-size 64"):
        run("export", old, "--torchscript", out)
    new = encoder_file(tmp_path / "new.safetensors")
    with pytest.raises(UserError, match="--image-size 64: the encoder was trained on images of 32 pixels"):
        run("export", new, "--torchscript", out, "--image-size", 64)
    monkeypatch.setattr(formats, "find_spec", lambda name: None if name == "onnxscript" else object())
    with pytest.raises(
        UserError, match=r"onnx needs onnxscript, which is not .*: pip install 'dcodr-tuning\[onnx\]'"
    ):
        run("export", new, "--onnx", tmp_path / "out.onnx")
    run("export", old, "--safetensors", tmp_path / "again.safetensors", "--image-size", 32)
    assert load(tmp_path / "again.safetensors").image_size == 32


def test_the_card_has_the_metrics_that_were_measured_and_their_judges(
    tmp_path: Path, tiny: FactorDataset, tiny_config: Config
) -> None:
    folder = tmp_path / "trained"
    config = tiny_config.model_copy(update={"epochs": 1})
    trained = fit(config, tiny, checkpoint=folder / "checkpoint.pt")
    run("evaluate", folder, "--probe", "fast")
    first = tmp_path / "first.safetensors"
    run("export", folder, "--safetensors", first)
    card = Path(f"{first}.md").read_text()
    validation, test = (
        card.index("**On validation images**, by the fast"),
        card.index("**On test images**, by"),
    )
    invariance = trained.report.metrics["invariance"]
    assert f"| invariance | {invariance:.3f} |" in card[validation:test]
    tested = json.loads((folder / "test-synthetic-fast.json").read_text())
    assert (tested["split"], tested["judge"], tested["epochs"]) == ("test", "fast", 1)
    assert f"| invariance | {tested['metrics']['invariance']:.3f} |" in card[test:]
    assert "by the fast probe" in card[test:].splitlines()[0]
    domain = tiny.spec.domain
    assert f"| domain | `{domain}`: {tiny.n_domains} values |" in card
    assert f"| fingerprint | `{tiny.fingerprint}` |" in card
    assert load(first).fingerprint() == load(folder).fingerprint()
    # The exported file carries its metrics to the next card.
    run("export", first, "--safetensors", tmp_path / "second.safetensors")
    second = (tmp_path / "second.safetensors.md").read_text()
    assert second[second.index("## Metrics") :] == card[card.index("## Metrics") :]


def test_reports_of_another_training_or_an_earlier_version_are_not_used(tmp_path: Path) -> None:
    origin, said = Origin(Config(), 2, "f" * 64), list[str]()
    report: dict[str, Any] = {"metrics": {"invariance": 0.5}, "intervals": {}, "infeasible": None}
    known = {"split": "test", "judge": "paper", "fingerprint": "f" * 64}
    for more, reason in (
        ({}, " lacks split and judge and fingerprint and epochs: an earlier version wrote it"),
        (known | {"epochs": 1}, " is of 1 epochs, the training now has 2"),
        (known | {"epochs": 2, "judge": "mine"}, ": damaged, or not a report"),
    ):
        (tmp_path / "test.json").write_text(json.dumps(report | more))
        assert with_reports(origin, tmp_path, said.append) == origin
        assert said.pop().startswith(f"{tmp_path / 'test.json'}{reason}")
    for name in ("metrics", "figures"):  # earlier versions called them figures
        one = {"intervals": {}, "infeasible": None, **known, "epochs": 2, name: {"invariance": 0.5}}
        (tmp_path / "test.json").write_text(json.dumps(one))
        (measured,) = with_reports(origin, tmp_path, said.append).measured
        assert measured.metrics == {"invariance": 0.5}
    assert not said


@pytest.mark.usefixtures("mypackage")
@pytest.mark.parametrize(
    ("arch", "name"),
    [
        ("resnet18", "torchscript"),
        ("timm:test_vit", "torchscript"),
        ("timm:test_vit", "onnx"),
        ("torchvision:shufflenet_v2_x0_5", "torchscript"),
        ("mypackage.nets:tiny", "torchscript"),
    ],
)
def test_every_kind_of_encoder_is_exported(arch: str, name: str, tmp_path: Path) -> None:
    if arch.startswith("timm:"):
        pytest.importorskip("timm")
    config = Config(encoder=EncoderConfig(arch=arch, code_dim=8, weights=None))
    torch.manual_seed(0)
    write_encoder(tmp_path / "encoder.safetensors", build_encoder(config.encoder, 32).eval(), config)
    encoder = read_encoder(tmp_path / "encoder.safetensors")
    made = export_encoder(encoder, str(tmp_path / f"out.{ENDINGS[name]}"), FORMATS[name])
    assert made.difference <= TOLERANCE
    assert made.path.is_file()
