"""Which login is which person of the lab's own tab. Pure."""

import re
from collections.abc import Iterable
from typing import NamedTuple

SELF_DECLARED = " (self-declared)"
"""Follows a name that a person entered on the page: it is shown with what they do, and proves nothing."""

_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


class Contact(NamedTuple):
    """A person of the tab, and the mail address beside the name."""

    person: str
    address: str


def contact_of(person: str, cell: str) -> list[Contact]:
    """The person with the one mail address that a cell holds; empty: it holds none, or several."""
    found = set(_ADDRESS.findall(cell.casefold()))
    return [Contact(person, found.pop())] if len(found) == 1 else []


def address_of(login: str, contacts: Iterable[Contact]) -> str | None:
    """The address that begins with the login, else that of the one person whose login it looks like.

    None where there is no such address, or more than one.
    """
    known = list(contacts)
    exact = {one.address for one in known if one.address.partition("@")[0] == login.casefold()}
    found = exact or {one.address for one in known if is_login_of(login, one.person)}
    return found.pop() if len(found) == 1 else None


def name_of(person: str) -> str:
    """The name of a person, without the mark of one who entered it on the page."""
    return person.removesuffix(SELF_DECLARED)


def person_of(name: str) -> str:
    """The same for all names of a person: `lee` for `lee`, the login, and `Lee (self-declared)`, entered on the page.

    It is for what everybody has a share of. What needs an identity that is proved looks at the name itself.
    """
    return name_of(name).casefold()


def is_login_of(login: str, person: str) -> bool:
    """Whether a login looks like that person's: `lee`, `kimlee` and `klee` are Kim Lee's."""
    words = _words(person)
    return bool(words) and login.casefold() in {*words, "".join(words), words[0][0] + words[-1]}


def is_same_person(asker: str, person: str) -> bool:
    """Whether two logins, addresses or names look like the same person's."""
    return is_login_of("".join(_words(asker)), person) or is_login_of("".join(_words(person)), asker)


def _words(person: str) -> list[str]:
    return re.findall(r"\w+", person.casefold().split("@", maxsplit=1)[0])
