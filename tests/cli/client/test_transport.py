"""How a server is reached: behind TLS, below a path, through something that tells the time in its own way."""

import datetime
import ipaddress
import ssl
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ccs.cli.client.records import Worker
from tests.fakes.records import NODE
from tests.fakes.server import Answer, bad, gives
from tests.worlds.cli import Cli

ALIVE: Worker = {**NODE, "name": "n", "last_heartbeat_time": "2026-11-21T17:12:00+00:00"}
EMPTY = gives(200, {"results": [], "count": 0})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that nobody signed, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(secret + made.public_bytes(pem))
    return path


def test_a_certificate_of_ones_own_is_trusted_when_it_is_named(certificate: Path, tmp_path: Path) -> None:
    with bad(EMPTY) as (server, ccs):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
        url = server.url.replace("http://", "https://").replace("/api", "/team/api")
        said = ccs("jobs", "list", PREFECT_API_URL=url)
        assert said.code == 3
        assert "is not trusted" in said.err
        assert "PREFECT_API_SSL_CERT_FILE" in said.err
        ccs.ok("jobs", "list", PREFECT_API_URL=url, PREFECT_API_SSL_CERT_FILE=str(certificate))
        ccs.ok("jobs", "list", PREFECT_API_URL=url, PREFECT_API_TLS_INSECURE_SKIP_VERIFY="true")
        for path in (tmp_path / "none.pem", Path(__file__)):
            said = ccs("jobs", "list", PREFECT_API_URL=url, PREFECT_API_SSL_CERT_FILE=str(path))
            assert (said.code, f"PREFECT_API_SSL_CERT_FILE names {path}, which cannot be used" in said.err) == (1, True)
    assert server.asked == ["POST /team/api/deployments/paginate"] * 2


def dated(date: str, body: object) -> Answer:
    """An answer that tells the time like that."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.date_time_string = lambda timestamp=None: date  # type: ignore[method-assign]
        gives(200, body)(request)

    return answer


@pytest.mark.parametrize("date", ["Sat, 21 Nov 2026 17:12:20 -0000", "2026-11-21, 2026-11-21", "", "noon"])
def test_a_server_may_tell_the_time_as_it_likes(date: str) -> None:
    with bad(dated(date, {}), dated(date, [ALIVE])) as (_, ccs):
        assert [node["name"] for node in ccs.ok("nodes", "list", "--all").json["nodes"]] == ["n"]


def test_a_server_that_protects_itself_from_forged_requests_gets_its_token() -> None:
    refused, token = gives(403, {"detail": "Missing CSRF token."}), gives(200, {"token": "t-1", "client": "c"})
    with bad(refused, token, EMPTY) as (server, ccs):
        ccs.ok("jobs", "list")
    asked = [line.partition("?")[0] for line in server.asked]
    assert asked == ["POST /api/deployments/paginate", "GET /api/csrf-token", "POST /api/deployments/paginate"]
    sent = {name.lower(): value for name, value in server.headers[2].items()}
    assert sent["prefect-csrf-token"] == "t-1"
    assert sent["prefect-csrf-client"] == server.asked[1].partition("client=")[2]


@pytest.mark.parametrize("token", [gives(422, {"detail": "disabled"}), gives(200, ["x"]), gives(200, {"token": "t"})])
def test_a_token_is_asked_for_once(token: Answer) -> None:
    refused = gives(403, {"detail": "Missing CSRF token."})
    with bad(refused, token, refused) as (server, ccs):
        said = ccs("jobs", "list")
    assert (said.code, "Missing CSRF token" in said.err) == (1, True)
    assert len([line for line in server.asked if "csrf-token" in line]) == 1


def test_a_server_that_has_moved_is_told_with_its_new_address() -> None:
    def moved(request: BaseHTTPRequestHandler) -> None:
        request.send_response(301)
        request.send_header("Location", f"{new.url}/deployments/paginate")
        request.send_header("Content-Length", "0")
        request.end_headers()

    with bad(gives(405, {"detail": "Method Not Allowed"})) as (new, _), bad(moved) as (_, ccs):
        said = ccs("jobs", "list")
    assert said.code == 2
    assert f"sends what it is asked on to {new.url}/deployments/paginate, where it is lost" in said.err
    assert f"is {new.url} the API? Then have PREFECT_API_URL say so" in said.err


def test_no_proxy_leads_to_this_machine_and_one_that_cannot_be_used_is_told() -> None:
    for name in ("ALL_PROXY", "http_proxy"):
        for proxy in ("socks5://127.0.0.1:9", "http://127.0.0.1:9"):
            with bad(EMPTY) as (_, ccs):
                ccs.ok("jobs", "list", **{name: proxy})
    said = Cli({})("jobs", "list", PREFECT_API_URL="http://prefect.invalid/api", ALL_PROXY="socks5://127.0.0.1:9")
    assert said.code == 1
    assert "the proxy that the environment names cannot be used: Using SOCKS proxy" in said.err
    assert "NO_PROXY=prefect.invalid" in said.err
