"""A scriptable fake of the Anthropic Messages API, for loopback tests.

Purpose: a test double that makes the real Claude Code CLI (or any Messages API
client) meet, on demand, every reply a driver must survive: text, tool calls,
structured output, big or slow streams, HTTP errors, rate limits, resets, hangs.
Standard library only.

RUN
    python3 -m tests.fakes.anthropic PORT [--log FILE] [--dump DIR] [--default JSON]
    PORT 0 picks a free port.  The first line of stdout is
    ``listening 127.0.0.1:PORT``; then one line per request goes to stdout (or,
    with --log, one JSON object per request goes to FILE).  --dump writes every
    request body to DIR/NNNNN.json.  As a library: ``with FakeApi() as api:``
    gives ``api.url``, ``api.requests`` (list of dicts), ``api.default`` and
    ``api.rules``; ``marker(step, ...)`` makes the marker text.

SCENARIOS, and the fields of a step: see scenario.py.

HTTP CONTROL (never part of the real API)
    GET  /__fake/requests     everything seen so far, as a JSON list
    POST /__fake/default      body: a STEP or a list; the new default (a list is
                              consumed globally, its last step then stays)
    POST /__fake/rules        body: the list of rules (see SCENARIOS)
    POST /__fake/reset        forget requests and counters (default, rules stay)
"""

import argparse
import contextlib
import gzip
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from tests.fakes.scenario import (
    DEFAULT_STEP,
    ERROR_TYPES,
    FAILURES,
    Json,
    Plan,
    Rules,
    Step,
    content_of,
    deltas_of,
    find_scenario,
    is_side,
    marker,
    new_id,
)

__all__ = ["FakeApi", "marker"]

When = Literal["before", "headers", "mid"]


class Cut(Exception):  # noqa: N818 - not an error: the scenario wants it
    """The scenario ends the connection here."""


_NONE: Mapping[str, object] = {}


class Handler(BaseHTTPRequestHandler):
    """Answers one connection; what it says comes from the scenario."""

    protocol_version = "HTTP/1.1"
    server_version = "fake-messages-api"
    server: "Server"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: FakeApi keeps the requests."""

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):  # the client went away
            super().handle()

    def send_json(
        self, status: int, value: object, headers: Mapping[str, object] = _NONE, raw: str | None = None
    ) -> None:
        data = raw.encode() if raw is not None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json" if raw is None else "text/html")
        self.send_header("content-length", str(len(data)))
        self.send_header("request-id", new_id("req"))
        for name, text in headers.items():
            self.send_header(name, str(text))
        self.end_headers()
        self.wfile.write(data)

    def drop(self, reset: bool) -> None:
        """End the TCP connection, with a reset or in an orderly way."""
        self.close_connection = True
        self.wfile.flush()
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.rfile.close()
            self.wfile.close()
            # shutdown() would send a FIN first; closing the last handle sends RST
            self.connection.close()
        raise Cut

    def silence(self, step: Step, sse: bool) -> None:
        """Say nothing (but pings) until the time is over or the client leaves."""
        end = time.monotonic() + step.get("hang_s", 86400)
        ping = step.get("ping_s") if sse else None
        next_ping = time.monotonic() + (ping or 0)
        self.connection.settimeout(0.2)
        while time.monotonic() < end and not self.server.stopping:
            if ping and time.monotonic() >= next_ping:
                self.sse("ping", {"type": "ping"})
                next_ping += ping
            try:
                if self.connection.recv(1, socket.MSG_PEEK) == b"":
                    break
                time.sleep(0.05)
            except TimeoutError:
                continue
            except OSError:
                break
        self.close_connection = True
        raise Cut

    def fault(self, step: Step, when: When, sse: bool = False) -> None:
        """Apply the reset / eof / hang of a step if it is due at this moment."""
        if step.get("hang") == when:
            self.silence(step, sse)
        if step.get("reset") == when:
            self.drop(True)
        if step.get("eof") == when:
            self.drop(False)

    def sse(self, name: str, value: Json) -> None:
        self.wfile.write(f"event: {name}\ndata: {json.dumps(value)}\n\n".encode())
        self.wfile.flush()

    def do_HEAD(self) -> None:
        self.server.api.note(self, {}, None, None)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        api = self.server.api
        if self.path == "/__fake/requests":
            self.send_json(200, api.requests)
            return
        api.note(self, {}, None, None)
        self.send_json(200, {"data": []} if "/models" in self.path else {})

    def do_POST(self) -> None:
        api = self.server.api
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.headers.get("content-encoding") == "gzip":
            raw = gzip.decompress(raw)
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            body = {}
        if self.path.startswith("/__fake/"):
            api.control(self.path, body)
            self.send_json(200, {})
        elif "/messages" not in self.path or "/messages/count_tokens" in self.path:
            api.note(self, body, None, None)
            self.send_json(200, {"input_tokens": max(1, len(raw) // 4)})
        else:
            step, index = api.next_step(self, body)
            api.note(self, body, step, index)
            with contextlib.suppress(Cut):
                self.answer(body, step)

    def answer(self, body: Json, step: Step) -> None:
        stream = bool(body.get("stream"))
        if (step.get("only_stream") and not stream) or (step.get("unless_stream") and stream):
            step = {k: v for k, v in step.items() if k not in FAILURES}
        if step.get("delay"):
            time.sleep(step["delay"])
        self.fault(step, "before")
        if "status" in step:
            kind, text = ERROR_TYPES.get(step["status"], ("api_error", "fake error"))
            error = {"type": step.get("error_type", kind), "message": step.get("message", text)}
            value = {"type": "error", "error": error}
            self.send_json(step["status"], value, step.get("headers", {}), step.get("body"))
            return
        blocks, stop = content_of(step, body.get("messages", []))
        usage = {"input_tokens": 100, "output_tokens": 20}
        usage |= {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, **step.get("usage", {})}
        message = {
            "id": new_id("msg"),
            "type": "message",
            "role": "assistant",
            "model": step.get("model", body.get("model")),
            "content": blocks,
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": usage,
        }
        if stream:
            self.answer_stream(step, message)
        else:
            self.answer_whole(step, message)

    def begin(self, step: Step, **headers: str) -> None:
        """Send the headers of a good reply, and fail there if the scenario says so."""
        self.send_response(200)
        for name, text in {**headers, "request-id": new_id("req"), **step.get("headers", {})}.items():
            self.send_header(name.replace("_", "-"), str(text))
        self.end_headers()
        self.wfile.flush()

    def answer_whole(self, step: Step, message: Json) -> None:
        if "sse_error" in step:
            error = {"type": step["sse_error"], "message": step.get("message", "Overloaded")}
            self.send_json(529, {"type": "error", "error": error})
            return
        data = json.dumps(message).encode()
        self.begin(step, content_type="application/json", content_length=str(len(data)))
        self.fault(step, "headers")
        self.wfile.write(data[: len(data) // 2])
        self.fault(step, "mid")
        self.wfile.write(data[len(data) // 2 :])

    def answer_stream(self, step: Step, message: Json) -> None:
        self.close_connection = True
        self.begin(step, content_type="text/event-stream", connection="close")
        self.fault(step, "headers", sse=True)
        usage, blocks = message["usage"], message["content"]
        start = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
        self.sse("message_start", {"type": "message_start", "message": start})
        if "sse_error" in step:
            error = {"type": step["sse_error"], "message": step.get("message", "Overloaded")}
            self.sse("error", {"type": "error", "error": error})
            return
        for number, block in enumerate(blocks):
            self.send_block(step, number, block, last=number == len(blocks) - 1)
        delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
        self.sse("message_delta", {"type": "message_delta", "delta": delta, "usage": usage})
        self.sse("message_stop", {"type": "message_stop"})

    def send_block(self, step: Step, number: int, block: Json, last: bool) -> None:
        shell, deltas = deltas_of(step, block, last)
        self.sse("content_block_start", {"type": "content_block_start", "index": number, "content_block": shell})
        half = len(deltas) // 2 if len(deltas) > 1 else 1
        for at, delta in enumerate(deltas):
            if last and at == half:
                self.fault(step, "mid", sse=True)
            self.sse("content_block_delta", {"type": "content_block_delta", "index": number, "delta": delta})
            if step.get("delta_delay"):
                time.sleep(step["delta_delay"])
        if last and half >= len(deltas):
            self.fault(step, "mid", sse=True)
        self.sse("content_block_stop", {"type": "content_block_stop", "index": number})


class Server(ThreadingHTTPServer):
    """A server whose threads do not outlive the test."""

    daemon_threads = True
    request_queue_size = 256
    stopping = False
    api: "FakeApi"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that leaves early is no news."""

    def shutdown_request(self, request: Any) -> None:
        with contextlib.suppress(OSError):
            super().shutdown_request(request)


class FakeApi:
    """The server with its state.  ``with FakeApi() as api: api.url``"""

    def __init__(
        self,
        port: int = 0,
        log: Path | None = None,
        dump: Path | None = None,
        default: Step | list[Step] | None = None,
        rules: Rules = (),
        echo: bool = False,
    ) -> None:
        self.default, self.rules = default or DEFAULT_STEP, rules
        self.log, self.dump, self.echo = log, dump, echo
        self.lock = threading.Lock()
        self.start = time.time()
        self.requests: list[Json] = []
        self.plans: dict[tuple[str, str], Plan] = {}
        self.server = Server(("127.0.0.1", port), Handler)
        self.server.api = self
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        if dump:
            dump.mkdir(parents=True, exist_ok=True)

    def reset(self) -> None:
        """Forget requests and counters."""
        with self.lock:
            self.requests, self.plans = [], {}

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.stopping = True
        self.server.shutdown()
        self.server.server_close()

    def control(self, path: str, body: Any) -> None:
        """Obey a request that is never part of the real API."""
        if path == "/__fake/default":
            self.default = body
        elif path == "/__fake/rules":
            self.rules = body
        elif path == "/__fake/reset":
            self.reset()

    def next_step(self, request: Handler, body: Json) -> tuple[Step, int | None]:
        """The step that answers this request, and its number in the scenario."""
        with self.lock:
            key, steps = find_scenario(body.get("messages", []), self.rules)
            if key is not None and not is_side(body, request.headers.get("user-agent", "")):
                metadata = body.get("metadata") or {}
                session = request.headers.get("x-claude-code-session-id") or str(metadata.get("user_id"))
                across = str(steps[0].get("across", "")) if steps else ""
                plan = self.plans.setdefault(("", across) if across else (session, key), Plan(steps))
                plan.served += 1
                step = next(plan.steps, None)
                if step is not None:
                    return step, plan.served
            if isinstance(self.default, list):
                if len(self.default) > 1:
                    return self.default.pop(0), None
                return (self.default or [DEFAULT_STEP])[0], None
            return self.default, None

    def note(self, request: Handler, body: Json, step: Step | None, index: int | None) -> None:
        """Keep a request for the test to look at."""
        entry = {
            "t": round(time.time() - self.start, 3),
            "method": request.command,
            "path": request.path,
            "model": body.get("model"),
            "stream": bool(body.get("stream")),
            "messages": len(body.get("messages", [])),
            "tools": [tool.get("name") for tool in body.get("tools", [])],
            "side": is_side(body, request.headers.get("user-agent", "")) if body else None,
            "step": step,
            "index": index,
            "max_tokens": body.get("max_tokens"),
            "headers": dict(request.headers.items()),
        }
        with self.lock:
            self.requests.append(entry)
            number = len(self.requests)
        if self.dump:
            content = {"headers": entry["headers"], "path": request.path, "body": body}
            (self.dump / f"{number:05d}.json").write_text(json.dumps(content, indent=1))
        if self.log:
            with self.log.open("a") as file:
                file.write(json.dumps(entry) + "\n")
        elif self.echo:
            kind = "stream" if entry["stream"] else "-"
            say(f"{entry['t']} {request.command} {request.path} {entry['model']} {kind} step {index}")


def say(line: str) -> None:
    """Write a line to standard output at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--dump", type=Path)
    parser.add_argument("--default", type=json.loads)
    args = parser.parse_args()
    api = FakeApi(args.port, args.log, args.dump, args.default, echo=True)
    say(f"listening 127.0.0.1:{api.port}")
    with contextlib.suppress(KeyboardInterrupt):
        api.server.serve_forever(0.05)


if __name__ == "__main__":
    main()
