import pytest

from backend.servers.logins import Contact, address_of, contact_of, is_login_of, is_same_person, person_of


@pytest.mark.parametrize("login", ["lee", "kim", "kimlee", "KLee"])
def test_logins_of_a_person(login: str) -> None:
    assert is_login_of(login, "Kim Lee")
    assert is_login_of(login, "kim.lee@lab.example")
    assert not is_login_of(login, "Max Muster")
    assert not is_login_of(login, "?")


@pytest.mark.parametrize("asker", ["kim", "klee", "kim@lab.example", "kim.lee@lab.example", "Kim Lee"])
def test_who_asks_may_be_who_reserved(asker: str) -> None:
    assert is_same_person(asker, "Kim Lee")
    assert is_same_person(asker, "kim") == (asker != "klee")
    assert not is_same_person(asker, "Max")
    assert not is_same_person("", "Kim Lee")
    assert not is_same_person(asker, "?")


@pytest.mark.parametrize("name", ["kim", "Kim Lee", "Kim"])
def test_a_name_that_was_entered_on_the_page_is_that_of_the_login(name: str) -> None:
    entered = f"{name} (self-declared)"
    assert person_of(entered) == person_of(name) == name.casefold()
    assert is_same_person(person_of(entered), "Kim Lee")
    assert is_same_person(person_of(entered), "kim")
    assert not is_same_person(person_of(entered), "Max")


@pytest.mark.parametrize(
    ("cell", "address"),
    [
        ("kim@lab.example", "kim@lab.example"),
        ("Kim Lee <Kim.Lee@lab.example>", "kim.lee@lab.example"),
        ("mailto:kim@lab.example", "kim@lab.example"),
        ("kim@lab.example, lee@lab.example", None),
        ("kim@lab", None),
        ("Kim", None),
        ("", None),
    ],
)
def test_the_one_address_of_a_cell(cell: str, address: str | None) -> None:
    assert contact_of("Kim", cell) == ([Contact("Kim", address)] if address else [])


def test_the_address_of_a_login_is_known_or_none_is_used() -> None:
    kim, lee = Contact("Kim Lee", "k.lee@lab.example"), Contact("Max Lee", "max@lab.example")
    assert address_of("kim", [kim, kim, lee]) == "k.lee@lab.example"
    assert address_of("max", [kim, lee]) == "max@lab.example"
    assert address_of("lee", [kim, lee]) is None  # both are called so
    assert address_of("root", [kim, lee]) is None
    exact = Contact("the student", "lee@lab.example")
    assert address_of("lee", [kim, lee, exact]) == "lee@lab.example"
