"""Command lines as a lab may see them: short, and without what looks like a secret."""

import re
from collections.abc import Sequence

_LENGTH = 80
_READ_CHARACTERS = 2000  # of a command line that may be megabytes

_NAME = (
    r"[\w.-]*(?:passw(?:or)?d|passphrase|secret|api[-_.]?key|access[-_.]?key|private[-_.]?key|credential"
    r"|authorization|bearer)[\w.-]*"
    r"|[\w.-]*(?:token|auth|pwd|pass|signature)"
)
_VALUE = r"(?:\"[^\"]*\"|'[^']*'|[^\s&\"']+)"
_OPTION = re.compile(rf"--?(?:{_NAME})", re.IGNORECASE)
_HIDDEN = (
    # Authorization: Bearer abc
    (
        re.compile(rf"\b((?:{_NAME})[\"']?\s*:\s*)(?:(?:bearer|basic|token)\s+)?{_VALUE}", re.IGNORECASE),
        r"\1***",
    ),
    # --password abc, inside a longer text such as a shell's -c
    (re.compile(rf"((?<!\S)--?(?:{_NAME})\s+){_VALUE}", re.IGNORECASE), r"\1***"),
    # api_key=abc, ?token=abc
    (re.compile(rf"\b((?:{_NAME})=){_VALUE}", re.IGNORECASE), r"\1***"),
    # https://user:abc@server
    (re.compile(r"(://)[^/\s@]+@"), r"\1***@"),
    # keys known by their shape
    (
        re.compile(
            r"\b(?:hf_|sk-|ghp_|gho_|github_pat_|glpat-|xox[abps]-|AKIA|eyJ)[\w.-]{10,}"
            r"|(?<![\w/])(?=\w*\d)(?=\w*[A-Za-z])\w{32,}(?![\w/])"
        ),
        "***",
    ),
)
# Clients that carry credentials in forms of their own (-p, -u); their arguments are nobody's business.
_SECRETIVE = re.compile(r"(curl|wget|sshpass|docker|podman|mysql\w*|psql|mongo\w*|redis-cli|ldap\w+)$")


def short_command(arguments: Sequence[str]) -> str:
    """At most 80 characters: folders of the program and its script left out, secrets as `***`."""
    shown: list[str] = []
    size = 0
    for argument in arguments:
        if shown and _OPTION.fullmatch(shown[-1]):
            shown.append("***")
        else:
            shown.append(argument[:_READ_CHARACTERS])
        size += len(shown[-1])
        if size > _READ_CHARACTERS:
            break
    if not shown:
        return ""
    shown[0] = _base_name(shown[0])
    if _SECRETIVE.match(shown[0]):
        return shown[0]
    if len(shown) > 1 and shown[1].startswith("/"):
        shown[1] = _base_name(shown[1])
    text = " ".join(" ".join(shown).split())
    for pattern, replacement in _HIDDEN:
        text = pattern.sub(replacement, text)
    return text if len(text) <= _LENGTH else f"{text[: _LENGTH - 1]}…"


def _base_name(path: str) -> str:
    return path.rsplit("/", 1)[-1] or path
