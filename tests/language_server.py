"""A small client of the language server that editors run for YAML, over its standard streams."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from typing import TYPE_CHECKING, Any

from programs import NODE_MODULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

SERVER = NODE_MODULES / "yaml-language-server" / "bin" / "yaml-language-server"
PATIENCE = 60.0
"""Seconds to wait for an answer; each takes some milliseconds."""

SETTINGS = {
    "yaml": {
        "validate": True,
        "hover": True,
        "completion": True,
        "schemaStore": {"enable": False},  # nothing is fetched
    }
}


class LanguageServer:
    """The server as a process; a `with` block ends it.

    Places are (line, column), both from 0, as the protocol counts them.
    """

    def __init__(self, folder: Path) -> None:
        """Start the server; documents are opened as if they stood in `folder`."""
        self.folder = folder
        self.process = subprocess.Popen(
            ["node", str(SERVER), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.count = 0
        item = {"snippetSupport": True, "documentationFormat": ["markdown"]}
        capabilities = {
            "textDocument": {"completion": {"completionItem": item}, "publishDiagnostics": {}},
            "workspace": {"configuration": True},
        }
        self._ask("initialize", {"processId": None, "rootUri": None, "capabilities": capabilities})
        self._send("initialized", {})
        self._send("workspace/didChangeConfiguration", {"settings": SETTINGS})

    def __enter__(self) -> LanguageServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        self.reader.join()
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()

    def diagnostics(self, texts: Sequence[str]) -> list[list[dict[str, Any]]]:
        """What the server finds in each document; it waits a while before it looks at any."""
        uris = [self._open(text) for text in texts]
        found: dict[str, list[dict[str, Any]]] = {}
        while not found.keys() >= set(uris):
            message = self._next()
            if message.get("method") == "textDocument/publishDiagnostics":
                found[message["params"]["uri"]] = message["params"]["diagnostics"]
        return [found[uri] for uri in uris]

    def completions(self, text: str, place: tuple[int, int]) -> list[dict[str, Any]]:
        """What is offered with the cursor at `place`."""
        answer = self._ask("textDocument/completion", self._at(text, place))
        items: list[dict[str, Any]] = answer["items"]
        return items

    def hover(self, text: str, place: tuple[int, int]) -> str:
        """What is shown with the pointer at `place`, as Markdown."""
        answer = self._ask("textDocument/hover", self._at(text, place))
        shown: str = answer["contents"]["value"] if answer else ""
        return shown

    def _at(self, text: str, place: tuple[int, int]) -> dict[str, Any]:
        position = {"line": place[0], "character": place[1]}
        return {"textDocument": {"uri": self._open(text)}, "position": position}

    def _open(self, text: str) -> str:
        self.count += 1
        uri = (self.folder / f"document-{self.count}.yaml").as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._send("textDocument/didOpen", {"textDocument": document})
        return uri

    def _ask(self, method: str, params: Any) -> Any:
        self.count += 1
        number = self.count
        self._send(method, params, id=number)
        while True:
            message = self._next()
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def _next(self) -> dict[str, Any]:
        """The next message; what the server asks itself is answered on the way."""
        message = self.answers.get(timeout=PATIENCE)
        if "method" in message and "id" in message:
            result: Any = None
            if message["method"] == "workspace/configuration":
                items = message["params"]["items"]
                result = [SETTINGS.get(item["section"], {}) for item in items]
            self._write({"jsonrpc": "2.0", "id": message["id"], "result": result})
        return message

    def _send(self, method: str, params: Any, **more: Any) -> None:
        self._write({"jsonrpc": "2.0", "method": method, "params": params, **more})

    def _write(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        assert self.process.stdin
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def _read(self) -> None:
        for message in self._messages():
            self.answers.put(message)

    def _messages(self) -> Iterator[dict[str, Any]]:
        stream = self.process.stdout
        assert stream
        while header := stream.readline():
            length = int(header.partition(b":")[2])
            while stream.readline().strip():
                pass
            yield json.loads(stream.read(length))
