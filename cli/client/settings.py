"""Where the server is and how to log in: flag, environment, Prefect's profile file, default."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ccs.cli.errors import RequestError
from ccs.flows.node.files import expanded
from ccs.flows.node.identity import state_folder

DEFAULT_API_URL = "http://127.0.0.1:4200/api"
_BUILT_IN = {"local": {"PREFECT_API_URL": DEFAULT_API_URL}}  # profiles that Prefect knows without a file


@dataclass(frozen=True)
class Settings:
    """Settings of one call, each read when it is asked for."""

    env: Mapping[str, str]
    flag_api_url: str | None = None

    @property
    def api_url(self) -> str:
        """The address of the Prefect API, without a slash at the end and a login; RequestError when it is none."""
        return self._address[0]

    @cached_property
    def _address(self) -> tuple[str, str]:
        """The address without its login, and the login in it, such as user:password."""
        url = (self._api_url[0].strip() or DEFAULT_API_URL).rstrip("/")
        plain, login = split_login(url)
        try:
            parts = urlsplit(plain)
            good = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
        except ValueError:
            good = False
        if not good:
            raise RequestError(
                f"the server's address {plain!r} ({self.origin}) is not an http or https address",
                f"give it like {DEFAULT_API_URL}",
            )
        return plain, login

    def at(self, url: str) -> "Settings":
        """The same for the server at this address."""
        return self if url == self.api_url else Settings(self.env, url)

    def environment_for(self, url: str) -> dict[str, str]:
        """What tells another program of this machine of the server; a login never in the address, which it may log."""
        login = self._basic if url == self.api_url and self._address[1] else ""
        return {"PREFECT_API_URL": url, **({"PREFECT_API_AUTH_STRING": login} if login else {})}

    @property
    def _basic(self) -> str:
        """The user:password to log in with; one in the address gives way to every other login."""
        return self.value("PREFECT_API_AUTH_STRING") or ("" if self.value("PREFECT_API_KEY") else self._address[1])

    @property
    def configured(self) -> bool:
        """Whether somebody said where the server is."""
        return bool(self._api_url[0])

    @property
    def origin(self) -> str:
        """Who said where the server is, in words."""
        return self._api_url[1]

    @property
    def ui_url(self) -> str:
        """The address of Prefect's web page."""
        given = self.value("PREFECT_UI_URL")
        return given.rstrip("/") if given else self.api_url.removesuffix("/api")

    @property
    def pool(self) -> str:
        """The work pool that new jobs and nodes use."""
        return self.env.get("CCS_POOL") or "ccs"

    @property
    def home(self) -> Path:
        """Folder of ccs's own state: process files and logs of what `ccs up` started."""
        return state_folder(self.env)

    @property
    def headers(self) -> dict[str, str]:
        """What a request carries to log in."""
        from base64 import b64encode

        headers: dict[str, str] = {}
        if custom := self.value("PREFECT_CLIENT_CUSTOM_HEADERS"):
            try:
                headers.update({str(k): str(v) for k, v in json.loads(custom).items()})
            except (ValueError, AttributeError) as error:
                raise RequestError("PREFECT_CLIENT_CUSTOM_HEADERS is not a JSON object") from error
        if login := self._basic:
            headers["Authorization"] = "Basic " + b64encode(login.encode()).decode()
        elif key := self.value("PREFECT_API_KEY"):
            headers["Authorization"] = f"Bearer {key}"
        for name, value in headers.items():
            if not (name + value).isascii() or not (name + value).isprintable():
                raise RequestError(
                    f"the header {name[:40]!r} holds what no header may", "look for a line break in the settings of it"
                )
        return headers

    @property
    def verify(self) -> bool | str:
        """Whether, or with which file, the server's certificate is checked."""
        if self.value("PREFECT_API_TLS_INSECURE_SKIP_VERIFY").lower() in ("1", "true", "yes", "on"):
            return False
        return self.value("PREFECT_API_SSL_CERT_FILE") or True

    def value(self, name: str) -> str:
        """A setting of Prefect: from the environment, or else from its active profile; empty when unset."""
        if name in self.env:
            return self.env[name]
        return self.profile.get(name, "")

    @property
    def profiles_path(self) -> Path:
        """Prefect's profile file."""
        path = self.env.get("PREFECT_PROFILES_PATH")
        return expanded(path) if path else self._prefect_home / "profiles.toml"

    @cached_property
    def active_profile(self) -> str:
        """The name of Prefect's active profile; empty when none is chosen."""
        return self.env.get("PREFECT_PROFILE") or str(self._profiles.get("active") or "")

    @cached_property
    def profile(self) -> Mapping[str, str]:
        """What Prefect's active profile sets."""
        profiles = self._profiles.get("profiles")
        found = profiles.get(self.active_profile) if isinstance(profiles, dict) else None
        if not isinstance(found, dict):
            return _BUILT_IN.get(self.active_profile, {})
        return {k: str(v) for k, v in found.items()}

    @cached_property
    def _profiles(self) -> Mapping[str, object]:
        import tomllib

        try:
            return tomllib.loads(self.profiles_path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise RequestError(f"Prefect's profile file {self.profiles_path} cannot be read: {error}") from error

    @cached_property
    def _api_url(self) -> tuple[str, str]:
        if self.flag_api_url:
            return self.flag_api_url, "--api-url"
        for name in ("CCS_API_URL", "PREFECT_API_URL"):
            if self.env.get(name):
                return self.env[name], name
        url = self.profile.get("PREFECT_API_URL", "")
        return url, f"profile {self.active_profile!r} in {self.profiles_path}" if url else "default"

    @property
    def _prefect_home(self) -> Path:
        return expanded(self.env.get("PREFECT_HOME") or "~/.prefect")


def load(api_url: str | None = None) -> Settings:
    """The settings of this process."""
    return Settings(os.environ, api_url)


def split_login(url: str) -> tuple[str, str]:
    """An address without the login in it, and that login, such as user:password; it must never be shown."""
    scheme, slashes, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    login, _, host = host.rpartition("@")
    return f"{scheme}{slashes}{host}{slash}{path}", unquote(login)
