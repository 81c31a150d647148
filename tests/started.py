"""Programs in forks of one new Python process, which has imported some modules and nothing else.

Unlike those of ``forked.py`` they know of no lstmgraph that they do not import themselves.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVER = """
import json, os, sys
import {modules}
for line in sys.stdin:
    if not os.fork():
        program, arguments, environment, *files = json.loads(line)
        for number, path in enumerate([os.devnull, *files]):
            os.dup2(os.open(path, os.O_RDWR), number)
        os.environ.update(environment)
        sys.argv = ["-c", *arguments]
        exec(compile(program, "<program>", "exec"), {{"__name__": "__main__"}})
        sys.exit()
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""


class Started:
    """A process that has imported `modules`; it ends with the block that it is entered for."""

    def __init__(self, *modules: str) -> None:
        self.command = [sys.executable, "-I", "-c", SERVER.format(modules=", ".join(modules))]

    def __enter__(self) -> Started:
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            self.command, stdin=pipe, stdout=pipe, text=True, env=environment
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def run(
        self, program: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """What ``subprocess.run`` returns for a new process that had run `program`."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin
        assert stdout
        with TemporaryDirectory() as folder:
            files = [Path(folder, name) for name in ("stdout", "stderr")]
            for file in files:
                file.touch()
            request = [program, arguments, environment or {}, *map(str, files)]
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
            code = int(stdout.readline())
            return subprocess.CompletedProcess(
                arguments, code, *(file.read_text("utf-8") for file in files)
            )
