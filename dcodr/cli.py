"""``python -m dcodr``: prepare data, train a config, evaluate it, repeat the studies."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from typer.core import TyperGroup

from dcodr.console import examples, say
from dcodr.data.cli import app as data_app
from dcodr.embeddings import cli as embeddings
from dcodr.errors import UserError
from dcodr.export.cli import export
from dcodr.files import CHECKPOINT, write_text
from dcodr.studies.cli import app as study_app
from dcodr.studies.reproduce_cli import reproduce
from dcodr.training.display import TrainingDisplay
from dcodr.versions import others
from dcodr.words import counted

if TYPE_CHECKING:
    from dcodr.evaluation.judges import Verdicts
    from dcodr.evaluation.report import Report

ORDER = ("data", "train", "evaluate", "embed", "neighbours", "map", "export", "reproduce", "study")
"""The commands, in the order in which a user needs them."""


class InOrder(TyperGroup):
    """Commands that the help lists in the order of their use."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands."""
        return sorted(super().list_commands(ctx), key=ORDER.index)


app = typer.Typer(
    cls=InOrder,
    no_args_is_help=True,
    help="Prepare images, train and evaluate encoders, and use their codes (embeddings).",
    epilog=examples(
        "python -m dcodr data prepare synthetic",
        "python -m dcodr train --config best/augs-007.yaml --out trained",
        "python -m dcodr evaluate trained",
        "python -m dcodr embed trained --images photos --out codes.parquet",
    ),
)
app.add_typer(data_app, name="data")
app.add_typer(study_app, name="study")
app.command(
    epilog=examples(
        "python -m dcodr reproduce --table 3 --data data",
        "python -m dcodr reproduce --table 5 --methods dcodr,simclr --seeds 0,1,2",
        "python -m dcodr reproduce --dataset cars3d --configs configs/cars3d",
    )
)(reproduce)
app.command(
    epilog=examples(
        "python -m dcodr embed trained --images photos --out codes.parquet",
        "python -m dcodr embed models:/augs@knee --images data/toys.h5 --out codes.csv",
    )
)(embeddings.embed)
app.command(
    epilog=examples(
        "python -m dcodr neighbours a/001.png b/007.png --in codes.parquet",
        "python -m dcodr neighbours new.jpg --in codes.parquet --top 10 --out sheet.png",
    )
)(embeddings.neighbours)
app.command(
    epilog=examples(
        "python -m dcodr export trained --onnx encoder.onnx",
        "python -m dcodr export models:/augs@knee --torchscript encoder.pt --safetensors encoder.safetensors",
    )
)(export)
app.command(
    "map",
    epilog=examples(
        "python -m dcodr map codes.parquet --out map.html",
        "python -m dcodr map codes.parquet --method umap",
    ),
)(embeddings.draw_map)


@app.command(
    epilog=examples(
        "python -m dcodr train --config best/augs-007.yaml --out trained",
        "python -m dcodr train --config my.yaml --data data/cars3d.h5 --out mine --resume",
    )
)
def train(
    config: Annotated[Path, typer.Option(help="Config file, e.g. one that a search exported.")],
    out: Annotated[Path, typer.Option(help="Folder for the checkpoint, config and validation metrics.")],
    data: Annotated[
        str | None, typer.Option(help="Store (path or URI) to train on instead of the config's.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the folder's checkpoint.")] = False,
) -> None:
    """Train a config and write its validation metrics."""
    # Imported here, because PyTorch is slow to import and `--help` does not need it.
    from dcodr.config import dump_config, read_config
    from dcodr.data.remote import open_dataset
    from dcodr.training.checkpoint import before
    from dcodr.training.origin import Measured
    from dcodr.training.report_file import write_measured
    from dcodr.training.trainer import fit

    settings, provenance = read_config(config)
    if data is not None:
        settings = settings.model_copy(update={"data": data})
    dataset = open_dataset(settings)
    checkpoint = out / CHECKPOINT
    if (checkpoint.exists() or before(checkpoint).exists()) and not resume:
        raise UserError(f"{checkpoint}: already exists; give --resume to continue from it, or another --out")
    console = Console()
    try:
        with TrainingDisplay(console, settings.epochs) as display:
            trained = fit(settings, dataset, checkpoint=checkpoint, **display.callbacks)
    except KeyboardInterrupt:
        if checkpoint.exists():
            console.print("Stopped; run the same command with --resume to continue.")
        raise
    write_text(out / "config.yaml", dump_config(settings, provenance or None))
    measured = Measured.of(trained.report, "validation", "fast", dataset.fingerprint)
    write_measured(out / "validation.json", measured, settings.epochs, trained.report.unmeasured)
    console.print(_table("validation, fast probe", trained.report))
    _compare(console, provenance, trained.report, dataset.fingerprint)


@app.command(
    epilog=examples(
        "python -m dcodr evaluate trained",
        "python -m dcodr evaluate trained --judges all",
        "python -m dcodr evaluate trained --split validation --probe fast --json",
    )
)
def evaluate(
    folder: Annotated[Path, typer.Argument(help="Output folder of 'train'.")],
    data: Annotated[
        str | None, typer.Option(help="Store (path or URI) to evaluate on instead of the config's.")
    ] = None,
    split: Annotated[Literal["test", "validation"], typer.Option(help="Scored split.")] = "test",
    probe: Annotated[Literal["paper", "fast"], typer.Option(help="Probe budget.")] = "paper",
    judges: Annotated[
        Literal["probe", "all"],
        typer.Option(
            help="Judge by the probe alone, or by several kinds of classifiers, and name the strongest."
        ),
    ] = "probe",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure a trained config, by default on the test images with the paper's probe."""
    import torch

    from dcodr.data.remote import open_dataset
    from dcodr.training.checkpoint import load_checkpoint, trained_encoder
    from dcodr.training.origin import Measured
    from dcodr.training.report_file import write_measured
    from dcodr.training.trained import evaluate as measure
    from dcodr.training.trained import judge

    state = load_checkpoint(folder / CHECKPOINT)
    config = state.config if data is None else state.config.model_copy(update={"data": data})
    if judges == "all" and probe != "paper":
        raise UserError("--judges all asks both probes and reports the paper's: leave out --probe")
    dataset = open_dataset(config)
    torch.set_num_threads(config.threads)
    console = Console(stderr=as_json)
    encoder, verdicts = trained_encoder(state), None
    with console.status(f"fitting the {probe} probe on {len(dataset.indices('train'))} codes") as status:
        if judges == "all":
            report, verdicts = judge(
                encoder,
                dataset,
                split,
                seed=config.seed,
                device=config.device,
                metrics=config.metrics,
                on_judge=lambda name: status.update(f"asking the judge {name}"),
            )
            report = replace(report, metrics={**report.metrics, **verdicts.summary})
        else:
            report = measure(
                encoder,
                dataset,
                split,
                probe=probe,
                seed=config.seed,
                device=config.device,
                metrics=config.metrics,
            )
    measured = Measured.of(report, split, probe, dataset.fingerprint)
    # The files that other commands read have the training's own data and the usual probe of the split.
    usual = probe == ("paper" if split == "test" else "fast") and dataset.fingerprint == state.fingerprint
    other = "" if usual else f"-{dataset.spec.name}-{probe}"
    file = folder / f"{split}{other}.json"
    if state.last.epoch < config.epochs:
        say(console, f"{folder} is trained for {state.last.epoch} of {counted(config.epochs, 'epoch')} only")
    written = write_measured(file, measured, state.last.epoch, report.unmeasured, verdicts)
    if as_json:
        print(written, end="")
        return
    console.print(_table(f"{split}, {probe} probe", report))
    if verdicts is not None:
        console.print(_verdicts(split, verdicts, file))


def _table(title: str, report: "Report") -> Table:
    table = Table("metric", "value", "95 % interval", title=title, title_justify="left")
    for name, value in report.metrics.items():
        low, high = report.intervals.get(name, (None, None))
        table.add_row(name, f"{value:.4f}", "" if low is None else f"{low:.4f} to {high:.4f}")
    notes = [] if report.infeasible is None else [f"infeasible: {report.infeasible}"]
    if report.unmeasured:
        names = ", ".join(report.unmeasured)
        notes.append(f"not counted, because a constant answer is right for every image: {names}")
    table.caption = "\n".join(notes) or None
    return table


def _verdicts(split: str, verdicts: "Verdicts", file: Path) -> Table:
    """Return a table of the metrics by the paper's probe and by the strongest judge of each factor."""
    title = f"{split}, the strongest judges"
    table = Table("metric", "paper", "strongest", "judge", title=title, title_justify="left")
    for metric, value in verdicts.strongest_metrics.items():
        if not metric.startswith(("chance/", "error_of_median/")):
            factor = "domain" if metric in ("invariance", "domain_accuracy") else metric.partition("/")[2]
            judge = verdicts.strongest.get(factor, "each factor's")
            table.add_row(metric, f"{verdicts.metrics['paper'][metric]:.4f}", f"{value:.4f}", judge)
    table.caption = f"asked: {', '.join(verdicts.metrics)}; all answers are in {escape(str(file))}"
    return table


def _compare(console: Console, provenance: dict[str, Any], report: "Report", fingerprint: str) -> None:
    """Print a comparison with the validation metrics that an exported config records, if it does."""
    validation = provenance.get("validation")
    known = validation if isinstance(validation, dict) else {}
    expected = {name: value for name, value in known.items() if name in report.metrics}
    if not expected:
        return
    differing = [name for name, value in expected.items() if report.metrics[name] != value]
    search, trial = escape(str(provenance.get("search"))), escape(str(provenance.get("trial")).zfill(3))
    origin = f"{len(expected)} validation metrics of {search}, trial {trial}"
    if not differing:
        console.print(f"All {origin} are reproduced exactly.")
        return
    console.print(f"{len(differing)} of the {origin} differ: {', '.join(differing)}")
    if provenance.get("dataset_fingerprint") != fingerprint:
        console.print("The dataset is another one.")
    recorded = provenance.get("versions")
    if isinstance(recorded, dict) and (changed := others(recorded)):
        console.print(f"Other versions: {escape(', '.join(changed))}")
