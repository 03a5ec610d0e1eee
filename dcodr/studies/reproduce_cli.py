"""``python -m dcodr reproduce``: measure the paper's tables."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from dcodr.config.methods import MethodName
from dcodr.console import say
from dcodr.errors import DivergedError, UserError
from dcodr.files import shipped, write_text
from dcodr.seeds import MAX_SEED
from dcodr.strict_yaml import did_you_mean
from dcodr.studies.comparison import Comparison, unpublished
from dcodr.studies.paper_tables import METHODS, PAPER_TABLES, PaperTable
from dcodr.training.display import TrainingDisplay

if TYPE_CHECKING:
    from dcodr.config import Config
    from dcodr.data.dataset import FactorDataset
    from dcodr.studies.reproduce import Result


def reproduce(
    table: Annotated[int | None, typer.Option(min=3, max=7, help="Number in the supplement.")] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Any dataset, instead of a table; without published values.")
    ] = None,
    data: Annotated[Path, typer.Option(help="Folder of the prepared datasets NAME.h5.")] = Path("data"),
    methods: Annotated[str, typer.Option(help="Systems to run.", metavar="NAME,...")] = ",".join(METHODS),
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs of every training.", show_default="the config's")
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds of each system.", metavar="N,...")] = "0",
    configs: Annotated[
        Path | None,
        typer.Option(
            help="Folder with a METHOD.yaml for each system, or the name of a shipped one: cars3d.",
            show_default="the paper's settings",
        ),
    ] = None,
    moco: Annotated[
        Path | None,
        typer.Option(
            help="MoCo-v2's checkpoint, the start of the encoders in the paper.",
            show_default="torchvision's ImageNet weights",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of trainings and tables.")] = Path("runs/reproduce"),
) -> None:
    """Train the paper's systems and compare their test metrics with the published ones.

    Every training is kept in OUT/DATASET/METHOD-SEED. A second run does only the missing work, also for
    another table of the same dataset. The table holds all results there with the same settings and data,
    of this and of earlier runs. Several processes may share OUT, each with its own --methods or --seeds.

    The exit code is 1 if a training diverged or codes in the table collapsed.
    """
    from dcodr.data.store import open_store
    from dcodr.studies.reproduce import kept_results

    if (table is None) == (dataset is None):
        raise UserError("give either --table or --dataset")
    name = PAPER_TABLES[table].dataset if table else str(dataset)
    chosen, numbers = _methods(methods), _seeds(seeds)
    if moco is not None and configs is not None:
        raise UserError("--moco has no effect on --configs: set encoder.weights and hidden_layer there")
    # Not a folder, but the name of configs that are shipped with the program.
    if configs is not None and not configs.is_dir():
        ours = shipped(Path(__file__).parents[1], "configs") / configs
        if configs.is_absolute() or not ours.is_dir():
            raise UserError(f"--configs {configs}: no such folder, nor the name of shipped configs")
        configs = ours
    # Systems that are not run need no config; with one, the table holds their earlier results.
    trainings = {
        method: _config(method, name, data, epochs, configs, moco)
        for method in METHODS
        if method in chosen or configs is None or (configs / f"{method}.yaml").is_file()
    }
    store = open_store(data / f"{name}.h5")
    layout = PAPER_TABLES[table] if table else unpublished(store.spec)
    _check(store, layout, data / f"{name}.h5")
    console = Console()
    path, done, notes = out / (f"table{table}" if table else name), {}, []
    for seed in numbers:
        for method in chosen:
            config = trainings[method].model_copy(update={"seed": seed})
            try:
                done[method, seed] = _run(console, method, config, store, out / name / f"{method}-{seed}")
            except DivergedError as error:
                notes.append(f"{method} seed {seed}: {error}")
            # After every training, so that an interrupted command leaves a table of what is done.
            kept, others = kept_results(trainings, store, out / name)
            results = kept | done
            comparison = _written(layout, results, path)
    _print(comparison.text(), console)
    console.print("Measured on test images with the paper's probe; cells without a run are empty.")
    say(console, f"The table holds all results in {out / name} with these settings and data.")
    if others:
        say(console, f"Not in the table, because settings, data or probe differ: {', '.join(others)}")
    notes += [
        f"{m} seed {s}: collapsed, {one.infeasible}" for (m, s), one in results.items() if one.infeasible
    ]
    for note in notes:
        say(console, note)
    say(console, f"Written: {path.with_suffix('.csv')}, {path.with_suffix('.md')}")
    raise typer.Exit(1 if notes else 0)


def _run(
    console: Console, method: MethodName, config: "Config", store: "FactorDataset", folder: Path
) -> "Result":
    """Train and test, or find the result of an earlier run, and say which."""
    from dcodr.studies.reproduce import train_and_test

    label = f"{method} seed {config.seed}"
    started = time.perf_counter()
    tested = started
    with TrainingDisplay(console, config.epochs, f"{label}  ") as display:

        def on_test() -> None:
            nonlocal tested
            tested = time.perf_counter()
            display.say("fitting the paper's probe")

        result = train_and_test(config, store, folder, on_test=on_test, **display.callbacks)
    spent = f"trained in {tested - started:.0f} s, tested in {time.perf_counter() - tested:.0f} s"
    words = spent if tested > started else f"measured before: {folder}"
    say(console, f"{label}  {words}")
    return result


def _written(
    layout: PaperTable, results: "Mapping[tuple[MethodName, int], Result]", path: Path
) -> Comparison:
    """Fill a table with the results of each system and seed, and write it as CSV and Markdown."""
    from dcodr.studies.reproduce import encoder_start

    comparison = Comparison(layout)
    for (method, _), result in results.items():
        if result.metrics:
            comparison.measured.setdefault(method, []).append(result.metrics)
            comparison.starts[method] = encoder_start(result.config.encoder)
    write_text(path.with_suffix(".csv"), comparison.csv())
    write_text(path.with_suffix(".md"), comparison.markdown())
    return comparison


def _print(table: Table, console: Console) -> None:
    """Print a table at its full width; a narrow terminal wraps its lines, a file keeps them."""
    needed = Measurement.get(console, console.options.update(max_width=500), table).maximum
    Console(width=max(console.width, needed)).print(table)


def _methods(text: str) -> list[MethodName]:
    names = text.split(",")
    for name in names:
        if name not in METHODS:
            raise UserError(f"--methods: received {name!r}{did_you_mean(name, METHODS)}")
    return [name for name in METHODS if name in names]


def _seeds(text: str) -> list[int]:
    words = text.split(",")
    if not all(word.isascii() and word.isdecimal() for word in words) or len({*words}) < len(words):
        raise UserError(f"--seeds: received {text!r}; expected different whole numbers, e.g. 0,1,2")
    seeds = [int(word) for word in words]
    if max(seeds) > MAX_SEED:
        raise UserError(f"--seeds: received {max(seeds)}; seeds go up to {MAX_SEED}")
    return seeds


def _config(
    method: MethodName, dataset: str, data: Path, epochs: int | None, configs: Path | None, moco: Path | None
) -> "Config":
    """Return the config of a method's training, except its seed."""
    from dcodr.config import read_config
    from dcodr.config.paper_settings import paper_config

    config = paper_config(method, dataset)
    if moco is not None:
        start = {"weights": str(moco.resolve()), "hidden_layer": True}
        config = config.model_copy(update={"encoder": config.encoder.model_copy(update=start)})
    if configs is not None:
        path = configs / f"{method}.yaml"
        config = read_config(path)[0]
        if config.method != method:
            raise UserError(f"{path}: method is {config.method}, but the file's name says {method}")
    changed = {"dataset": dataset, "data": str(data / f"{dataset}.h5"), "epochs": epochs or config.epochs}
    return config.model_copy(update=changed)


def _check(store: "FactorDataset", table: PaperTable, path: Path) -> None:
    """Check that a store holds the dataset and the attributes of a table."""
    if store.spec.name != table.dataset:
        raise UserError(f"{path}: holds {store.spec.name}, not {table.dataset}: prepare it again")
    known = {"domain_accuracy", "all", *(attribute.name for attribute in store.spec.attributes)}
    for figure in table.columns.values():
        factor = figure.split("/")[-1]
        if factor not in known:
            raise UserError(f"{path}: has no attribute {factor}: prepare it again")
