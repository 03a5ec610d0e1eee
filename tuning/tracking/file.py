"""MLflow's database in an SQLite file: it appears whole or not at all, even if its maker is killed.

MLflow makes its tables in some sixty steps, which SQLite cannot undo together. If a process dies between two
steps, MLflow can neither use the file nor finish it.
"""

import itertools
import logging
import os
import shlex
import sqlite3
import time
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, unquote

from filelock import FileLock

from dcodr.errors import UserError

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

State = Literal["missing", "incomplete", "whole"]
"""The state of a database; an empty file is missing, a whole one is of this version of MLflow."""
_LOG = logging.getLogger(__name__)
PATIENCE = 3.0
"""Seconds without a change after which an incomplete database counts as abandoned."""
LOCKED = 10.0
"""Seconds to wait for another process that is writing to a database."""
_SIDE_FILES = ("", "-journal", "-wal", "-shm")
"""Suffixes of the files that make up an SQLite database."""
_EMPTY = {"alembic_version": 1, "experiments": 1, "workspaces": 1}
"""Tables to which MLflow adds rows when it makes them, and the most rows of each."""


def sqlite_uri(file: Path) -> str:
    """Return the tracking URI of an SQLite file; its path may contain any characters.

    Slashes are quoted too, from the first folder on that needs quoting. Before MLflow opens a database, it
    creates the database's folder from the URI up to the last slash, without unquoting it.
    """
    parts = file.absolute().parts[1:]
    plain = next((i for i, part in enumerate(parts) if _quoted(part) != part), len(parts))
    quoted = "%2F".join(map(_quoted, parts[plain:]))
    return "sqlite:////" + "/".join([*parts[:plain], quoted] if quoted else parts)


def _quoted(name: str) -> str:
    """Quote characters with a meaning in a tracking URI, and leave the rest readable."""
    return "".join(quote(char) if char in "%?#&;" else char for char in name)


def sqlite_file(uri: str) -> Path | None:
    """Return the file of an SQLite tracking URI; ``None`` for any other, and for a database in memory."""
    if not uri.startswith("sqlite"):
        return None
    import sqlalchemy

    try:
        url = sqlalchemy.make_url(uri)
    except sqlalchemy.exc.ArgumentError:
        return None
    name = url.database
    if name and url.query.get("uri"):  # SQLite's own URIs are quoted once more
        name = unquote(name.removeprefix("file:"))
    return Path(name).absolute() if name and name != ":memory:" else None


def ensure(file: Path) -> None:
    """Make sure that a path has a complete MLflow database; to create one takes seconds.

    If several processes find none, one makes it and the others wait. An incomplete database that was never
    used is replaced; it is kept under another name, and a warning is logged.

    Raises:
        UserError: If another version of MLflow, or another program, has written the file.
        OSError: If the file cannot be created.
        sqlite3.Error: If the file is not an SQLite database, or is locked.
    """
    file = file.resolve()
    if _state(file) == "whole":
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_name(f".{file.name}.lock")):  # released even if the process is killed
        while _awaited(file) != "whole":
            new = _make(file)
            if aside := _set_aside(file):
                _LOG.warning(
                    "%s was an incomplete MLflow database without any records, as a killed process leaves "
                    "one: it was created again, and the old file was kept as %s",
                    file,
                    aside.name,
                )
            with suppress(FileExistsError):  # another program was faster
                _appear(new, file)


def require_whole(file: Path) -> None:
    """Refuse a missing or incomplete database, which :func:`ensure` would make.

    Raises:
        FileNotFoundError: If the database is missing or incomplete.
        UserError: As :func:`ensure` does.
        sqlite3.Error: As :func:`ensure` does.
    """
    if (state := _state(file)) == "missing":
        raise FileNotFoundError(f"there is no file {file}")
    if state == "incomplete":
        raise FileNotFoundError(f"{file} was not made whole, and nothing was ever recorded in it")


def _state(file: Path) -> State:
    """Return the state of a database; refuse a database in use of another version or program."""
    if not file.exists() or (file.is_file() and file.stat().st_size == 0):
        return "missing"
    # mode=rw: SQLite would otherwise create a missing file.
    with closing(
        sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=LOCKED)
    ) as database:
        rows = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        tables = sorted(str(name) for (name,) in rows)
        revision = None
        if "alembic_version" in tables:
            (revision,) = database.execute("SELECT version_num FROM alembic_version").fetchone() or (None,)
        if revision == _schemas().get_current_head():
            return "whole"
        if any(_rows(database, table) > _EMPTY.get(table, 0) for table in tables):
            raise _foreign(file, revision)
    return "incomplete"


def _rows(database: sqlite3.Connection, table: str) -> int:
    """Count the rows of a table, up to two."""
    name = table.replace('"', '""')
    return len(database.execute(f'SELECT 1 FROM "{name}" LIMIT 2').fetchall())


@cache
def _schemas() -> "ScriptDirectory":
    """Return the schemas that this version of MLflow knows, by their revisions."""
    import mlflow
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))


def _foreign(file: Path, revision: str | None) -> UserError:
    import mlflow

    if revision is None:
        return UserError(f"{file} holds another program's data: give MLflow a file of its own")
    if revision not in {script.revision for script in _schemas().walk_revisions()}:
        return UserError(
            f"{file} was written by a newer MLflow than this one, {mlflow.__version__}, or by another "
            f"program (its schema is {revision}): install that MLflow here, or give another file"
        )
    return UserError(
        f"{file} was written by an older MLflow than this one, {mlflow.__version__}. Copy the file, so that "
        f"you can go back, then bring it up to date with: mlflow db upgrade {shlex.quote(sqlite_uri(file))}"
    )


def _awaited(file: Path) -> State:
    """Return the state of a database once nobody works on it: `mlflow ui` makes one without our lock."""
    seen = None
    while (state := _state(file)) == "incomplete":
        found = file.stat()
        if seen == (seen := (found.st_mtime_ns, found.st_size)):
            break
        time.sleep(PATIENCE)
    return state


def _make(file: Path) -> Path:
    """Make a whole database beside its place; in memory first, as a file takes four times as long."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    artifacts = (file.parent / "mlartifacts").absolute().as_uri()
    store = SqlAlchemyStore("sqlite:///:memory:", artifacts)  # type: ignore[no-untyped-call]
    try:
        with store.engine.connect() as connection:
            connection.exec_driver_sql("VACUUM INTO ?", (str(new),))
        with new.open("rb") as written:
            os.fsync(written.fileno())
    except BaseException:  # e.g. a full disk
        new.unlink(missing_ok=True)
        raise
    finally:
        store.engine.dispose()
    return new


def _set_aside(file: Path) -> Path | None:
    """Rename a database and its side files, which would corrupt a new database of that name."""
    names = (f"{file.stem}.half-made{f'-{i}' if i else ''}{file.suffix}" for i in itertools.count())
    aside = next(path for path in map(file.with_name, names) if not path.exists())
    kept = None
    for end in _SIDE_FILES:
        part = file.with_name(file.name + end)
        if part.exists() and part.stat().st_size == 0:
            part.unlink()
        elif part.exists():
            kept = part.rename(aside.with_name(aside.name + end))
    return aside if kept else None


def _appear(new: Path, file: Path) -> None:
    """Move a file to a free place, by a link, which never replaces a file of another process."""
    try:
        os.link(new, file)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        new.rename(file)
    new.unlink(missing_ok=True)
