"""What check-jsonschema says of every wrong recipe, beside what lstmgraph says: docs/comparison.md.

    pip install check-jsonschema    # in an environment of its own
    python tests/compare_schema.py --check-jsonschema PATH/check-jsonschema

Both get the same schema, the published one of `lstmgraph schema`. For every file under
recipes/invalid, each expected mistake counts once, at the best level that an answer reaches:

- line: the output holds the mistake's line, as it does where YAML itself is wrong,
- key: it holds the path to the value, to the mapping that holds it or to a part of it, or names
  the key in quotes,
- file: it refuses the file, but points nowhere near,
- nothing: it accepts the file.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import lstmgraph
from lstmgraph.authoring.editor_schema import published_schema
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from lstmgraph.messages.diagnostics import Diagnostic

INVALID = Path(__file__).parent / "recipes" / "invalid"
EXPECTATION = re.compile(r"^# expect: (L\d{3}) (\d+):(\d+) ", re.M)
LINE, KEY, FILE, NOTHING = LEVELS = ("line", "key", "file", "nothing")
BATCH = 20
"""Files that check-jsonschema is given at once."""
KINDS = {
    "L1": "the text",
    "L2": "keys, types and values",
    "L3": "names",
    "L4": "shapes and dtypes",
    "L5": "masks",
    "L6": "initial states",
    "L7": "kernels and training",
    "L8": "searches, models, data",
}


def ours(path: Path) -> tuple[Diagnostic, ...]:
    """What lstmgraph reports of a file."""
    try:
        lstmgraph.load(path)
    except RecipeError as error:
        return error.diagnostics
    return ()


def their_errors(tool: str, schema: Path, paths: list[Path]) -> dict[Path, str]:
    """What check-jsonschema prints of each file; nothing of those that it accepts."""
    names = {str(path): path for path in paths}
    if len(paths) > BATCH:
        batches = [paths[at : at + BATCH] for at in range(0, len(paths), BATCH)]
        return {k: v for each in batches for k, v in their_errors(tool, schema, each).items()}
    command = [tool, "--verbose", "--schemafile", str(schema), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.stderr.startswith("Traceback"):  # an alias inside itself ends the whole run
        if len(paths) == 1:
            return {paths[0]: done.stderr}
        return {k: v for each in paths for k, v in their_errors(tool, schema, [each]).items()}
    found: dict[Path, str] = {}
    current = None
    for line in (done.stdout + done.stderr).splitlines():
        begins = re.match(r"\s*(?:FailedFileLoadError: Failed to parse )?(\S+?)(?:::\$|$)", line)
        current = names.get(begins[1], current) if begins else current
        if current:
            found[current] = f"{found.get(current, '')}{line}\n"
    return found


def their_level(output: str, line: int, found: Diagnostic) -> str:
    """How near their output comes to a mistake."""
    if not output:
        return NOTHING
    if re.search(rf'in "<byte string>", line {line},', output):  # of YAML's own errors
        return LINE
    dotted = _dotted(found.path)
    near = {dotted} if len(found.path) < 2 else {dotted, _dotted(found.path[:-1])}
    places = set(re.findall(r"::(\$[^: ]*): ", output))
    key = str(found.path[-1]) if found.path else ""
    named = bool(key) and re.search(rf"'{re.escape(key)}'", output) is not None
    below = any(place.startswith((f"{dotted}.", f"{dotted}[")) for place in places)
    return KEY if near & places or below or named else FILE


def our_level(found: tuple[Diagnostic, ...], line: int) -> str:
    """The same of ours."""
    if not found:
        return NOTHING
    return LINE if any(each.place.span.line == line for each in found) else FILE


def _dotted(path: tuple[str | int, ...]) -> str:
    """As check-jsonschema writes a path: ``$.layers.voice.units[0]``."""
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


def table(levels: dict[str, Counter[tuple[str, str]]]) -> str:
    """Counts by kind of mistake, theirs and ours."""
    head = ["| what is wrong | mistakes | check-jsonschema: line | key | file | nothing |"]
    rows = [head[0] + " lstmgraph: line |", "| --- " * 7 + "|"]
    total: Counter[tuple[str, str]] = Counter()
    for kind in [*levels, "all"]:
        counts = levels.get(kind, total)
        total += counts if kind != "all" else Counter()
        theirs = [counts["theirs", level] for level in LEVELS]
        cells = [sum(theirs), *theirs, counts["ours", LINE]]
        rows.append(f"| {kind} | " + " | ".join(map(str, cells)) + " |")
    return "\n".join(rows)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check-jsonschema", default="check-jsonschema", dest="tool")
    parser.add_argument("--list", action="store_true", help="a line for each mistake")
    chosen = parser.parse_args()
    levels: dict[str, Counter[tuple[str, str]]] = {kind: Counter() for kind in KINDS.values()}
    with tempfile.TemporaryDirectory() as folder:
        schema = Path(folder) / "recipe.schema.json"
        schema.write_text(json.dumps(published_schema()), "utf-8")
        paths = sorted(INVALID.rglob("*.yaml"))
        outputs = their_errors(chosen.tool, schema, paths)
        for path in paths:
            found, output = ours(path), outputs.get(path, "")
            expected = EXPECTATION.findall(path.read_text("utf-8"))
            for (error, line, _), own in zip(expected, found, strict=True):
                theirs = their_level(output, int(line), own)
                counts = levels[KINDS[error[:2]]]
                counts["theirs", theirs] += 1
                counts["ours", our_level(found, int(line))] += 1
                if chosen.list:
                    print(f"{path.parent.name}/{path.stem}:{line} {error} {theirs}")
    version = subprocess.run(
        [chosen.tool, "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    print(f"{version}\n\n{table(levels)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
