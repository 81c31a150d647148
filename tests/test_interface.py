"""The names, signatures and errors that Python users see."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import pkgutil
import pydoc
import subprocess
import sys
from pathlib import Path

import pytest
from building import SHIPPED

import lstmgraph
from lstmgraph.tuning.options import TuneOptions

INTERNAL = {
    # Never reach a user: caught where they are raised from, or made into a message with a place.
    "ArchiveError", "TooLargeError", "BadCharacterError", "HalfCharacterError", "BadNumberError",
    "NotUtf8Error", "YamlMistake", "NoRecipeError", "BaseError", "FormError", "LayerMistake",
    "GraphMistake", "_Mistake", "_Broken", "ColumnError", "DamagedTableError",
    "MalformedTableError", "NoSuchArrayError", "NotCompiledError",
    "LockedError", "OtherVersionError", "HoldsLabelsError", "EndedBeforeError", "Exhausted", "Idle",
    # Of the commands that write recipes, which no public function is.
    "UnsafeEditError", "NotEditableError", "AnswersError", "ExportRequestError", "NoSuchModelError",
    "OutputError", "ValueFormError", "NotInKeras3Error", "NotSayableError", "PickleError",
    "Unfitting", "_NoLoopError",
}  # fmt: skip


def error_classes() -> dict[str, type[Exception]]:
    """Every class of exceptions that a module of the package defines, by its name."""
    found: dict[str, type[Exception]] = {}
    for module in pkgutil.walk_packages(lstmgraph.__path__, "lstmgraph."):
        if module.name.endswith("__main__"):
            continue
        for each in vars(importlib.import_module(module.name)).values():
            is_error = isinstance(each, type) and issubclass(each, Exception)
            if is_error and each.__module__ == module.name:
                found[each.__name__] = each
    return found


def test_every_error_that_users_meet_has_one_root() -> None:
    found = error_classes()
    assert found.keys() >= INTERNAL, "a name in INTERNAL is of no class"
    public = {name: each for name, each in found.items() if name not in INTERNAL}
    assert len(public) > 15
    for name, each in public.items():
        assert issubclass(each, lstmgraph.LstmgraphError), name
        assert getattr(lstmgraph, name) is each, name
    for name in INTERNAL:
        assert not issubclass(found[name], lstmgraph.LstmgraphError), name


def test_what_was_caught_before_is_caught_still() -> None:
    bases = {
        ValueError: "SpaceError OverrideFormatError FolderError StateFileError SizeError "
        "WeightsFileError OtherModelError PlainDataError",
        ArithmeticError: "DivergedError",
        OSError: "NotAFileError LinkError NoWorkspaceError",
        lstmgraph.SearchError: "JobChangedError FolderInUseError",
    }
    for base, names in bases.items():
        for name in names.split():
            assert issubclass(getattr(lstmgraph, name), base), name
    assert lstmgraph.LinkError(2, "no such file", "x").errno == 2
    again = pickle.loads(pickle.dumps(lstmgraph.DataError([])))
    assert isinstance(again, lstmgraph.LstmgraphError)


def test_names_are_listed_and_nothing_else_is() -> None:
    names = [name for name in dir(lstmgraph) if not name.startswith("__")]
    assert names == lstmgraph.__all__ == sorted(lstmgraph.__all__)
    for name in lstmgraph.__all__:
        assert getattr(lstmgraph, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'diffs'"):
        _ = lstmgraph.diffs
    namespace: dict[str, object] = {}
    exec("from lstmgraph import *", namespace)
    assert set(lstmgraph.__all__) <= namespace.keys()


def test_listing_names_and_catching_errors_imports_no_tensorflow() -> None:
    program = """
import sys, lstmgraph
dir(lstmgraph)
for name in lstmgraph.__all__:
    if name.endswith("Error"):
        getattr(lstmgraph, name)
try:
    lstmgraph.load({})
except (lstmgraph.FolderError, lstmgraph.SearchError, lstmgraph.DivergedError):
    raise
except lstmgraph.LstmgraphError:
    pass
assert not {"keras", "tensorflow"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def public_callables() -> list[tuple[str, object]]:
    found = []
    for name in lstmgraph.__all__:
        each = getattr(lstmgraph, name)
        if inspect.isfunction(each):
            found.append((name, each))
        elif isinstance(each, type) and not issubclass(each, Exception):
            methods = inspect.getmembers(each, inspect.isfunction)
            own = [(f"{name}.{n}", m) for n, m in methods if not n.startswith("_")]
            found += [(n, m) for n, m in own if m.__module__.startswith("lstmgraph")]
    return found


@pytest.mark.parametrize(
    ("name", "function"), [pytest.param(*each, id=each[0]) for each in public_callables()]
)
def test_signatures_are_written_out(name: str, function: object) -> None:
    """``**options: Unpack[...]`` says nothing in ``help()``."""
    parameters = inspect.signature(function).parameters.values()
    open_ended = [p.name for p in parameters if p.kind is p.VAR_KEYWORD]
    assert not open_ended, name
    assert inspect.getdoc(function), name


def test_help_names_every_option() -> None:
    recipe = lstmgraph.Recipe
    text = pydoc.plain(pydoc.render_doc(recipe.tune))
    for name in TuneOptions.__annotations__:
        assert f"{name}: " in text.partition("Args:")[2], name
    assert set(inspect.signature(recipe.tune).parameters) == {
        "self", "data", *TuneOptions.__annotations__,
    }  # fmt: skip
    options = dict(inspect.signature(recipe.tune).parameters)
    del options["self"]
    own = dict(inspect.signature(lstmgraph.tune).parameters)
    del own["recipe"], own["overrides"]
    assert own == options
    text = pydoc.plain(pydoc.render_doc(recipe.explain)).replace("'", "")
    assert "batch: int | None = None" in text
    assert "sizes: Mapping[str, int] | None = None" in text


def test_explain_takes_sizes_by_keyword() -> None:
    recipe = lstmgraph.load(SHIPPED[0])
    assert recipe.explain().memory is None
    assert recipe.explain(batch=4, time=7).memory is not None
    with pytest.raises(TypeError, match="bach"):
        recipe.explain(bach=4)  # type: ignore[call-arg]


def test_consoles_show_a_line() -> None:
    recipe = lstmgraph.load(lstmgraph.packaged_recipe("speaker-classifier-search"))
    shown = {
        "Recipe speaker-classifier-search: ": recipe,
        "Explanation of speaker-classifier-search: ": recipe.explain(),
        "Blame of speaker-classifier-search: ": recipe.blame(),
        "Comparison of speaker-classifier-search and ": lstmgraph.diff(recipe, recipe),
        "Space: ": recipe.space(),
        "Drawing of speaker-classifier-search as svg, ": recipe.graph(),
    }
    for beginning, each in shown.items():
        text = repr(each)
        assert text.startswith(f"<{beginning}")
        assert "\n" not in text
        assert len(text) < 160
        assert repr(copy.deepcopy(each)) == text
    assert "3 dimensions searched" in repr(recipe) or "dimensions searched" in repr(recipe)
    assert recipe.graph() == str(recipe.graph())
    assert Path(lstmgraph.packaged_recipe("speaker-classifier")).exists()
