"""Which values look like secrets, by the name of their variable or field, or by themselves."""

import re

MIN_SECRET = 6
"""Characters. To hide a shorter text would shred every log, so a shorter secret is refused."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_ALWAYS = re.compile(r"PASSW|PASSPHRASE|PASSCODE|SECRET|CREDENTIAL|TOKENS?$|AUTHORIZATION")
"""In a word of a name."""

_WHOLE = re.compile(
    r"(API|ACCESS|SECRET|PRIVATE|PRIV|SSH|GPG|SIGNING|ENCRYPTION|MASTER)?KEYS?"
    r"|(BASIC|O)?AUTH|COOKIES?|CREDS?|SIGNATURE|PIN|(SSH|DB|PG|MYSQL|SMTP)?PASS"
)
"""A whole word of a name."""

_LAST = re.compile(r"PWD|PAT|PRIVATE")
"""The last word of several."""

_TYPED = re.compile(r"PASS|^PIN$|PWD$")
"""In a word of the name of what people type, which may be a number."""

_ABOUT = re.compile(
    r"MODE|TYPE|METHOD|NAME|USER|USERNAME|EMAIL|FILE|PATH|DIR|FOLDER|STORE|SOCK|SOCKET|URL|URI|HOST|PORT|ENDPOINT|DOMAIN|REGION"
    r"|REALM|ISSUER|AUDIENCE|SCOPES?|PROVIDER|HELPER|COMMAND|CMD|ALG|ALGORITHM|FORMAT|VERSION|LENGTH|SIZE|COUNT|LIMIT"
    r"|TIMEOUT|TTL|EXPIRY|ENABLED|DISABLED|REQUIRED|SAMESITE"
)
"""The last word of the name of a setting that is about a secret."""

_OPEN_KEY = re.compile(r"PUBLIC|PUBLISHABLE|ANON|CACHE|SORT|PARTITION")
"""The word before KEY, where the key is no secret."""

_SETTING = re.compile(r"[+-]?\d{1,15}(\.\d+)?|true|false|yes|no|on|off|none|null|auto", re.IGNORECASE)
"""A number or a switch; a number of more digits may be a key."""

_PLACE = re.compile(r"(~|\$HOME|/(home|Users|root|etc|opt|usr|var|run|tmp|mnt|srv))/")
"""The beginning of a path; base64 may begin with a slash, too."""

_VALUE = re.compile(
    r"://[^/\s:@]*:[^/\s@]+@"  # the login in a URL
    r"|(^|[?&;,\s])[\w-]*(password|passwd|pwd|secret|token|api[-_]?key|accountkey|authorization|signature)=[^\s&;,]"
    r"|\b(Bearer|Basic)\s+[\w.~+/=-]{6}|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(sk-[a-z]+-|gh[opsu]_|github_pat_|glpat-|xox[abpr]-)\w",
    re.IGNORECASE,
)


def is_sensitive(name: str, value: str) -> bool:
    """Whether the value of a variable or a field that is not declared secret looks like one."""
    if not value:
        return False
    if _VALUE.search(value):
        return True
    words = [word.upper() for word in _WORD.findall(name)]
    if not words or _ABOUT.fullmatch(words[-1]) or not _is_told(words):
        return False
    if any(map(_TYPED.search, words)):
        return True
    return not (_SETTING.fullmatch(value) or _PLACE.match(value))


def is_undeclared_secret(name: str, value: str) -> bool:
    """Whether a value that is not declared secret looks like one, and is long enough to be kept as one."""
    return len(value) >= MIN_SECRET and is_sensitive(name, value)


def _is_told(words: list[str]) -> bool:
    """Whether a name says that it is a secret's."""
    if any(map(_ALWAYS.search, words)) or (len(words) > 1 and _LAST.fullmatch(words[-1])):
        return True
    found = [place for place, word in enumerate(words) if _WHOLE.fullmatch(word)]
    return any(not (place and _OPEN_KEY.fullmatch(words[place - 1])) for place in found)
