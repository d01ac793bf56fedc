"""Servers that fail in a given way: each answer is written by the test."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.worlds.cli import Cli

Answer = Callable[[BaseHTTPRequestHandler], None]


class BadServer:
    """Answers every request with the next of its answers, and with the last one from then on."""

    def __init__(self, *answers: Answer) -> None:
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        outer, left = self, list(answers)

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.asked.append(f"{self.command} {self.path}")
                outer.headers.append(dict(self.headers))
                (left.pop(0) if len(left) > 1 else left[0])(self)

            do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/api"


def gives(status: int, body: object = None, kind: str = "application/json", length: int | None = None) -> Answer:
    """An answer; with a `length` that is not its own, it is cut off."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(content) if length is None else length))
        request.end_headers()
        request.wfile.write(content)
        request.close_connection = length is not None

    return answer


def drops(request: BaseHTTPRequestHandler) -> None:
    """No answer: the connection ends."""
    request.connection.shutdown(socket.SHUT_RDWR)
    request.close_connection = True


def late(seconds: float, answer: Answer) -> Answer:
    """An answer that takes its time."""

    def later(request: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        answer(request)

    return later


@contextmanager
def bad(*answers: Answer) -> Iterator[tuple[BadServer, Cli]]:
    """A server with these answers, and a command line that talks to it."""
    server = BadServer(*answers)
    threading.Thread(target=server.server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server, Cli({"PREFECT_API_URL": server.url})
    finally:
        server.server.shutdown()
        server.server.server_close()
