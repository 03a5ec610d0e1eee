"""A table of systems with measured and published metrics, as text, CSV and Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev

from rich import box
from rich.table import Table

from dcodr.config.methods import MethodName
from dcodr.data.dataset import DatasetSpec
from dcodr.studies.paper_tables import METHODS, PaperTable
from dcodr.tables import csv_text

Metrics = Mapping[str, float]
GALLERY = (
    "Retrieval: the nearest neighbour of each test image among all other training and test images. The "
    "ceiling is the share of test images that have a match there at all, the score of a perfect code."
)
"""Caption of tables with retrieval."""

PUBLISHED_START = "Published encoders start from MoCo-v2 (800 epochs) with its hidden layer."


@dataclass(frozen=True)
class Comparison:
    """A table that is filled with measurements.

    Attributes:
        table: The published table; it has no cells if nothing is published.
        measured: For each system the metrics of every completed seed.
        starts: For each completed system a text about the start weights of its encoder.
    """

    table: PaperTable
    measured: dict[MethodName, list[Metrics]] = field(default_factory=dict)
    starts: dict[MethodName, str] = field(default_factory=dict)

    def rows(self) -> list[tuple[str, ...]]:
        """Return rows of text (system, origin, cells): a published and a measured row for each system.

        Only the first row of a system names it. Cells without a measurement are empty. If retrieval was
        measured, an additional row has the score of a perfect code on the images of this store.
        """
        rows = []
        for method in METHODS:
            if self.table.cells:
                rows.append((method, "published", *self.table.cells[method]))
            runs = self.measured.get(method, [])
            origin = f"measured, {len(runs)} seeds" if len(runs) > 1 else "measured"
            # The published row above already names the system.
            system = "" if self.table.cells else method
            rows.append((system, origin, *(_cell(runs, name) for name in self.table.columns.values())))
        if self.table.optimal:
            rows.append(("optimal", "", *self.table.optimal))
        ceiling = [self._ceiling(name) for name in self.table.columns.values()]
        if any(value is not None for value in ceiling):
            cells = ("" if value is None else f"{value:.3f}" for value in ceiling)
            rows.append(("ceiling", "this store", *cells))
        return rows

    def start(self) -> str:
        """Describe the start weights of the measured encoders; empty if nothing was measured."""
        systems: dict[str, list[str]] = {}
        for method in METHODS:
            if method in self.starts:
                systems.setdefault(self.starts[method], []).append(method)
        if not systems:
            return ""
        several = [f"{start} ({', '.join(names)})" for start, names in systems.items()]
        measured = f"Measured encoders start from {'; '.join(several if len(several) > 1 else systems)}."
        return measured + (f" {PUBLISHED_START}" if self.table.cells else "")

    def notes(self) -> list[str]:
        """Return the notes below the table: start weights, and the gallery of retrieval."""
        return [note for note in (self.start(), GALLERY if self._retrieval else "") if note]

    def text(self) -> Table:
        """Return the table for the terminal."""
        table = Table(title=self.table.title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1))
        table.caption, table.caption_justify = "\n".join(self.notes()), "left"
        table.add_column("system")
        table.add_column("")
        for heading in self.table.columns:
            table.add_column(heading, justify="right")
        for row in self.rows():
            table.add_row(*row, style="dim" if row[1] == "published" else "")
        return table

    def markdown(self) -> str:
        """Return the table as Markdown."""
        head = ["system", "", *self.table.columns]
        lines = [head, ["---", "---", *("--:" for _ in self.table.columns)], *self.rows()]
        table = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
        return table + "".join(f"\n{note}\n" for note in self.notes())

    def csv(self) -> str:
        """Return one line per cell: published as printed; mean and deviation over the seeds in all digits."""
        rows: list[Sequence[object]] = []
        head = ("system", "metric", "published", "measured", "deviation", "seeds", "ceiling", "start")
        for method in METHODS:
            published: Sequence[str] = self.table.cells.get(method, ("",) * len(self.table.columns))
            for name, cell in zip(self.table.columns.values(), published, strict=True):
                values = [run[name] for run in self.measured.get(method, [])]
                measured = (mean(values), stdev(values) if len(values) > 1 else "") if values else ("", "")
                told = (len(values), self._ceiling(name), self.starts.get(method, ""))
                rows.append((method, name, cell, *measured, *told))
        return csv_text(head, rows)

    @property
    def _retrieval(self) -> bool:
        """Tell whether retrieval is among the columns."""
        return any(name.startswith("retrieval") for name in self.table.columns.values())

    def _ceiling(self, name: str) -> float | None:
        """Return the ceiling of a retrieval metric; it is the same in all runs, which share the labels."""
        ceiling = name.replace("retrieval_top1/", "retrieval_ceiling/")
        runs = (run for runs in self.measured.values() for run in runs)
        return next((run[ceiling] for run in runs if ceiling != name and ceiling in run), None)


def unpublished(spec: DatasetSpec) -> PaperTable:
    """Make a table for a dataset without published values: domain, attributes, retrieval."""
    columns = {spec.domain: "domain_accuracy"}
    for attribute in spec.attributes:
        columns[attribute.name] = f"{'accuracy' if attribute.cardinality else 'error'}/{attribute.name}"
    categorical = [attribute.name for attribute in spec.attributes if attribute.cardinality]
    if categorical:
        columns |= {f"retrieval: {name}": f"retrieval_top1/{name}" for name in (*categorical, "all")}
    return PaperTable(f"The systems on {spec.name}", spec.name, columns, {})


def _cell(runs: Sequence[Metrics], name: str) -> str:
    """Format the mean over the seeds and, for several seeds, the sample standard deviation."""
    values = [run[name] for run in runs]
    if not values:
        return ""
    return f"{mean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")
