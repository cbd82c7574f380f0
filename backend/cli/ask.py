"""Questions to a person at the terminal; in a script, each names the option that answers it."""

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

import click

from backend.cli.show import say
from backend.errors import InvalidError, SheetrackError

Answer = TypeVar("Answer")


def is_person() -> bool:
    """Whether a person at a terminal can answer."""
    return sys.stdin.isatty()


def ask(question: str, option: str, understand: Callable[[str], Answer], default: str = "") -> Answer:
    """Asks until `understand` takes the answer; what it raises is shown.

    Raises:
        InvalidError: there is no terminal; the hint names `option`.
    """
    while True:
        if not is_person():
            raise InvalidError(f"{question}: this needs a terminal to answer.", f"Give {option}.")
        answer: str = click.prompt(question, default=default, show_default=bool(default))
        try:
            return understand(answer.strip())
        except SheetrackError as error:
            failed(error)


def choose(question: str, option: str, choices: Sequence[str], default: int) -> int:
    """Lists `choices` and asks for the number of one, from 1. `default` 0 asks for none."""
    for number, choice in enumerate(choices, start=1):
        say(f"  {number:2}  {choice}")

    def number_in(answer: str) -> int:
        if answer.isascii() and answer.isdigit() and 0 <= int(answer) <= len(choices):
            return int(answer)
        raise InvalidError(f"{answer[:50]!r} is not one of the numbers.", f"Type 0 to {len(choices)}.")

    return ask(question, option, number_in, str(default))


def confirm(question: str, *, default: bool) -> bool:
    """A yes or no; without a terminal, `default`."""
    return click.confirm(question, default=default) if is_person() else default


def done(sentence: str) -> None:
    """A step that worked."""
    say(f"✓ {sentence}")


def failed(error: SheetrackError) -> None:
    """A step that did not."""
    say(f"✕ {error}")
