"""`vars:` and ``${vars.NAME}``: values that are said once."""

from __future__ import annotations

import json
import re
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
"""Characters of a text with variables in it: texts of texts grow by themselves."""
MAX_CHAIN = 20
"""Variables that are made of each other in a row."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_PART = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_WHOLE = re.compile(r"\$\{([^{}]*)\}")
_WRITE = "write `${vars.NAME}`; for the characters themselves, `$${`"


def substitute(document: Document) -> None:
    """Put the values of `vars:` where they are named, and drop `vars:`.

    What is wrong is noted; positions stay those of the text that names a variable.
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


@dataclass(frozen=True)
class _Value:
    """What a variable stands for, and what it was made of, itself first."""

    data: Any
    variables: tuple[Variable, ...]


class _Mistake(Exception):  # noqa: N818 - in a recipe, and no failure of the program
    """What is wrong with a value that names variables."""

    def __init__(self, code: str, message: str, hint: str | None, *notes: Note) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.notes = notes


class _Broken(Exception):  # noqa: N818 - reported already, and no failure of the program
    """A variable whose own definition is wrong."""


class _Substitution:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.is_defined = SECTION in document.data
        written = document.data.pop(SECTION, {})
        self.is_readable = isinstance(written, dict)
        self.written: dict[str, Any] = self.checked(written)
        self.known: dict[str, _Value | None] = {}  # None: wrong, and that is reported
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
        """Of the recipe's own variables: a base may define more than each recipe needs."""
        for name in self.written:
            path: Path = (SECTION, name)
            own = self.document.place(path).source == self.document.source
            if own and name not in self.used:
                near = self.document.guesses.did_you_mean(name, self.used)
                message = f"nothing names `{SECTION}.{name}`{near}"
                hint = f"remove it, or write `${{{SECTION}.{name}}}` where it belongs"
                self.document.warn("W102", path, message, hint=hint, at_key=True)

    # --- the variables ---

    def value_of(self, name: str) -> _Value | None:
        """The variable's value; None where it is wrong, which is reported."""
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
        several = data if isinstance(data, list) else [data]
        made = [self.scalar(each) for each in several]
        if isinstance(data, list):
            value = [each.data for each in made]
            if any(isinstance(each, list) for each in value):
                message = f"a list in the list of `vars.{name}`"
                raise _Mistake("L141", message, "write a list of plain values")
        else:
            value = made[0].data
        text = value if isinstance(value, str) else json.dumps(value)
        own = Variable(name, text, self.document.place(path))
        below = [variable for each in made for variable in each.variables]
        return _Value(value, tuple(dict.fromkeys((own, *below))))

    def scalar(self, data: Any) -> _Value:
        if isinstance(data, dict | list):
            raise _not_plain(data)
        if data == DELETE:
            raise _Broken  # reported: nothing was inherited
        return self.text(data) if isinstance(data, str) else _Value(data, ())

    def named(self, reference: str) -> _Value:
        """The value of what stands between the braces."""
        name = reference.strip().removeprefix(f"{SECTION}.")
        if name == reference.strip() or not _NAME.fullmatch(name):
            near = self.document.guesses.nearest(name, self.written)
            meant = f"; did you mean '${{{SECTION}.{near}}}'?" if near else ""
            message = f"'${{{reference}}}' names no variable{meant}"
            raise _Mistake("L142", message, _WRITE)
        self.used.add(name)
        if name in self.open:
            raise self.circle(name)
        if not self.is_readable:
            raise _Broken
        if name not in self.written:
            raise self.unknown(name)
        if len(self.open) > MAX_CHAIN:
            message = f"more than {MAX_CHAIN} variables are made of each other in a row"
            raise _Mistake("L145", message, "write the value out")
        value = self.value_of(name)
        if value is None:
            raise _Broken
        return value

    def circle(self, name: str) -> _Mistake:
        names = self.open[self.open.index(name) :]
        notes = [
            Note(f"`{SECTION}.{each}` is defined here", self.document.place((SECTION, each)))
            for each in names
        ]
        message = f"`{SECTION}.{name}` is made of itself"
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
        """`text` with variables in it; where it is one and no more, that one's value."""
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
                message = f"with its variables this text is longer than {MAX_TEXT:,} characters"
                raise _Mistake("L145", message, "write a shorter text")
        return _Value("".join([*parts, text[end:]]), tuple(dict.fromkeys(used)))

    def part(self, match: re.Match[str]) -> _Value:
        if match[0] == "$${":
            return _Value("${", ())
        if match[1] is None:
            raise _Mistake("L142", "`${` is not closed by a brace", _WRITE)
        value = self.named(match[1])
        if isinstance(value.data, list):
            message = f"`{match[1].strip()}` is a list, which cannot stand inside a text"
            hint = "let it be the whole value, or use a variable for each part"
            raise _Mistake("L144", message, hint)
        data = value.data
        return _Value(data if isinstance(data, str) else plain_text(data), value.variables)

    # --- the recipe ---

    def filled(self, data: Any, path: Path) -> Any:
        """A copy of `data` with the values of variables."""
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
            self.take(value, path)
        except _Broken:
            value = _Value(data, ())
            self.document.origins.unknown.add(path)
        except _Mistake as mistake:
            value = _Value(data, ())
            self.note(mistake, path)
        return list(value.data) if isinstance(value.data, list) else value.data

    def take(self, value: _Value, path: Path) -> None:
        """Note what stands at `path` now; the entries of a list stand where the variable does."""
        if value.variables:
            self.document.origins.variables[path] = value.variables
        if isinstance(value.data, list):
            self.count += len(value.data)
            if self.count > MAX_NODES:
                message = f"with its variables the recipe holds more than {MAX_NODES:,} values"
                raise _Mistake("L145", message, "write shorter lists")
            place = self.document.place(path)
            self.document.values |= {(*path, i): place for i in range(len(value.data))}

    def note(self, mistake: _Mistake, path: Path) -> None:
        self.document.report(
            mistake.code, path, mistake.message, hint=mistake.hint, notes=mistake.notes
        )
        self.document.origins.unknown.add(path)

    def report_key(self, path: Path) -> None:
        message = f"a key cannot hold a variable: {shown(path[-1])}"
        self.document.report("L144", path, message, hint="write the name out", at_key=True)
        self.document.origins.unknown.add(path)


def _not_plain(data: Any) -> _Mistake:
    if isinstance(data, dict) and any(key.startswith("$") for key in data):
        hint = "write `$search` where the value stands: each is a dimension of its own"
        return _Mistake("L141", "a variable cannot be searched", hint)
    what = f"a variable is a plain value or a list of them, not {shown(data)}"
    return _Mistake("L141", what, "write a number, a text, true, false, or a list such as [64, 32]")
