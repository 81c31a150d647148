"""Substitute variables: `vars:` and ``${vars.NAME}``."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.language.compose.extends import may_hold
from lstmgraph.language.text.document import MAX_NODES
from lstmgraph.language.text.origins import DELETE, Variable
from lstmgraph.messages.diagnostics import Note
from lstmgraph.messages.wording import plain_text, shown
from lstmgraph.resources import RECIPE_SCHEMA, read_schema

if TYPE_CHECKING:
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path

SECTION = "vars"
MAX_TEXT = 10_000
"""The most characters of a text after substitution: texts made of texts grow quickly."""
MAX_CHAIN = 20
"""The most variables in a chain of definitions."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_PART = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_WHOLE = re.compile(r"\$\{([^{}]*)\}")
_WRITE = "write `${vars.NAME}`; write `$${` for a literal `${`"


def substitute(document: Document) -> None:
    """Replace each ``${vars.NAME}`` by its value, and remove `vars:`.

    Mistakes are reported in the document; values keep the position of the text that names the
    variable.
    """
    if may_substitute(document):
        _Substitution(document).run()


def may_substitute(document: Document) -> bool:
    """Return whether `document` may name or define a variable."""
    data = document.data
    return isinstance(data, dict) and (SECTION in data or may_hold(document, "${"))


def escaped(data: Any) -> Any:
    """Return plain data whose texts name no variable: ``${`` is written ``$${``."""
    if isinstance(data, str):
        return data.replace("${", "$${")
    if isinstance(data, dict):
        return {key: escaped(value) for key, value in data.items()}
    return [escaped(item) for item in data] if isinstance(data, list) else data


def with_searched_variables(document: Document) -> dict[str, Any]:
    """Return a recipe's data to write out: of its variables, only those that are searched."""
    data: dict[str, Any] = escaped(document.data)
    names = document.origins.searched
    if not names:
        return data
    whole = {**data, SECTION: escaped(document.origins.forms)}
    for path in sorted(names, key=len, reverse=True):
        here: Any = whole
        for part in path[:-1]:
            here = here[part]
        here[path[-1]] = f"${{{SECTION}.{names[path]}}}"
    return whole


@dataclass(frozen=True)
class _Value:
    """A value after substitution, and the variables it was made from, the outermost first."""

    data: Any
    variables: tuple[Variable, ...]
    searched: str | None = None
    """The variable that is one dimension of the search, if `data` is its ``$search``."""


class _Mistake(Exception):  # noqa: N818 - a mistake in a recipe, not a program failure
    """Raised for a value whose variables are wrong."""

    def __init__(self, code: str, message: str, hint: str | None, *notes: Note) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.notes = notes


class _Broken(Exception):  # noqa: N818 - as above, but reported already
    """Raised for a use of a variable whose definition is wrong."""


class _Substitution:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.is_defined = SECTION in document.data
        written = document.data.pop(SECTION, {})
        self.is_readable = isinstance(written, dict)
        self.written: dict[str, Any] = self.checked(written)
        self.known: dict[str, _Value | None] = {}  # None: wrong, and reported
        self.open: list[str] = []
        self.used: set[str] = set()
        self.count = len(document.values)

    def checked(self, written: Any) -> dict[str, Any]:
        if not isinstance(written, dict):
            message = f"'{SECTION}' must be a mapping, not {shown(written)}"
            hint = "write names and values below it, such as `horizon: 24`"
            self.document.report("L141", (SECTION,), message, hint=hint)
            return {}
        for name in written:
            if not _NAME.fullmatch(name):
                hint = "use letters, digits and underscores, and begin with a letter"
                message = f"{shown(name)} is not a name for a variable"
                self.document.report("L141", (SECTION, name), message, hint=hint, at_key=True)
        return written

    def run(self) -> None:
        for name in self.written:
            self.value_of(name)
        self.document.data = self.filled(self.document.data, ())
        if not self.document.diagnostics:
            self.warn_of_unused()

    def warn_of_unused(self) -> None:
        """Warn of unused variables of the recipe itself; a base may define more than is needed."""
        for name in self.written:
            path: Path = (SECTION, name)
            own = self.document.place(path).source == self.document.source
            if own and name not in self.used:
                near = self.document.guesses.did_you_mean(name, self.used)
                message = f"`{SECTION}.{name}` is not used{near}"
                hint = f"remove it, or write `${{{SECTION}.{name}}}` where it belongs"
                self.document.warn("W102", path, message, hint=hint, at_key=True)

    # --- the variables ---

    def value_of(self, name: str) -> _Value | None:
        """Return the variable's value; None if it is wrong, which is then reported."""
        if name not in self.known:
            self.open.append(name)
            path: Path = (SECTION, name)
            try:
                self.known[name] = self.evaluated(name, path)
            except _Broken:
                self.known[name] = None
            except _Mistake as mistake:
                self.known[name] = None
                self.note(mistake, path)
            self.open.pop()
        return self.known[name]

    def evaluated(self, name: str, path: Path) -> _Value:
        data = self.written[name]
        if _is_form(data):
            return self.form(name, data, path)
        items = [self.scalar(item) for item in (data if isinstance(data, list) else [data])]
        if isinstance(data, list):
            value = [item.data for item in items]
            if any(item.searched for item in items):
                message = f"`vars.{name}` must not hold a searched variable in a list"
                raise _Mistake("L141", message, "write the list where it is used")
            if any(isinstance(item, list) for item in value):
                message = f"`vars.{name}` must not hold a list inside a list"
                raise _Mistake("L141", message, "write a list of plain values")
        else:
            value = items[0].data
        searched = None if isinstance(data, list) else items[0].searched
        text = value if isinstance(value, str) else json.dumps(value)
        own = Variable(name, "searched" if searched else text, self.document.place(path))
        below = [variable for item in items for variable in item.variables]
        return _Value(value, tuple(dict.fromkeys((own, *below))), searched)

    def form(self, name: str, data: Any, path: Path) -> _Value:
        """Return the ``$search`` or ``$choose`` that a variable is, with the variables in it."""
        form = self.filled(data, path)
        unknown = self.document.origins.unknown
        if any(each[: len(path)] == path for each in unknown):
            raise _Broken
        self.document.origins.forms[name] = form
        own = Variable(name, "searched", self.document.place(path))
        return _Value(form, (own,), name)

    def scalar(self, data: Any) -> _Value:
        if isinstance(data, dict | list):
            raise _not_plain(data)
        if data == DELETE:
            raise _Broken  # reported already: nothing was inherited
        return self.text(data) if isinstance(data, str) else _Value(data, ())

    def named(self, reference: str) -> _Value:
        """Return the value of the text between the braces."""
        name = reference.strip().removeprefix(f"{SECTION}.")
        if name == reference.strip() or not _NAME.fullmatch(name):
            near = self.document.guesses.nearest(name, self.written)
            meant = f"; did you mean '${{{SECTION}.{near}}}'?" if near else ""
            message = f"'${{{reference}}}' does not name a variable{meant}"
            raise _Mistake("L142", message, _WRITE)
        self.used.add(name)
        if name in self.open:
            raise self.cycle(name)
        if not self.is_readable:
            raise _Broken
        if name not in self.written:
            raise self.unknown(name)
        if len(self.open) > MAX_CHAIN:
            message = f"more than {MAX_CHAIN} variables are defined by each other in a chain"
            raise _Mistake("L145", message, "write the value itself")
        value = self.value_of(name)
        if value is None:
            raise _Broken
        return value

    def cycle(self, name: str) -> _Mistake:
        names = self.open[self.open.index(name) :]
        notes = [
            Note(f"`{SECTION}.{other}` is defined here", self.document.place((SECTION, other)))
            for other in names
        ]
        message = f"`{SECTION}.{name}` is defined by itself"
        if len(names) > 1:
            message += f": {' -> '.join((*names, name))}"
        return _Mistake("L143", message, "give one of them a value", *notes)

    def unknown(self, name: str) -> _Mistake:
        if not self.is_defined:
            sections = read_schema(RECIPE_SCHEMA)["properties"]
            near = self.document.guesses.did_you_mean(SECTION, self.document.data.keys() - sections)
            message = f"there is no `{SECTION}.{name}`: the recipe has no `{SECTION}:`{near}"
            return _Mistake("L142", message, f"add `{SECTION}: {{{name}: ...}}`")
        near = self.document.guesses.did_you_mean(name, self.written)
        message = f"there is no `{SECTION}.{name}`{near}"
        notes = self.document.origins.deletion((SECTION, name))
        return _Mistake("L142", message, f"define `{name}:` under `{SECTION}:`", *notes)

    # --- texts ---

    def text(self, text: str) -> _Value:
        """Return `text` with its variables filled in; a lone variable keeps its own type."""
        if "${" not in text:
            return _Value(text, ())
        whole = _WHOLE.fullmatch(text)
        if whole:
            return self.named(whole[1])
        parts: list[str] = []
        used: list[Variable] = []
        end = size = 0
        for match in _PART.finditer(text):
            value = self.part(match)
            parts += [text[end : match.start()], value.data]
            used += value.variables
            end = match.end()
            size += len(value.data)
            if size > MAX_TEXT:
                message = (
                    f"this text is longer than {MAX_TEXT:,} characters with its variables filled in"
                )
                raise _Mistake("L145", message, "write a shorter text")
        return _Value("".join([*parts, text[end:]]), tuple(dict.fromkeys(used)))

    def part(self, match: re.Match[str]) -> _Value:
        if match[0] == "$${":
            return _Value("${", ())
        if match[1] is None:
            raise _Mistake("L142", "`${` has no closing brace", _WRITE)
        value = self.named(match[1])
        if isinstance(value.data, list):
            message = f"`{match[1].strip()}` is a list, which cannot be part of a text"
            hint = "use it as the whole value, or a variable for each part"
            raise _Mistake("L144", message, hint)
        if value.searched:
            message = f"`{match[1].strip()}` is searched, which cannot be part of a text"
            raise _Mistake("L144", message, "use it as the whole value, or search the whole text")
        data = value.data
        return _Value(data if isinstance(data, str) else plain_text(data), value.variables)

    # --- the recipe ---

    def filled(self, data: Any, path: Path) -> Any:
        """Return a copy of `data` with its variables filled in."""
        if isinstance(data, dict):
            for key in data:
                if "${" in key:
                    self.report_key((*path, key))
            return {key: self.filled(inner, (*path, key)) for key, inner in data.items()}
        if isinstance(data, list):
            return [self.filled(inner, (*path, index)) for index, inner in enumerate(data)]
        if not (isinstance(data, str) and "${" in data):
            return data
        try:
            value = self.text(data)
            self.record(value, path)
        except _Broken:
            value = _Value(data, ())
            self.document.origins.unknown.add(path)
        except _Mistake as mistake:
            value = _Value(data, ())
            self.note(mistake, path)
        return deepcopy(value.data)

    def record(self, value: _Value, path: Path) -> None:
        """Record the origin of the value at `path`; entries of a list get the variable's place."""
        if value.variables:
            self.document.origins.variables[path] = value.variables
        if isinstance(value.data, list | dict):
            self.count += _size(value.data)
            if self.count > MAX_NODES:
                message = (
                    f"the recipe holds more than {MAX_NODES:,} values with its variables filled in"
                )
                raise _Mistake("L145", message, "write shorter lists")
        if value.searched:
            self.document.origins.searched[path] = value.searched
        elif isinstance(value.data, list):
            place = self.document.place(path)
            self.document.values |= {(*path, i): place for i in range(len(value.data))}

    def note(self, mistake: _Mistake, path: Path) -> None:
        self.document.report(
            mistake.code, path, mistake.message, hint=mistake.hint, notes=mistake.notes
        )
        self.document.origins.unknown.add(path)

    def report_key(self, path: Path) -> None:
        message = f"a key cannot contain a variable: {shown(path[-1])}"
        self.document.report("L144", path, message, hint="write the name itself", at_key=True)
        self.document.origins.unknown.add(path)


def _is_form(data: Any) -> bool:
    return isinstance(data, dict) and any(key.startswith("$") for key in data)


def _size(data: Any) -> int:
    inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return 1 + sum(map(_size, inner))


def _not_plain(data: Any) -> _Mistake:
    if _is_form(data):
        hint = "write the list where it is used, or make the whole variable the search"
        return _Mistake("L141", "a list in a variable cannot hold a search", hint)
    what = f"a variable must be a plain value or a list of plain values, not {shown(data)}"
    return _Mistake("L141", what, "write a number, a text, true, false, or a list such as [64, 32]")
