"""YAML as people may write it: any mixture of styles, with comments wherever YAML allows them.

Every comment is `#c` and a number that stands nowhere else in the text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

KEYS = (
    *("units", "type", "input", "mask", "layers", "recipe", "initial_state", "training", "$choose"),
    *('"quoted key"', "'no'", '"units2"', "two words", "é", "1", "&k key"),
)
SCALARS = (
    *("1", "1e-3", "-1", "1.50", "0x1f", "no", "true", "null", "~", "lstm", "two words", "é ü"),
    *("a#b", "x:y", "?x", "a&b", "'it''s'", "'s'", "'a: b'", "''", '""', '"x # y"', "'\"'"),
    *('"line\\n"', '"\\u00e9"', "'\\'"),
)
CONTENT = ("text", "more # no comment", "", "- x", "k: v", "spaces behind  ")


class Writer:
    """Writes one text; `random` decides everything."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.count = 0
        self.anchors: list[str] = []

    def text(self) -> str:
        text = self.lines_above(0)
        if self.sometimes(0.1):
            text += f"---{self.line_end()}\n{self.lines_above(0)}"
        text += self.block(3, 0) + self.lines_above(0)
        if self.sometimes(0.1):
            text = text.rstrip("\n")
        return text.replace("\n", "\r\n") if self.sometimes(0.1) else text

    def sometimes(self, part: float) -> bool:
        return self.random.random() < part

    def comment(self) -> str:
        self.count += 1
        return f"#c{self.count}."

    def line_end(self) -> str:
        if self.sometimes(0.25):
            return self.random.choice([" ", "   ", "\t "]) + self.comment()
        return self.random.choice(["", "", "", " ", "\t"])

    def lines_above(self, indent: int) -> str:
        text = ""
        while self.sometimes(0.3):
            if self.sometimes(0.4):
                text += self.random.choice(["\n", "  \n"])
            else:
                column = self.random.choice([0, indent, indent, indent, indent + 1, indent + 4])
                text += f"{' ' * column}{self.comment()}\n"
        return text

    def anchor(self) -> str:
        if not self.sometimes(0.1):
            return ""
        self.count += 1
        return f"&a{self.count} "

    def space(self, indent: int) -> str:
        """What may stand between two tokens in brackets."""
        if self.sometimes(0.85):
            return self.random.choice(["", " ", "  "])
        column = indent + self.random.randrange(4)
        return f"{self.line_end()}\n{self.lines_above(indent)}{' ' * column}"

    def flow(self, depth: int, indent: int) -> str:
        if self.anchors and self.sometimes(0.08):
            return f"*{self.random.choice(self.anchors)} "
        anchor, kind = self.anchor(), self.random.random()
        if depth <= 0 or kind < 0.5:
            value = self.random.choice(SCALARS)
        else:
            keys = self.random.sample(KEYS[:-1], self.random.randrange(4))
            named = kind >= 0.75
            value, closing = ("{", "}") if named else ("[", "]")
            for index, key in enumerate(keys):
                value += f",{self.space(indent)} " if index else self.space(indent)
                value += f"{key}: {self.space(indent)}" if named else ""
                value += self.flow(depth - 1, indent) + self.space(indent)
            value += closing
        if anchor:
            self.anchors.append(anchor.strip()[1:])
        return anchor + value

    def block_scalar(self, indent: int) -> str:
        step = self.random.choice([1, 2, 3, 4])
        indicator = str(step) if self.sometimes(0.2) else ""
        chomping = self.random.choice(["", "-", "+"])
        text = self.random.choice("|>") + indicator + chomping
        text += self.line_end().replace("\t", " ") + "\n"
        for index in range(self.random.randrange(4)):
            deeper = "  " if (index or indicator) and self.sometimes(0.2) else ""
            line = self.random.choice(CONTENT)
            text += f"{' ' * (indent + step)}{deeper}{line}\n" if line else "\n"
        return text + "\n" * self.random.choice([0, 0, 1, 2])

    def several_lines(self, indent: int) -> str:
        quote = self.random.choice(["", "'", '"'])
        column = indent + self.random.choice([1, 2, 5])
        last = self.random.choice(["three", "- four"])
        between = self.random.choice(["\n", "\n\n", " \n"])
        text = f"{quote}one two{between}{' ' * column}{last}{quote}{self.line_end()}\n"
        return self.random.choice([" ", f"\n{' ' * (indent + 2)}"]) + text

    def value(self, depth: int, indent: int) -> str:
        """What stands behind ``key:`` or ``-``, to the end of its last line."""
        kind = self.random.random()
        if depth > 0 and kind < 0.4:
            anchor = self.anchor()
            text = f" {anchor}".rstrip() + self.line_end() + "\n"
            text += self.block(depth - 1, indent + self.random.choice([1, 2, 2, 4]))
            if anchor:
                self.anchors.append(anchor.strip()[1:])
            return text
        if kind < 0.5:
            return f" {self.block_scalar(indent)}"
        if kind < 0.57:
            return f"{self.line_end()}\n"
        if kind < 0.65:
            return self.several_lines(indent)
        return f"{self.random.choice([' ', '  '])}{self.flow(2, indent + 1)}{self.line_end()}\n"

    def block(self, depth: int, indent: int) -> str:
        text, space = "", " " * indent
        is_list = self.sometimes(0.3)
        for key in self.random.sample(KEYS, self.random.randrange(1, 5)):
            text += self.lines_above(indent)
            if is_list and depth > 0 and self.sometimes(0.3):
                inner = self.block(depth - 1, indent + 2)
                starts_here = inner[indent + 2 : indent + 3].strip("# \n")
                text += f"{space}- {inner[indent + 2 :]}" if starts_here else f"{space}-\n{inner}"
            elif is_list:
                text += f"{space}-{self.value(depth, indent)}"
            elif self.sometimes(0.03):
                text += f"{space}? {key}{self.line_end()}\n{space}:{self.value(depth, indent)}"
            else:
                colon = self.random.choice([":", ":", " :"])
                text += f"{space}{key}{colon}{self.value(depth, indent)}"
        return text + (self.lines_above(indent) if self.sometimes(0.2) else "")
