"""Print the one shell block of README.md that holds a word: ``readme_command.py pytest``."""

import re
import sys
from pathlib import Path

readme = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
blocks = [block for block in re.findall(r"```sh\n(.*?)```", readme, re.S) if sys.argv[1] in block]
if len(blocks) != 1:
    sys.exit(f"README.md has {len(blocks)} shell blocks with '{sys.argv[1]}', not one")
sys.stdout.write(blocks[0])
