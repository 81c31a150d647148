"""Arbitrary bytes, and recipes with bytes changed, into the parser and all the checks.

    python tests/fuzz.py --seconds 600

Anything but RecipeError is a crash; more than a second of processor time for one input is a hang;
more than 1 GiB of memory is an error too. The input is then written to --findings, and the exit
code is 1. Inputs that gave a new message are kept and changed further.
"""

from __future__ import annotations

import argparse
import random
import re
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fuzzing import ROOT, Failure, Found, Run, watched

from lstmgraph.compiler.compile import compile_document
from lstmgraph.language.text.bytes import NotUtf8Error, decoded
from lstmgraph.language.text.document import Document, parse_document
from lstmgraph.language.text.overrides import OverrideFormatError, apply_overrides
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 16_384
"""Bytes of one input."""
SECONDS = 1.0
"""Of processor time for one input: this process's own, so that a busy machine does not count."""
MEMORY = 1 << 30

WORDS = [
    *(b"{ } [ ] - ? , : & * | > ! % @ ` # ' &a *a $ ~ --- ... <<:*a".split()),
    *(b": ", b"- ", b"? ", b"*a, ", b"<<: [*a, *a]", b"%YAML 1.2\n", b"|\n", b">-\n", b'"'),
    b"!!python/name:os.system ",
    *(b"\0", b"\t", b"\r", b"\r\n", b"\n", b"\n  ", b"\n    ", b"\\x00", b"\\ud800"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xc2\x85", b"\xe2\x80\xa8", b"\xed\xa0\x80"),
    *(b"0x 0o17 1e999 .inf .nan -0 1_0 null yes".split()),
    *(b"$search $choose per_layer type input layers mask units depth cells initial_state".split()),
    *(b"zeros carried time lstm rnn dense".split()),
    b"9" * 40,
]


def check(raw: bytes, override: str = "") -> tuple[str, ...]:
    """Read and check `raw` as a recipe; the codes of what is wrong with it."""
    try:
        document = parse_document(decoded(raw))
    except NotUtf8Error:  # the rest of the text may be one all the same
        document = parse_document(raw.decode("utf-8", "surrogateescape"))
    return _checked(document, override)


def _checked(document: Document, override: str) -> tuple[str, ...]:
    try:
        if override:
            apply_overrides(document, [override])
        compile_document(document)
    except OverrideFormatError:
        return ("--set",)
    except RecipeError as error:
        if not str(error):
            raise RuntimeError("an error without a word") from None
        return tuple(each.code for each in error.diagnostics)
    return ()


def run(seconds: float, seed: int, executions: int | None = None) -> Found:
    """Change inputs and check them, for so long or so many times."""
    chance, pool, found = random.Random(seed), corpus(), Found()
    seen: set[tuple[str, ...]] = set()
    found.kept = len(pool)
    end = time.monotonic() + seconds
    while time.monotonic() < end and found.executions != executions:
        raw = changed(chance.choice(pool), pool, chance)
        override = _override(raw, chance) if chance.random() < 0.1 else ""
        done = checked(raw, override)
        found.note(done.seconds)
        if done.error is not None:
            content = raw + override.encode("utf-8", "replace")
            found.failures.append(Failure(f"input-{found.executions}", done.trace, content))
            continue
        outcome: tuple[str, ...] = done.result
        found.outcomes.update(set(outcome) or {"accepted"})
        if outcome not in seen and len(outcome) < 8:  # a new message, or new ones together
            seen.add(outcome)
            pool.append(raw)
            found.kept = len(pool)
    return found


def checked(raw: bytes, override: str = "") -> Run:
    """How checking `raw` goes: the result is the codes."""
    return watched(lambda: check(raw, override), SECONDS)


def corpus() -> list[bytes]:
    """Recipes right and wrong, to begin with."""
    paths = [*ROOT.glob("recipes/*.yaml"), *ROOT.glob("tests/recipes/invalid/*/*.yaml")]
    return [re.sub(rb"(?m)^#.*\n", b"", path.read_bytes()) for path in sorted(paths)]


def changed(raw: bytes, pool: list[bytes], chance: random.Random) -> bytes:
    """`raw` after one or more changes."""
    if chance.random() < 0.02:
        return chance.randbytes(chance.randrange(200))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at, end = sorted(chance.randrange(len(raw) + 1) for _ in range(2))
        end = min(end, at + chance.choice((1, 2, 8, 64, 1024)))
        new = _new(raw[at:end], raw, pool, chance)
        raw = (raw[:at] + new + raw[end:])[:LONGEST]
    return raw


def _new(piece: bytes, raw: bytes, pool: list[bytes], chance: random.Random) -> bytes:
    """What stands in place of `piece` of `raw`."""
    word = chance.choice(WORDS)
    kinds: tuple[Callable[[], bytes], ...] = (
        lambda: b"",
        lambda: piece * chance.choice((2, 3, 20, 200)),
        lambda: word * chance.choice((1, 1, 1, 2, 60, 1000)),
        lambda: piece + word,
        lambda: bytes((chance.randrange(256),)),
        lambda: _piece(chance.choice(pool), chance),
        lambda: chance.choice(raw.split(b"\n")) + b"\n",
        lambda: piece[::-1],
    )
    return chance.choice(kinds)()


def _piece(raw: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(raw) + 1)
    return raw[at : at + chance.randrange(200)]


def _override(raw: bytes, chance: random.Random) -> str:
    paths = ["name", "layers.voice.units", "layers.0", "training", "a.b", "outputs.y", "layers"]
    value = _piece(raw, chance) + chance.choice(WORDS)
    return f"{chance.choice(paths)}={value.decode('utf-8', 'surrogateescape')}"


def main() -> int:
    """Run, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--findings", type=Path, default=Path("findings"))
    chosen = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    start = time.monotonic()
    found = run(chosen.seconds, chosen.seed)
    spent = time.monotonic() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{found.summary(spent)}\n{found.kept:,} inputs kept; peak memory {peak:.0f} MiB")
    chosen.findings.mkdir(parents=True, exist_ok=True)
    for failure in found.failures:
        path = chosen.findings / f"{failure.name}.yaml"
        path.write_bytes(failure.content)
        print(f"--- {path}\n{failure.text}")
    return int(bool(found.failures))


if __name__ == "__main__":
    sys.exit(main())
