"""Against a stand-in for the program, since a machine without GPUs has none."""

from pathlib import Path

import pytest

from backend.probe.nvidia_smi import has_nvidia_smi, read_nvidia_smi

PROGRAM = """#!/bin/sh
case $1 in
  --query-gpu=*) cat <<'END'
0, GPU-aa, NVIDIA GeForce RTX 2080 Ti, 93, 10240, 11264, 71, 240.11, 250.00
1, GPU-bb, NVIDIA GeForce RTX 2080 Ti, [N/A], 1, 11264, 35, [Not Supported], 250.00
END
  ;;
  *) echo "GPU-aa, 4242, 10200"; echo "GPU-aa, 4243, [N/A]" ;;
esac
"""


def put(folder: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    (folder / "nvidia-smi").write_text(program)
    (folder / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_every_gpu_and_its_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, monkeypatch, PROGRAM)
    assert has_nvidia_smi()
    busy, bare = read_nvidia_smi()
    assert busy == {
        "index": 0,
        "uuid": "GPU-aa",
        "name": "NVIDIA GeForce RTX 2080 Ti",
        "utilization_percent": 93,
        "memory_used_mib": 10240,
        "memory_total_mib": 11264,
        "temperature_c": 71,
        "power_w": 240.11,
        "power_limit_w": 250,
        "processes": [{"pid": 4242, "memory_mib": 10200}, {"pid": 4243, "memory_mib": None}],
    }
    assert (bare["utilization_percent"], bare["power_w"], bare["processes"]) == (None, None, [])


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (
            "#!/bin/sh\necho 'Failed to initialize NVML: Driver/library version mismatch'\nexit 18\n",
            "mismatch",
        ),
        ("#!/bin/sh\necho 'hello'\n", "nvidia-smi says 'hello'"),
    ],
)
def test_an_answer_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, said: str
) -> None:
    put(tmp_path, monkeypatch, program)
    with pytest.raises(OSError, match=said):
        read_nvidia_smi()
