"""Servers, GPUs and people as labs write them."""

import pytest

from backend.servers.reservations_names import Names, Part, gpus_of, person_of

NAMES = Names(["gpu1", "gpu2", "gpu-10", "Atlas", "gpu3.lab.example", "01"])


def parts(text: str) -> list[tuple[str, tuple[int, ...] | None]]:
    return [(part.server, part.gpus) for part in NAMES.parts(text)]


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("GPU1", "gpu1"),
        ("gpu 1", "gpu1"),
        ("gpu-01", "gpu1"),
        ("gpu_1", "gpu1"),
        ("gpu1.lab.example", "gpu1"),
        ("gpu1 (10.0.0.1)", "gpu1"),
        ("gpu1 (4x A100)", "gpu1"),
        ("ｇｐｕ１", "gpu1"),
        ("gpu10", "gpu-10"),
        ("gpu3", "gpu3.lab.example"),
        ("GPU 03", "gpu3.lab.example"),
        ("atlas the old one", "Atlas"),
        ("gpu1 or later", "gpu1"),
        ("atlas (basement)", "Atlas"),
        ("1", "01"),
    ],
)
def test_a_server(text: str, server: str) -> None:
    assert parts(text) == [(server, None)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gpu1:0-3", [("gpu1", (0, 1, 2, 3))]),
        ("gpu1: 0, 2", [("gpu1", (0, 2))]),
        ("gpu1/0", [("gpu1", (0,))]),
        ("gpu1[0-1]", [("gpu1", (0, 1))]),
        ("gpu1 #2", [("gpu1", (2,))]),
        ("gpu1 GPU 0-1", [("gpu1", (0, 1))]),
        ("gpu1 GPUs 0 and 2", [("gpu1", (0, 2))]),
        ("atlas (GPU 1)", [("Atlas", (1,))]),
        ("gpu1 0-3", [("gpu1", (0, 1, 2, 3))]),
        ("gpu1:all", [("gpu1", None)]),
        ("gpu1, gpu2", [("gpu1", None), ("gpu2", None)]),
        ("gpu1 & atlas", [("gpu1", None), ("Atlas", None)]),
        ("gpu1 and gpu2", [("gpu1", None), ("gpu2", None)]),
        ("gpu1 gpu2", [("gpu1", None), ("gpu2", None)]),
        ("gpu1-3", [("gpu1", None), ("gpu2", None), ("gpu3.lab.example", None)]),
        ("gpu1 to gpu2", [("gpu1", None), ("gpu2", None)]),
        ("gpu[1-2]", [("gpu1", None), ("gpu2", None)]),
        ("gpu1:0,1; gpu2:3", [("gpu1", (0, 1)), ("gpu2", (3,))]),
    ],
)
def test_several_servers_and_gpus(text: str, expected: list[tuple[str, tuple[int, ...] | None]]) -> None:
    assert parts(text) == expected


@pytest.mark.parametrize("text", ["gpu99", "hera", "node-7", "gpu9:0-1"])
def test_a_name_that_is_near_to_none_may_be_of_a_server_that_is_not_set_up(text: str) -> None:
    [part] = NAMES.parts(text)
    assert part.server == text.partition(":")[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("gup1", "no server is called 'gup1'; the nearest is gpu1"),
        ("atals", "no server is called 'atals'; the nearest is Atlas"),
        ("gpu1, gup2", "no server is called 'gup2'; the nearest is gpu2"),
        ("see the other sheet", "no server is called 'see the other sheet'"),
        ("atlas, the old one", "no server is called 'the old one'"),
        ("gpu1:99", "no GPUs in '99'"),
        ("?", "no server is called '?'"),
        ("2026-01-02", "no server is called '2026-01-02'"),
    ],
)
def test_a_server_that_is_not_there(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r"^no ") as told:
        parts(text)
    assert str(told.value) == reason


def test_a_name_that_may_be_of_two_servers_is_told() -> None:
    names = Names(["gpu4", "gpu-4"])
    assert names.parts("GPU-4") == [Part("gpu-4", None)]
    with pytest.raises(ValueError, match="'gpu04' may be gpu4 or gpu-4"):
        names.parts("gpu04")


@pytest.mark.parametrize(
    ("text", "gpus"),
    [("0", (0,)), ("0-3", (0, 1, 2, 3)), ("GPU 0, 2", (0, 2)), ("2 & 0", (0, 2)), ("gpu0 gpu1", (0, 1)),
     ("0 – 1", (0, 1)), ("all", None), ("All GPUs", None), ("0,1,4-6", (0, 1, 4, 5, 6))],
)  # fmt: skip
def test_gpus(text: str, gpus: tuple[int, ...] | None) -> None:
    assert gpus_of(text) == gpus


@pytest.mark.parametrize("text", ["A100", "3-1", "64", "half", "0-99", "²", "-1", "0.5"])
def test_what_names_no_gpus(text: str) -> None:
    with pytest.raises(ValueError, match="no GPUs in"):
        gpus_of(text)


@pytest.mark.parametrize(
    "text", ["Kim", "Kim Lee", "kim@lab.example", "김", "J. Müller", "KL", "Kim & Lee", "12345"]
)
def test_a_person(text: str) -> None:
    assert person_of(text) == text


@pytest.mark.parametrize(
    "text",
    ["-", "--", "—", "*", "free", "FREE", "(free)", "frei", "libre", "none", "None.", "n/a", "N/A", "nobody",
     "available", "maintenance", "Maintenance until Friday", "Wartung", "broken", "out of order", "FALSE", "False"],
)  # fmt: skip
def test_what_is_not_a_person(text: str) -> None:
    assert person_of(text) is None


@pytest.mark.parametrize(
    "text", ["?", "x", "X", "✓", "TRUE", "yes", "#N/A", "#REF!", "free until Monday", "1"]
)
def test_what_may_be_a_person_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="no name in"):
        person_of(text)
