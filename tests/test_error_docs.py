"""docs/errors.md: every code has its section, and every example does what the page says."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import lstmgraph
from lstmgraph.export import check_obstacles
from lstmgraph.language.text.document import parse_document
from lstmgraph.messages.errors import RecipeError

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "errors.md").read_text("utf-8")
BASE = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)[0]
NO_EXAMPLE = {
    "L101",
    "L102",
    "L103",
    "L115",
    "L133",
    "L134",
    "L135",
    "L299",
    "L761",
    "L762",
    "L763",
    "L802",
    "L803",
    "L804",
    "L805",
    "L807",
    "L764",
    "L765",
    "L766",
    "L771",
    "L775",
    "L780",
    "L781",
    "L794",
    "L879",
    "L884",
    "L888",
    "L901",
    "L902",
    "W764",
}
"""Codes of files, machines, the schema's own words and Keras's, which a short text cannot show."""
DATA = set(re.findall(r"^### ([DMA]\d{3})", PAGE, re.M))
"""Codes of data and of existing models, which no recipe shows."""
MERGED = ("inputs", "layers", "outputs")


@dataclass(frozen=True)
class Section:
    code: str
    wrong: str | None
    right: str | None
    formats: tuple[str, ...] = ()
    """Of errors of exports: the formats that the section is about."""
    device: str | None = None
    """The same: the device."""


def sections() -> dict[str, Section]:
    _, *parts = re.split(r"^### ", PAGE, flags=re.M)
    found = {}
    for part in parts:
        code = part[:4]
        assert code not in found
        formats = tuple(re.findall(r"`--to (\w+)`", part))
        device = re.search(r"`--device (\w+)`", part)
        examples = _block("Wrong", part), _block("Right", part)
        found[code] = Section(code, *examples, formats, device[1] if device else None)
    return found


def _block(title: str, text: str) -> str | None:
    match = re.search(rf"^{title}:\n\n```(?:yaml|sh)\n(.*?)```", text, re.S | re.M)
    return match[1] if match else None


SECTIONS = sections()
EXAMPLES = [section for section in SECTIONS.values() if section.wrong]


def codes(example: str, formats: tuple[str, ...] = (), device: str | None = None) -> set[str]:
    """The codes that `example`, a part of the page's recipe or a ``--set`` for it, is given."""
    overrides = re.findall(r"--set (\S+)", example)
    alone = parse_document("" if overrides else example)
    if alone.diagnostics and not overrides:
        return {found.code for found in alone.diagnostics.found}
    try:
        whole = _merged({} if overrides else alone.data)
        if "# lstmgraph:" in example:
            whole = _below(example)
        recipe = lstmgraph.load(whole, overrides=overrides)
        check_obstacles(recipe.compiled, formats, device)
    except RecipeError as error:
        return {found.code for found in error.diagnostics}
    return {found.code for found in recipe.warnings}


def _merged(part: dict[str, Any]) -> str:
    whole = {"layers", "inputs", "recipe"} <= set(part)
    recipe = {} if whole else parse_document(BASE).data
    for key, value in part.items():
        recipe[key] = {**recipe.get(key, {}), **value} if key in MERGED else value
    return json.dumps(recipe)


def _below(example: str) -> str:
    """`example` as it is written, comments too, and below it the page's other sections."""
    own = parse_document(example).data
    sections = re.split(r"^(?=\w+:)", BASE, flags=re.M)
    return example + "".join(text for text in sections if text.partition(":")[0] not in own)


def test_every_code_has_a_section_and_every_section_a_code() -> None:
    used = {
        code
        for path in (ROOT / "lstmgraph").rglob("*.py")
        for code in re.findall(r'"([LWDMA]\d{3})"', path.read_text("utf-8"))
    }
    assert set(SECTIONS) == used
    assert list(SECTIONS) == sorted(SECTIONS, key=lambda code: ("LWDMA".index(code[0]), code))


def test_every_section_has_examples() -> None:
    lacking = {s.code for s in SECTIONS.values() if not (s.wrong and s.right)}
    assert lacking == NO_EXAMPLE | DATA


def test_the_page_s_recipe_is_right() -> None:
    assert codes(BASE) == set()


@pytest.mark.parametrize("section", EXAMPLES, ids=lambda section: section.code)
def test_the_wrong_example_is_given_its_code(section: Section) -> None:
    assert codes(section.wrong or "", section.formats, section.device) == {section.code}


@pytest.mark.parametrize("section", EXAMPLES, ids=lambda section: section.code)
def test_the_right_example_is_accepted(section: Section) -> None:
    assert codes(section.right or "", section.formats, section.device) == set()
