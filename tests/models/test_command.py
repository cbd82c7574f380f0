import pytest
from pydantic import ValidationError

from models.command import Command


def test_the_program_is_started_with_the_arguments_that_were_typed() -> None:
    command = Command(
        command="python train.py --lr 0.1 --name 'a|b $HOME' --url \"x?a=1&b=2\"", folder="/study"
    )
    assert command.arguments == [
        "python", "train.py", "--lr", "0.1", "--name", "a|b $HOME", "--url", "x?a=1&b=2",
    ]  # fmt: skip
    assert Command(command="a | b", folder="~/study", shell=True).arguments == ["/bin/sh", "-c", "a | b"]


@pytest.mark.parametrize(
    "text", ["a | b", "a > log", "a; b", "a && b", "echo $HOME", "X=1 a", "echo `date`", "echo $(date)"]
)
def test_what_only_a_shell_understands_is_refused_without_one(text: str) -> None:
    with pytest.raises(ValidationError, match="means something to a shell only"):
        Command(command=text, folder="/study")
    assert Command(command=text, folder="/study", shell=True).command == text


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"command": 'a "b'}, "a quote is not closed"),
        ({"command": "  "}, "name a program"),
        ({"command": "a\0b"}, "name a program"),
        ({"folder": "study"}, "give a full path"),
        ({"folder": "/study\n"}, "control characters"),
        ({"environment": "a\x1b"}, "control characters"),
    ],
)
def test_what_cannot_be_started_is_refused(wrong: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Command.model_validate({"command": "a", "folder": "/study"} | wrong)


def test_the_title_is_one_short_line_of_text() -> None:
    assert Command(command="python a.py", folder="/", name="study 3").title == "study 3"
    title = Command(command=f"echo \x1b[2J\n{'x' * 100}", folder="/", shell=True).title
    assert title.startswith("echo \N{REPLACEMENT CHARACTER}[2J xxx")
    assert len(title) == 60
