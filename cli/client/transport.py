"""Requests to the Prefect API: retries where it is safe, and answers turned into sentences."""

import random
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from ccs.cli.client.records import Json
from ccs.cli.client.rehearsal import Rehearsal
from ccs.cli.client.settings import Settings
from ccs.cli.errors import CcsError, RequestError, ServerError, UnreachableError
from ccs.flows.node.files import expanded
from ccs.flows.server.clock import told_time
from ccs.flows.server.variables import CONFLICT, NOT_FOUND, Reply

# httpx imports its own command line (with rich and click) and HTTP/2 when it can: more than half of its import time.
_UNUSED = [name for name in ("httpx._main", "h2") if name not in sys.modules]
sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]
import httpx  # noqa: E402

for _name in _UNUSED:
    del sys.modules[_name]

_PAUSES = (0.2, 0.6, 1.5)
"""Seconds before each retry; a person waits for them."""

_CROWDED = (0.1, 0.2, 0.4, 0.8, 1.2, 1.6, 2.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0)
"""Seconds, more or less, before each retry of what met others in the database: on SQLite one of them wins."""

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_TOLD_AT = 6
"""Such retries, after which a person is told what is waited for."""

_BUSY = frozenset({502, 503, 504})
_TOO_MANY = 429
_CSRF = b"CSRF token"
"""In what Prefect says with a 403 to a change without the token it protects itself with."""
_ROLLED_BACK = b'"exception_message"'
"""In what Prefect itself, and not something in front of it, says with a 503."""


Notify = Callable[[str, int], None]
"""Hears a note and its level: 0 for what everybody wants to know, 1 for every request."""


class Transport:
    """One connection to one server."""

    def __init__(self, settings: Settings, patience: float = 90, notify: Notify | None = None) -> None:
        """`patience`: seconds to wait for an answer; a server on SQLite may wait 60 for its database, then says 503.

        `notify` hears what is done on the way to a result; without it nobody does.
        """
        self.settings = settings
        self._notify = notify
        self.rehearsal: Rehearsal | None = None
        """With one, requests that write are kept by it and not sent."""
        self.server_time = datetime.now(UTC)
        """The server's clock at its last answer, to the second."""
        self.answered = False
        """Whether any request has had an answer."""
        address = httpx.URL(settings.api_url)
        plain = {"Accept-Encoding": "identity"} if address.host in _LOOPBACK else {}  # compressing costs more there
        self._path = address.path.rstrip("/")
        try:
            self._client = httpx.Client(
                base_url=address,
                headers={"User-Agent": "ccs", **plain, **settings.headers},
                timeout=httpx.Timeout(patience, connect=min(5, patience)),
                verify=_trust(settings) if address.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
                trust_env=address.host not in _LOOPBACK,  # no proxy leads to this machine itself
                follow_redirects=True,
            )
        except (ImportError, ValueError) as error:  # SOCKS, for which httpx needs another package
            why = str(error).partition(".")[0]
            raise RequestError(
                f"the proxy that the environment names cannot be used: {why}", f"try NO_PROXY={address.host}"
            ) from error

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def note(self, text: str, level: int = 0) -> None:
        """Tell who made this connection what is done for them, such as what is waited for."""
        if self._notify:
            self._notify(text, level)

    def get(self, path: str, **query: str | int | bool) -> Any:
        """What the server holds at a path."""
        if self.rehearsal:
            self.rehearsal.reading("GET", path, query)
        return self.request("GET", path, query=query, safe=True)

    def find(self, path: str) -> Json | None:
        """What the server holds at a path; None when there is nothing."""
        answer = self.ask("GET", path, changes=False, accept=NOT_FOUND)
        return None if answer.status == NOT_FOUND else dict(answer.content)

    def read(self, path: str, body: object) -> Any:
        """The answer to a question that is asked with POST and changes nothing."""
        return self.ask("POST", path, body, changes=False).content

    def post(self, path: str, body: object = None, safe: bool = False) -> Any:
        """Create or start something; `safe` when a second time would do no more than the first."""
        if self.rehearsal:
            return self.rehearsal.keep("POST", path, body)
        return self.request("POST", path, body, safe=safe)

    def add(self, path: str, body: object) -> Json | None:
        """Create something that has a name of its own; None when that is taken."""
        answer = self.ask("POST", path, body, accept=CONFLICT)
        return None if answer.status == CONFLICT else dict(answer.content)

    def patch(self, path: str, body: object) -> None:
        """Set fields: as safe to repeat as it is to do."""
        self.ask("PATCH", path, body)

    def delete(self, path: str) -> bool:
        """Delete something; False when it was not there (any more)."""
        return self.ask("DELETE", path, accept=NOT_FOUND).status != NOT_FOUND

    def ask(
        self, method: str, path: str, body: object = None, *, changes: bool = True, accept: int | None = None
    ) -> Reply:
        """The answer to a request, also one of the status `accept`; what `changes` anything is kept in a rehearsal."""
        if self.rehearsal and changes:
            return Reply(200, self.rehearsal.keep(method, path, body))
        if self.rehearsal:
            self.rehearsal.reading(method, path, body)
        try:
            return Reply(200, self.request(method, path, body, safe=not changes or method != "POST"))
        except RequestError as error:
            if accept is None or error.status != accept:
                raise
            return Reply(accept, None)

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, str | int | bool] | None = None,
        safe: bool = False,
    ) -> Any:
        """Send a request, again while the server is busy if that is safe, and give its answer.

        Raises RequestError, ServerError or UnreachableError.
        """
        pauses, crowded, tries, has_token = iter(_PAUSES), iter(_CROWDED), 0, False
        while True:
            started = time.monotonic()
            try:
                answer = self._client.request(method, path, json=body, params=query or None)
            except httpx.ConnectError as error:
                raise self._unreachable(error) from error
            except httpx.TransportError as error:
                self.note(f"{method} {path}: {type(error).__name__} {error}", level=1)
                if safe and not isinstance(error, httpx.TimeoutException) and _rest(pauses):
                    continue
                raise self._unreachable(error) from error
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise ServerError(
                    f"the server at {self.settings.api_url} answered what makes no sense: {error}",
                    f"is that ({self.settings.origin}) the API of a Prefect 3 server?",
                ) from error
            self.note(f"{method} {path} {answer.status_code} {(time.monotonic() - started) * 1000:.0f} ms", level=1)
            if answer.status_code == 403 and _CSRF in answer.content and not has_token and self._take_token():
                has_token = again = True
            elif _was_rolled_back(answer):
                tries += 1
                if tries == _TOLD_AT:
                    self.note("the server's database is busy; trying again …")
                again = _rest(crowded, random.uniform(0.5, 1.5))  # noqa: S311
            else:
                again = answer.status_code == _TOO_MANY or (safe and answer.status_code in _BUSY)
                again = again and _rest(pauses)
            if not again:
                return self._content(answer)

    def _take_token(self) -> bool:
        """Have the token that a server with CSRF protection wants with each change; whether it gave one."""
        client = str(uuid4())
        try:
            answer = self._client.get("/csrf-token", params={"client": client})
            self._client.headers.update({"Prefect-Csrf-Token": answer.json()["token"], "Prefect-Csrf-Client": client})
        except (httpx.HTTPError, ValueError, LookupError, TypeError):
            return False
        return True

    def _content(self, answer: httpx.Response) -> Any:
        self.answered = True
        if answer.history and answer.request.method != answer.history[0].request.method:
            place = str(answer.url).removesuffix(answer.history[0].request.url.path.removeprefix(self._path))
            raise ServerError(
                f"the server at {self.settings.api_url} sends what it is asked on to {answer.url}, where it is lost",
                f"is {place} the API? Then have {self.settings.origin} say so",
            )
        if told := told_time(answer.headers):
            self.server_time = told
        elif date := answer.headers.get("date"):
            self.note(f"the server's date {date!r} cannot be read", level=1)
        if not answer.is_success:
            raise self._failure(answer)
        if not answer.content:
            return None
        try:
            return answer.json()
        except (ValueError, RecursionError) as error:
            raise ServerError(
                f"{answer.url} answered with something else than JSON",
                f"is {self.settings.api_url} ({self.settings.origin}) the API of a Prefect server? It ends in /api",
            ) from error

    def _failure(self, answer: httpx.Response) -> CcsError:
        said, status = _sentence(answer), answer.status_code
        if status in (401, 403):
            return RequestError(
                f"the server at {self.settings.api_url} refused the login ({status}{': ' + said if said else ''})",
                "set PREFECT_API_AUTH_STRING (user:password), or PREFECT_API_KEY, to what the server expects",
                status,
            )
        if status == NOT_FOUND and said in ("", "Not Found"):
            return RequestError(
                f"there is nothing at {answer.url.path} on {self.settings.api_url}",
                f"if no address works, is that ({self.settings.origin}) a Prefect API? It ends in /api",
                status,
            )
        if 400 <= status < 500 and status != _TOO_MANY:
            return RequestError(f"the server refused: {said or answer.reason_phrase} ({status})", status=status)
        why = said or answer.reason_phrase or "no reason given"
        return ServerError(
            f"the server at {self.settings.api_url} failed: {why} ({status})",
            "try again; what went wrong is in the server's log",
        )

    def _unreachable(self, error: httpx.TransportError) -> UnreachableError:
        url, origin = self.settings.api_url, self.settings.origin
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return UnreachableError(
                f"the certificate of the server at {url} ({origin}) is not trusted: {_reason(error)}",
                "name the certificate of who signed it: export PREFECT_API_SSL_CERT_FILE=PATH",
            )
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return UnreachableError(
                f"no server answers at {url} ({origin}): {_reason(error)}",
                "start one with: ccs up -d" if not self.settings.flag_api_url else "check the address",
            )
        why = "it did not answer in time" if isinstance(error, httpx.TimeoutException) else "the connection broke off"
        return UnreachableError(
            f"no answer from the server at {url}: {why}", "look whether the change was made, then try again"
        )


def _trust(settings: Settings) -> ssl.SSLContext | bool:
    """Which certificates are good; RequestError when the file that should say so does not."""
    if not isinstance(file := settings.verify, str):
        return file
    try:
        return ssl.create_default_context(cafile=str(expanded(file)))
    except OSError as error:
        why = error.strerror or error
        raise RequestError(
            f"PREFECT_API_SSL_CERT_FILE names {file}, which cannot be used: {why}", "give a file of certificates in PEM"
        ) from error


def _was_rolled_back(answer: httpx.Response) -> bool:
    """Whether Prefect says that its database was locked, so that nothing of the request was done."""
    return answer.status_code == 503 and _ROLLED_BACK in answer.content


def _rest(pauses: Iterator[float], stretched: float = 1) -> bool:
    """Sleep for the next of the pauses; False when there is none left."""
    pause = next(pauses, None)
    if pause is not None:
        time.sleep(pause * stretched)
    return pause is not None


def _reason(error: Exception) -> str:
    return str(error).removeprefix("[Errno -2] ").removeprefix("[Errno 111] ") or "no connection"


def _sentence(answer: httpx.Response) -> str:
    """What the server said about a failure, in one line; empty when it said nothing readable."""
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        return ""
    if not isinstance(body, dict):
        return ""
    detail = body.get("exception_detail") or body.get("detail") or body.get("exception_message") or ""
    if isinstance(detail, list):
        items = [item for item in detail if isinstance(item, dict)]
        return "; ".join(f"{'.'.join(map(str, i.get('loc', [])[1:]))}: {i.get('msg', '')}" for i in items)
    return " ".join(str(detail).split())[:1000]
