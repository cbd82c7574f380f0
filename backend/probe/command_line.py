"""Command lines as a lab may see them: the program, and the script or module that it runs.

Other arguments are never shown: any of them may hold a password, a token or a key.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_ARGUMENTS = 32  # the script of an interpreter comes earlier
_LONGEST_PATH = 4096  # of Linux
_NAME = re.compile(r"[\w.+@][\w.+@:-]{0,79}")
_MODULE = re.compile(r"[A-Za-z_][\w.]{0,79}")
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*t?")
_SHELL = re.compile(r"(?:ba|da|z|k|a)?sh")
_OTHERS = re.compile(r"(?:perl|ruby|node|php|lua|julia|Rscript|octave)[\d.]*")
_PYTHON_FLAGS = frozenset("bBdEhiIOPqRsSuvVx")  # they take no value
_SHELL_FLAGS = frozenset("abefhiklmnuvxBCEHPT")


def short_command(arguments: Sequence[str]) -> str:
    """`python train.py`, `python -m torch.distributed.run`, `bash run.sh` or just the program's name.

    Args:
        arguments: the program and its arguments, as the process was started.

    Returns:
        Names without their folders. Empty where the program has no name that can be shown.
    """
    # A process may replace its arguments with a text, such as `nginx: worker process`.
    title = arguments[0].split(maxsplit=1) if arguments else []
    if not title:
        return ""
    program = _file_name(title[0].strip("-:()[]"))
    script = "" if title[0].endswith(":") else _script(program, arguments[1:_ARGUMENTS])
    return f"{program} {script}" if script else program


def _script(program: str, arguments: Sequence[str]) -> str:
    """The script or module that an interpreter runs; empty where it runs none, or that is not certain."""
    if _PYTHON.fullmatch(program):
        return _python_script(arguments)
    if _SHELL.fullmatch(program):
        return _shell_script(arguments)
    if _OTHERS.fullmatch(program) and arguments and not arguments[0].startswith("-"):
        return _file_name(arguments[0])
    return ""


def _python_script(arguments: Sequence[str]) -> str:
    """https://docs.python.org/3/using/cmdline.html."""
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-"):
            return _file_name(argument)
        if argument.startswith("--"):
            return ""
        for at, flag in enumerate(argument[1:], 2):
            if flag in _PYTHON_FLAGS:
                continue
            value = argument[at:] or next(rest, "")
            if flag == "m" and _MODULE.fullmatch(value):
                return f"-m {value}"
            if flag not in "WX":
                return ""
            break
        else:
            if argument == "-":
                return ""
    return ""


def _shell_script(arguments: Sequence[str]) -> str:
    """https://pubs.opengroup.org/onlinepubs/9799919799/utilities/sh.html."""
    for argument in arguments:
        if not argument.startswith(("-", "+")):
            return _file_name(argument)
        if argument != "--login" and (len(argument) == 1 or not _SHELL_FLAGS.issuperset(argument[1:])):
            return ""
    return ""


def _file_name(path: str) -> str:
    if len(path) > _LONGEST_PATH or "://" in path:
        return ""
    name = path.rstrip("/").rsplit("/", 1)[-1]
    return name if _NAME.fullmatch(name) else ""
