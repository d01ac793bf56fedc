"""A stub of S3 on loopback: objects by path, in memory, as far as the place for files uses them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MISSING = b"<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"
REFUSED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


class _Handler(BaseHTTPRequestHandler):
    server: "StubS3"
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Not on the terminal."""

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.refuses:
            return self.answer(403, REFUSED)
        self.server.objects[self.path.partition("?")[0]] = body
        return self.answer(200, b"")

    def do_GET(self) -> None:
        content = self.server.objects.get(self.path.partition("?")[0])
        if self.server.refuses:
            self.answer(403, REFUSED)
        elif content is None:
            self.answer(404, MISSING)
        else:
            self.answer(200, content)

    def do_DELETE(self) -> None:
        self.server.objects.pop(self.path.partition("?")[0], None)
        self.answer(204, b"")

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class StubS3(ThreadingHTTPServer):
    """The endpoint and what it holds, by `/bucket/key`; `refuses` makes it deny everything."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.refuses = False

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a node that uses it."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server_address[1]}",
            "AWS_ACCESS_KEY_ID": "made-up",
            "AWS_SECRET_ACCESS_KEY": "made-up-secret",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextmanager
def running_s3() -> Iterator[StubS3]:
    """An endpoint that answers as long as the block runs."""
    with StubS3() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
