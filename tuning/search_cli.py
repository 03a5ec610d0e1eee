"""``python tune.py``, or ``dcodr-tune`` where the program is installed: the command line of a search."""

from pathlib import Path
from typing import Annotated

import typer

from dcodr.console import examples, run
from dcodr.errors import UserError
from dcodr.seeds import MAX_SEED

app = typer.Typer()


@app.command(
    epilog=examples(
        "python tune.py augs",
        "python tune.py search_spaces/augs.yaml",
        "python tune.py --space search_spaces/cars3d.yaml --trials 64 --seed 1 --name cars-long",
        "python tune.py --space augs --set search.sampler=random --set search.confirm.seeds=5 --name random",
        "python tune.py --space search_spaces/augs.yaml --dataset shoes --data shoes.h5 --set epochs=20",
        "python tune.py --space search_spaces/augs.yaml --name augs --resume",
    )
)
def search(
    space: Annotated[
        Path | None,
        typer.Argument(
            metavar="SPACE",
            show_default=False,
            help="The space file: parameters, search settings and resources; or the name of one that comes "
            "with the program, e.g. augs.",
        ),
    ] = None,
    space_option: Annotated[
        Path | None, typer.Option("--space", help="The same as SPACE.", show_default=False)
    ] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials, the paper's settings included.")] = None,
    time_budget: Annotated[
        float | None,
        typer.Option(
            min=1, help="Seconds after which all running trials but the paper's settings are stopped."
        ),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Dataset to search on, with its preset.")] = None,
    data: Annotated[
        str | None,
        typer.Option(help="The dataset's store, or its URI.", show_default="data/DATASET.h5"),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Fix a setting of every trial, or change search.KEY or resources.KEY; may be repeated.",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=MAX_SEED, help="Seed of the search.")] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the search.", show_default="the space's name, numbered if taken"),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(help="Ray cluster to run on, or 'auto'.", show_default="this machine alone"),
    ] = None,
    storage: Annotated[Path, typer.Option(help="Folder of all searches; on a cluster a shared one.")] = Path(
        "runs"
    ),
    tracking_uri: Annotated[
        str | None,
        typer.Option(help="MLflow's tracking URI.", show_default="STORAGE/mlflow.db"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, show the plan, run nothing.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Resume a search: keep finished trials, resume interrupted ones."),
    ] = False,
    allow_space_change: Annotated[
        bool,
        typer.Option(
            "--allow-space-change",
            help="With --resume: resume in a changed space, if every earlier trial fits it as well.",
        ),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show Ray's own messages and the output of trials.")
    ] = False,
) -> None:
    """Search for settings whose codes (embeddings) do not reveal the domain and keep everything else."""
    from tuning.space.space import load_space_with_options

    if (space is None) == (space_option is None):
        given = "none" if space is None else f"{space} and --space {space_option}"
        raise UserError(f"give one space file, as SPACE or as --space, e.g. augs; received {given}")
    what = load_space_with_options(
        space or space_option or "",
        dataset=dataset,
        data=data,
        settings=set_ or [],
        search={"trials": trials, "time_budget": time_budget, "seed": seed},
    )
    if dry_run:
        from rich.console import Console

        from tuning.preflight.plan import show_plan

        show_plan(what, address=address, storage=storage, tracking_uri=tracking_uri, console=Console())
        return
    from tuning.run import run_search

    found = run_search(
        what,
        name=name,
        address=address,
        storage=storage,
        tracking_uri=tracking_uri,
        resume=resume,
        allow_space_change=allow_space_change,
        verbose=verbose,
    )
    raise typer.Exit(0 if found.front() else 1)


def main() -> None:
    """Run the command line."""
    run(app)
