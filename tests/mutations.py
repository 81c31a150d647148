"""Random single edits of recipes, as a person makes them, and the lines that they touch.

Positions are those of PyYAML, not of the code under test.
"""

from __future__ import annotations

import random as _random
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

RECIPES = Path(__file__).parent.parent / "recipes"
Lines = frozenset[int]
Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Edit:
    """One edit of a recipe."""

    kind: str
    text: str
    """The whole recipe, edited."""
    lines: Lines
    """The edited lines; where lines were removed, the two that now stand beside each other and
    the key above them."""
    near: Lines
    """Other lines where what is wrong may stand: those that read what was edited, by its name, and
    the rest of its declaration. Two places disagree there, and either may be the wrong one."""
    says: str


@dataclass(frozen=True)
class Entry:
    """A value of a recipe, and its key; a list's entry has none."""

    path: Path_
    key: yaml.Node | None
    value: yaml.Node
    flow: bool

    @property
    def lines(self) -> range:
        """From 1; the value's last line included."""
        first = (self.key or self.value).start_mark.line + 1
        return range(first, _last_line(self.value) + 1)


@dataclass(frozen=True)
class Source:
    """A recipe to edit."""

    name: str
    text: str
    entries: tuple[Entry, ...] = field(repr=False)

    @property
    def scalars(self) -> list[Entry]:
        return [entry for entry in self.entries if isinstance(entry.value, yaml.ScalarNode)]

    @property
    def keys(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.key is not None]

    @property
    def declared(self) -> dict[str, Entry]:
        """Inputs and layers by name."""
        return {
            str(entry.path[1]): entry
            for entry in self.entries
            if len(entry.path) == 2 and entry.path[0] in ("inputs", "layers")
        }

    @property
    def references(self) -> list[Entry]:
        """Values that name an input or a layer, or a port of one."""
        return [
            entry
            for entry in self.scalars
            if entry.value.value.split(".")[0] in self.declared and entry.path[-1] != "name"
        ]


def sources() -> list[Source]:
    """The shipped recipes."""
    return [source(path.stem, path.read_text("utf-8")) for path in sorted(RECIPES.glob("*.yaml"))]


def source(name: str, text: str) -> Source:
    """A recipe with where its values stand."""
    return Source(name, text, tuple(_entries(yaml.compose(text, Loader=yaml.SafeLoader), ())))


def _entries(node: yaml.Node, path: Path_) -> Iterator[Entry]:
    inner: list[tuple[yaml.Node | None, yaml.Node, str | int]] = []
    if isinstance(node, yaml.MappingNode):
        inner = [(key, value, key.value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        inner = [(None, value, index) for index, value in enumerate(node.value)]
    for key, value, part in inner:
        yield Entry((*path, part), key, value, bool(node.flow_style))
        yield from _entries(value, (*path, part))


def _last_line(node: yaml.Node) -> int:
    """A block collection ends, for PyYAML, where the next begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        return node.end_mark.line  # as above
    return node.end_mark.line + 1


def typo(word: str, random: Random) -> str:
    """`word` with one slip of the fingers."""
    at = random.randrange(len(word))
    slips = [f"{word[:at]}{word[at + 1 :]}", f"{word[: at + 1]}{word[at:]}", f"{word}x", f"x{word}"]
    if at + 1 < len(word):
        slips.append(f"{word[:at]}{word[at + 1]}{word[at]}{word[at + 2 :]}")
    slips = [slip for slip in slips if slip and slip != word]
    return random.choice(slips)


# --- edits: each takes a recipe and gives it edited, or None where it holds nothing to edit so ---

JUNK = ("-1", "nonsense", "true", "null", "[]", "{}", "3.5", "0", "1e999", "'64'", "a.b.c", "[[1]]")
DTYPES = ("int32", "int64", "bool", "float16", "float32", "float64", "string", "uint8")
TYPES = (
    *("lstm", "gru", "simple_rnn", "rnn", "dense", "embedding", "flatten", "conv1d", "dropout"),
    *("global_average_pooling1d", "concatenate", "layer_normalization", "activation"),
)


def rename_key(source: Source, random: Random) -> Edit:
    entry = random.choice(source.keys)
    new = typo(str(entry.path[-1]), random)
    return _replaced("rename a key", source, entry, entry.key, new)


def rename_declared(source: Source, random: Random) -> Edit:
    name, entry = random.choice(list(source.declared.items()))
    return _replaced("rename an input or a layer", source, entry, entry.key, typo(name, random))


def drop_key(source: Source, random: Random) -> Edit:
    entry = random.choice([each for each in source.keys if len(each.path) > 1] or source.keys)
    return _dropped("drop a key", source, entry)


def drop_line(source: Source, random: Random) -> Edit:
    lines = source.text.splitlines(keepends=True)
    at = random.choice([i for i, line in enumerate(lines) if not line.lstrip().startswith("#")])
    return _without_lines("drop a line", source, range(at + 1, at + 2), lines[at].strip())


def swap_type(source: Source, random: Random) -> Edit:
    entry = random.choice(source.scalars)
    return _replaced("another type of value", source, entry, entry.value, random.choice(JUNK))


def misspell_reference(source: Source, random: Random) -> Edit:
    entry = random.choice(source.references)
    name, point, port = entry.value.value.partition(".")
    new = typo(name, random) + point + port
    if point and random.random() < 0.5:
        new = f"{name}.{typo(port, random)}"
    return _replaced("break a reference", source, entry, entry.value, new)


def another_reference(source: Source, random: Random) -> Edit:
    entry = random.choice(source.references)
    ports = ("", "", ".sequence", ".last", ".state", ".state.h")
    new = random.choice(list(source.declared)) + random.choice(ports)
    return _replaced("name another layer", source, entry, entry.value, new)


def another_number(source: Source, random: Random) -> Edit | None:
    numbers = [each for each in source.scalars if each.value.value.isdigit()]
    entry = random.choice(numbers)
    value = int(entry.value.value)
    new = random.choice([value + 1, value * 2, max(1, value - 1), 0, -value, value + 0.5])
    return _replaced("another number", source, entry, entry.value, str(new))


def another_word(source: Source, random: Random) -> Edit:
    references = {entry.path for entry in source.references}
    words = [
        entry
        for entry in source.scalars
        if re.fullmatch(r"[a-z_0-9]*[a-z_]+[a-z_0-9]*", entry.value.value)
        and entry.path not in references
    ]
    entry = random.choice(words)
    return _replaced("misspell a word", source, entry, entry.value, typo(entry.value.value, random))


def another_layer_type(source: Source, random: Random) -> Edit:
    types = [each for each in source.scalars if each.path[0] == "layers" and len(each.path) == 3]
    entry = random.choice([each for each in types if each.path[-1] == "type"])
    return _replaced("another layer type", source, entry, entry.value, random.choice(TYPES))


def another_dtype(source: Source, random: Random) -> Edit | None:
    dtypes = [entry for entry in source.scalars if entry.path[-1] == "dtype"]
    if not dtypes:
        return None
    entry = random.choice(dtypes)
    return _replaced("another dtype", source, entry, entry.value, random.choice(DTYPES))


def another_shape(source: Source, random: Random) -> Edit:
    shapes = [e for e in source.entries if e.path[0] == "inputs" and e.path[-1] == "shape"]
    entry = random.choice(shapes)
    sizes = [size.value for size in entry.value.value]
    action = random.choice(["drop", "add", "dimension", "size"])
    at = random.randrange(len(sizes) + 1)
    if action == "drop" and sizes:
        del sizes[at % len(sizes)]
    elif action == "add" or not sizes:
        sizes.insert(at, random.choice(["3", "time", "steps"]))
    else:
        sizes[at % len(sizes)] = "steps" if action == "dimension" else random.choice("1257")
    return _replaced("another shape", source, entry, entry.value, f"[{', '.join(sizes)}]")


def swap_values(source: Source, random: Random) -> Edit | None:
    first, second = sorted(random.sample(source.scalars, 2), key=_start)
    one, other = _written(source, first.value), _written(source, second.value)
    if one == other or "\n" in one + other:
        return None
    text = _spliced(source.text, second.value, one)
    text = _spliced(text, first.value, other)
    lines = frozenset((first.lines[0], second.lines[0]))
    near = _near(source, first.path, text) | _near(source, second.path, text)
    return _edit("swap two values", text, lines, near, f"{first.path} <-> {second.path}")


def duplicate_line(source: Source, random: Random) -> Edit:
    lines = source.text.splitlines(keepends=True)
    at = random.choice([i for i, line in enumerate(lines) if re.match(r"\s*[\w-]+:", line)])
    text = "".join([*lines[: at + 1], lines[at], *lines[at + 1 :]])
    # Where the line began a block, the block now belongs to the second.
    return _edit("duplicate a line", text, frozenset((at + 1, at + 2)), frozenset(), lines[at])


def indent_line(source: Source, random: Random) -> Edit | None:
    lines = source.text.splitlines(keepends=True)
    at = random.choice([i for i, line in enumerate(lines) if re.match(r"\s*[\w-]+:", line)])
    shift = random.choice([-2, -1, 1, 2])
    written = lines[at]
    if shift < 0 and not written.startswith(" " * -shift):
        return None
    lines[at] = " " * shift + written if shift > 0 else written[-shift:]
    # The text is wrong where the next or the last line no longer stands beside this one.
    around = frozenset((at, at + 1, at + 2))
    return _edit("change an indentation", "".join(lines), around, frozenset(), written.strip())


EDITS: tuple[Callable[[Source, Random], Edit | None], ...] = (
    rename_key,
    rename_declared,
    drop_key,
    drop_line,
    swap_type,
    misspell_reference,
    another_reference,
    another_number,
    another_word,
    another_layer_type,
    another_dtype,
    another_shape,
    swap_values,
    duplicate_line,
    indent_line,
)


def edits(count: int, seed: int, of: list[Source] | None = None) -> Iterator[Edit]:
    """`count` edits that change something, of all recipes and kinds in turn."""
    random, all_sources = _random.Random(seed), of or sources()
    number = made = 0
    while made < count:
        source = all_sources[number % len(all_sources)]
        edit = EDITS[(number // len(all_sources)) % len(EDITS)](source, random)
        number += 1
        if edit is not None and edit.text != source.text:
            made += 1
            yield Edit(
                edit.kind, edit.text, edit.lines, edit.near, f"{source.name}: {edit.says.strip()}"
            )


# --- text ---


def _edit(kind: str, text: str, lines: Lines, near: Lines, says: str) -> Edit:
    return Edit(kind, text, lines, near - lines, says)


def _replaced(kind: str, source: Source, entry: Entry, node: yaml.Node | None, new: str) -> Edit:
    assert node is not None
    text = _spliced(source.text, node, new)
    says = f"{'.'.join(map(str, entry.path))}: {_written(source, node)} -> {new}"
    line = frozenset((node.start_mark.line + 1,))
    return _edit(kind, text, line, _near(source, entry.path, text), says)


def _dropped(kind: str, source: Source, entry: Entry) -> Edit:
    says = ".".join(map(str, entry.path))
    if not entry.flow:
        return _without_lines(kind, source, entry.lines, says, entry.path)
    assert entry.key is not None
    start, end = entry.key.start_mark.index, entry.value.end_mark.index
    before, after = source.text[:start], source.text[end:]
    if re.match(r"\s*,\s*", after):
        after = re.sub(r"^\s*,\s*", "", after)
    else:
        before = re.sub(r",\s*$", "", before)
    line = frozenset((entry.lines[0], entry.lines[0] - 1))
    text = before + after
    lines = line | _parents(source, entry.path)
    return _edit(kind, text, lines, _near(source, entry.path, text), says)


def _without_lines(
    kind: str, source: Source, gone: range, says: str, path: Path_ | None = None
) -> Edit:
    lines = source.text.splitlines(keepends=True)
    text = "".join(lines[: gone[0] - 1] + lines[gone[-1] :])
    paths = [entry.path for entry in source.keys if entry.lines[0] in gone]
    touched = {gone[0] - 1, gone[0]}
    near: set[int] = set()
    for each in [path] if path else paths:
        touched |= {line for line in _parents(source, each) if line < gone[0]}
        near |= _near(source, each, text)
    return _edit(kind, text, frozenset(touched), frozenset(near), says)


def _parents(source: Source, path: Path_) -> Lines:
    """The line of the key above; of a section of the recipe, the recipe's first key."""
    above = [each for each in source.keys if each.path == path[:-1]] or [source.keys[0]]
    return frozenset(entry.lines[0] for entry in above)


def _near(source: Source, path: Path_, text: str) -> Lines:
    """Lines of `text` that name what `path` is a part of, and those of its own declaration."""
    if len(path) < 2 or path[0] not in ("inputs", "layers"):
        return frozenset()
    lines = text.splitlines()
    named = re.compile(rf"(?<!\w){re.escape(str(path[1]))}(?!\w)")
    found = {i for i, line in enumerate(lines, start=1) if named.search(line)}
    own = source.declared[str(path[1])].lines
    shift = len(lines) - len(source.text.splitlines())
    return frozenset(found | set(range(own[0], own[-1] + 1 + max(shift, 0))))


def _written(source: Source, node: yaml.Node) -> str:
    return source.text[node.start_mark.index : node.end_mark.index]


def _spliced(text: str, node: yaml.Node, new: str) -> str:
    return text[: node.start_mark.index] + new + text[node.end_mark.index :]


def _start(entry: Entry) -> int:
    return int(entry.value.start_mark.index)
