"""The addresses that people copy from their browser, and what each turns out to be."""

import re

from backend.errors import InvalidError

_ID = re.compile(r"[A-Za-z0-9_-]{25,100}")
_COPY = "Open the spreadsheet in the browser and copy the whole address from there."
_KINDS = {
    "document": "a text document",
    "presentation": "a presentation",
    "forms": "a form",
    "drawings": "a drawing",
}
_MANAGE = (
    "In the script choose Deploy > Manage deployments and copy the address under Web app; it ends in /exec."
)
_WEB_APP = re.compile(
    r"https://script\.google\.com/(?:a/)?(?:macros/)?(?:[\w.-]+/)?(?:macros/)?s/[\w-]+/exec"
)
_DEPLOYMENT_ID = re.compile(r"AKfy[\w-]{20,}")
_LOOPBACK = re.compile(r"http://127\.0\.0\.1:\d+/\S*/exec")


def spreadsheet_id(text: str) -> str:
    """The ID in the address of a spreadsheet, or `text` itself where it is one.

    Raises:
        InvalidError: it is neither; the sentence says what it is instead, where that can be seen.
    """
    text = text.strip()
    if not text:
        raise InvalidError("No address of a spreadsheet was given.", _COPY)
    if _ID.fullmatch(text):
        return text
    if "/spreadsheets/d/e/" in text:
        raise InvalidError("That is the published copy of a spreadsheet, which cannot be written.", _COPY)
    kind = re.search(r"docs\.google\.com/(?:a/[^/]+/)?(\w+)/", text)
    if kind and kind[1] in _KINDS:
        raise InvalidError(f"That is the address of {_KINDS[kind[1]]}, not of a spreadsheet.", _COPY)
    found = re.search(r"docs\.google\.com/(?:a/[^/]+/)?spreadsheets/(?:u/\d+/)?d/([^/?#\s]+)", text)
    if found and _ID.fullmatch(found[1]):
        return found[1]
    raise InvalidError(f"{text[:100]!r} is not the address of a Google spreadsheet.", _COPY)


def web_app_address(text: str) -> str:
    """The address of a deployed web app; a deployment's ID will do.

    Raises:
        InvalidError: it is neither.
    """
    text = text.strip()
    if _DEPLOYMENT_ID.fullmatch(text):
        return f"https://script.google.com/macros/s/{text}/exec"
    address = text.split("?")[0].rstrip("/")
    if _WEB_APP.fullmatch(address) or _LOOPBACK.fullmatch(address):
        return address
    if address.endswith("/dev"):
        raise InvalidError("That is the script's test address, which only its owner can open.", _MANAGE)
    if re.search(r"script\.google\.com/.*(/edit|/projects/|/home)", text):
        raise InvalidError("That is the address of the script's editor.", _MANAGE)
    raise InvalidError(f"{text[:100]!r} is not the address of a web app.", _MANAGE)


def public_address(text: str) -> str:
    """The address under which Google's servers find the backend, without a slash at its end.

    Raises:
        InvalidError: Google could not call it.
    """
    address = text.strip().rstrip("/")
    found = re.fullmatch(r"(https)://([^/?#\s:@]+)(:\d+)?", address, re.IGNORECASE)
    if found is None:
        raise InvalidError(
            f"{text.strip()[:100]!r} is not an address that Google can call.",
            "It begins with https:// and has nothing behind the name, such as https://gpu1.tail0123.ts.net",
        )
    host = found[2].casefold()
    if host == "localhost" or host.endswith(".local") or re.fullmatch(r"(127|10|192\.168)\.[\d.]+", host):
        raise InvalidError(
            f"Google's servers cannot reach {host}.", "Use the address that the tunnel printed."
        )
    return f"https://{host}{found[3] or ''}"
