"""From a table's file to the text of a recipe that trains on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.load import load_compiled
from lstmgraph.data.loading import load_data
from lstmgraph.data.problems import Problems
from lstmgraph.data.table_files import open_table, report_missing, report_unreadable, table_ending
from lstmgraph.files import require_regular_file
from lstmgraph.messages.wording import few
from lstmgraph.proposal.order import order_of
from lstmgraph.proposal.parts import Seen
from lstmgraph.proposal.recipe_text import recipe_text
from lstmgraph.proposal.roles import Wishes, check_names, is_static, roles_of
from lstmgraph.proposal.survey import TEXT, surveyed
from lstmgraph.proposal.windows import most_ahead

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgraph.proposal.order import Order
    from lstmgraph.proposal.roles import Roles
    from lstmgraph.proposal.survey import Survey

_ONE_COLUMN = "separate the columns by a comma, a semicolon, | or a tab"
FEWEST_ROWS = 10
"""How many rows a table needs for a part to train on and one to validate on."""


def proposed_recipe(path: Path, name: str, wishes: Wishes) -> str:
    """Return the text of a recipe that trains on a table at once; its comments say why.

    The first rows of the table decide (``surveyed``); then all of it is read as training reads
    it, so that what training would refuse is reported here.

    Args:
        path: A CSV or Parquet file, or a folder of them.
        name: The name of the recipe.
        wishes: What the user has said about the recipe.

    Raises:
        DataError: The table cannot be read, or no recipe can be made for it.
    """
    problems = Problems(str(path))
    text = _proposed(path, name, wishes, problems)
    problems.raise_errors()
    load_data(load_compiled(text), path)
    return text


def _proposed(path: Path, name: str, wishes: Wishes, problems: Problems) -> str:
    """Return the text; an empty one if a problem was reported."""
    file = open_table(path, problems) if _is_table(path, problems) else None
    survey = surveyed(file, problems) if file else None
    if survey is None:
        return ""
    if survey.rows < FEWEST_ROWS:
        problems.add(
            "D106",
            f"there are {survey.rows} rows, too few to train on"
            if survey.rows > 1
            else "there is 1 row, too few to train on",
            f"give a table with at least {FEWEST_ROWS} rows",
        )
        return ""
    check_names(survey, wishes, problems)
    if len(survey.columns) == 1 and not problems.errors:
        problems.add("D201", f"there is one column, '{next(iter(survey.columns))}'", _ONE_COLUMN)
    order = None if problems.errors else _order(survey, wishes, problems)
    if problems.errors:
        return ""
    roles = roles_of(survey, order, wishes, problems)
    if roles is None:
        return ""
    if _is_usable(order, roles, wishes, survey, problems):
        return recipe_text(Seen(name, path.name, survey, order, roles, wishes.horizon))
    return ""


def _order(survey: Survey, wishes: Wishes, problems: Problems) -> Order | None:
    """Return the order of the rows; none for classes of single rows, whatever times are there."""
    target = survey.columns[wishes.target] if wishes.target else None
    if target is None or target.kind != TEXT:
        return order_of(survey, problems, wishes.target)
    order = order_of(survey, Problems(""), wishes.target)
    return order if order is not None and is_static(target, order) else None


def _is_usable(
    order: Order | None, roles: Roles, wishes: Wishes, survey: Survey, problems: Problems
) -> bool:
    """Return whether there is enough to learn from; report it if not."""
    target = roles.target
    of_series = order is not None and is_static(target, order)
    if (order is None or of_series) and not (roles.past or roles.known or roles.texts):
        problems.add(
            "D201",
            f"no column holds numbers or texts that could tell '{target.name}'",
            f"the columns are: {few(list(survey.columns))}",
        )
    elif order is not None and of_series and len(order.lengths) < FEWEST_ROWS:
        problems.add(
            "D403",
            f"'{target.name}' is the same in all rows of a series, so each series is an example, "
            f"and there are {len(order.lengths)}",
            f"give at least {FEWEST_ROWS} series, or another --target",
        )
    elif order is not None and not of_series and (wishes.horizon or 0) > most_ahead(order):
        problems.add(
            "D403",
            f"{wishes.horizon} steps ahead are too many for series of {order.lengths.max():,} rows",
            f"write at most --horizon {most_ahead(order)}",
        )
    return not problems.errors


def _is_table(path: Path, problems: Problems) -> bool:
    """Return whether a path is a table file or a folder with some; report it if not."""
    try:
        if not path.exists():
            report_missing(path, problems)
            return False
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        tables = [file for file in files if table_ending(file)]
        if not tables:
            what = "the folder holds no table" if path.is_dir() else "it is no table"
            problems.add("D103", what, "give .csv, .tsv or .parquet, or a folder of such files")
            return False
        for file in tables:
            require_regular_file(file)
        if not any(file.stat().st_size for file in tables):
            problems.add("D106", "the file is empty", "give a table with rows below its header")
            return False
    except OSError as error:
        report_unreadable(error, problems)
        return False
    return True
