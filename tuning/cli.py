"""``python -m tuning``: commands for searches that run or have run."""

import json
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dcodr.console import examples, warn
from dcodr.errors import UserError

app = typer.Typer(
    no_args_is_help=True,
    help="Look at searches and export their best configs.",
    epilog=examples(
        "python -m tuning status augs",
        "python -m tuning ui augs",
        "python -m tuning report augs",
        "python -m tuning export augs --pick knee --out best",
    ),
)


# Commands import the rest of the program themselves: --help and completion must not load an engine.
def _complete(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of searches that complete a word in the shell."""
    from tuning.ledger.storage import names

    storage = context.params.get("storage") or "runs"
    return [name for name in names(Path(storage)) if name.startswith(incomplete)]


Name = Annotated[str, typer.Argument(metavar="NAME", help="The search.", autocompletion=_complete)]
Storage = Annotated[Path, typer.Option(help="Folder of all searches.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list", epilog=examples("python -m tuning list", "python -m tuning list --json"))
def list_(storage: Storage = Path("runs"), as_json: Json = False) -> None:
    """List all searches: dataset, trials done and asked for, state, best trade-off.

    The state is running, finished, interrupted (--resume continues it) or unreadable.
    """
    from tuning.report.listing import list_table, listed
    from tuning.report.terminal import print_table
    from tuning.results.search import START

    console = Console(stderr=as_json)
    with console.status("reading"):
        found = list(listed(storage))
    if as_json:
        print(json.dumps([asdict(search) for search in found], indent=2))
    elif found:
        print_table(list_table(found), console)
    else:
        print(f"There is no search in {storage}: {START}.", file=sys.stderr)
    for search in found:
        if search.problem is not None:
            warn(f"{search.name}: {search.problem}")


@app.command(
    epilog=examples(
        "python -m tuning status augs",
        "python -m tuning status augs --watch",
        "python -m tuning status augs --json",
    )
)
def status(
    name: Name,
    storage: Storage = Path("runs"),
    as_json: Json = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again every few seconds until the search has ended.")
    ] = False,
) -> None:
    """Show a search's trials and front, during the search or afterwards."""
    from tuning.report.commands import commands
    from tuning.report.terminal import print_status, status_facts
    from tuning.report.watch import watch as follow
    from tuning.results.search import Search

    if watch and as_json:
        raise UserError("--watch is for readers, --json for programs: leave one out")
    console, results = Console(), Search.open(name, storage).results()
    if watch:
        with suppress(KeyboardInterrupt):
            results = follow(lambda: Search.open(name, storage).results(), console)
    if as_json:
        print(json.dumps(status_facts(results), indent=2))
    else:
        print_status(results, console)
    if watch and results.facts.get("ended") is None and not results.driven:
        _, again = commands(results)[0]
        print(f"No process works on this search any more. Continue it with:\n    {again}")


@app.command(
    epilog=examples(
        "python -m tuning doctor augs",
        "python -m tuning doctor augs --json",
        "python -m tuning doctor augs --fix",
        "python -m tuning doctor augs --fix --tracking-uri http://127.0.0.1:5000",
    )
)
def doctor(
    name: Name,
    fix: Annotated[bool, typer.Option("--fix", help="Repair the inconsistencies.")] = False,
    storage: Storage = Path("runs"),
    tracking_uri: Annotated[
        str | None,
        typer.Option(help="MLflow's tracking URI.", show_default="the one that the search was started with"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare a search's ledger with its checkpoints and with MLflow, also with another MLflow store.

    The exit code is 1 if something was found and not repaired.
    """
    from tuning.results.search import Search
    from tuning.tracking.doctor import consult, print_diagnosis

    console = Console(stderr=as_json)
    diagnosis = consult(Search.open(name, storage), tracking_uri, fix, console)
    if as_json:
        print(json.dumps(diagnosis.facts(), indent=2))
    else:
        print_diagnosis(diagnosis, console)
    raise typer.Exit(0 if diagnosis.well else 1)


@app.command(
    epilog=examples(
        "python -m tuning export augs --pick knee --out best",
        "python -m tuning export augs --pick best:informativeness --out best",
        "python -m tuning export augs --pick trial:12 --out best",
    )
)
def export(
    name: Name,
    pick: Annotated[
        str, typer.Option(help="knee (the best trade-off), best:OBJECTIVE, trial:NUMBER or all-front.")
    ] = "knee",
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("best"),
    storage: Storage = Path("runs"),
) -> None:
    """Write the configs of a search's best trials, ready for 'python -m dcodr train'."""
    from tuning.results.export import export as write
    from tuning.results.search import Search

    for path in write(Search.open(name, storage).results(), pick, out):
        print(path)


@app.command(epilog=examples("python -m tuning analyse augs"))
def analyse(
    name: Name,
    storage: Storage = Path("runs"),
    tracking_uri: Annotated[
        str | None,
        typer.Option(
            help="MLflow's tracking URI, to log to as well.",
            show_default="the one that the search was started with",
        ),
    ] = None,
) -> None:
    """Compute which settings matter and what every augmentation does, from the complete trials."""
    from tuning.analysis import analysis
    from tuning.report.analysis_files import write_files
    from tuning.report.analysis_text import print_analysis
    from tuning.report.tables import alone_table, subset_alone
    from tuning.report.terminal import print_table
    from tuning.results.results import ANALYSIS
    from tuning.results.search import Search
    from tuning.tracking.store import add_artifacts, masked, uri_of

    results = Search.open(name, storage).results()
    console = Console()
    analyses = []
    if alone := subset_alone(results.space):
        results.require_front()
        print_table(alone_table(results, alone), console)
    else:
        with console.status("analysing"):
            analyses = analysis.analyse(results)
        print_analysis(analyses, console)
    files = write_files(results, analyses)
    for file in files:
        print(file)
    run_id = str(results.facts.get("run_id"))
    try:
        uri = tracking_uri or uri_of(results.facts, storage)
        add_artifacts(uri, run_id, files, ANALYSIS)
    except UserError as error:
        # Only a store that was asked for has to work; the files are written in any case.
        if tracking_uri is not None:
            raise
        print(f"not in MLflow: {error}")
    else:
        print(f"also in MLflow, run {run_id} of {masked(uri)}")


@app.command(
    epilog=examples(
        "python -m tuning report augs",
        "python -m tuning report augs --out augs.html",
    )
)
def report(
    name: Name,
    out: Annotated[
        Path | None, typer.Option(help="File to write.", show_default="STORAGE/NAME/report.html")
    ] = None,
    storage: Storage = Path("runs"),
) -> None:
    """Write one HTML page about a search that needs no network: front, curves, importances, configs."""
    from tuning.report.page import write_page
    from tuning.results.results import REPORT
    from tuning.results.search import Search

    results = Search.open(name, storage).results()
    path = out or results.folder / REPORT
    with Console().status("analysing"):
        write_page(results, path)
    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


@app.command(epilog=examples("python -m tuning ui augs", "python -m tuning ui augs --port 8601 --no-open"))
def ui(
    name: Name,
    storage: Storage = Path("runs"),
    host: Annotated[
        str, typer.Option(help="Address to listen on; any other lets other machines see the search.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any.", min=0, max=65535)] = 8600,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,
) -> None:
    """Serve a live page of a search: the Pareto plane, every trial, what matters; Ctrl-C ends it."""
    import webbrowser

    from tuning.ui.server import serving

    with serving(name, storage, host, port) as (server, address):
        print(f"{name}: {address} (Ctrl-C ends it)", flush=True)
        if show:
            webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


@app.command(epilog=examples("python -m tuning schema > search_spaces/space.schema.json"))
def schema() -> None:
    """Print the JSON schema of a space file; editors use it to complete and check the file."""
    from tuning.space import json_schema

    print(json_schema(), end="")
