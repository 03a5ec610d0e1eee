"""``python -m tuning``: what there is to do with searches that run or ran."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Look at searches and export their best configs."
)

Storage = Annotated[Path, typer.Option(help="Folder of all searches.")]


@app.command("list", epilog="Example:\n\n    python -m tuning list")
def list_(storage: Storage = Path("runs")) -> None:
    """List the searches there are."""
    from tuning.search import names

    for name in names(storage):
        print(name)


@app.command(epilog="Example:\n\n    python -m tuning status augs")
def status(name: str, storage: Storage = Path("runs")) -> None:
    """Show a search's trials and front, while it runs or after."""
    from tuning.report import print_status
    from tuning.search import Search

    print_status(Search.open(name, storage), Console())


@app.command(
    epilog="""Examples:

    python -m tuning export augs --pick knee --out best

    python -m tuning export augs --pick best:informativeness --out best"""
)
def export(
    name: str,
    pick: Annotated[str, typer.Option(help="knee, best:OBJECTIVE or all-front.")] = "knee",
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("best"),
    storage: Storage = Path("runs"),
) -> None:
    """Write the configs of a search's best trials, ready for 'python -m dcodr train'."""
    from tuning.export import export as write
    from tuning.search import Search

    for path in write(Search.open(name, storage), pick, out):
        print(path)


@app.command(epilog="Example:\n\n    python -m tuning schema > search_spaces/space.schema.json")
def schema() -> None:
    """Print the JSON schema of a space file, by which editors complete and check it."""
    from tuning.space import json_schema

    print(json_schema(), end="")
