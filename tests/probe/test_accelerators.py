from pathlib import Path

import pytest

from backend.probe import accelerators as module
from backend.probe.accelerators import Accelerators, accelerators

NVIDIA, AMD, INTEL = "0x10de", "0x1002", "0x8086"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("pci", "driver", "dev"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(module, "_PCI_DEVICES", tmp_path / "pci")
    monkeypatch.setattr(module, "_DRIVER", tmp_path / "driver")
    monkeypatch.setattr(module, "_DEVICES", tmp_path / "dev")
    monkeypatch.setattr(module, "_DEVICE_TREE", tmp_path / "compatible")
    return tmp_path


def plug(machine: Path, place: str, vendor: str, kind: str, **files: str) -> Path:
    device = machine / "pci" / place
    device.mkdir()
    for name, content in {"vendor": vendor, "class": kind, **files}.items():
        (device / name).write_text(f"{content}\n")
    return device


def test_a_machine_without_any(machine: Path) -> None:
    plug(machine, "0000:00:02.0", INTEL, "0x030000")  # graphics of the processor
    plug(machine, "0000:03:00.0", "0x1a03", "0x030000")  # the screen of a remote console
    plug(machine, "0000:04:00.0", AMD, "0x030000", mem_info_vram_total=str(512 << 20))
    plug(machine, "0000:05:00.0", NVIDIA, "0x068000")  # a switch between GPUs
    assert accelerators() == Accelerators(0, False, {})


def test_gpus_of_every_maker_are_counted(machine: Path) -> None:
    for bus in range(8):
        plug(machine, f"0000:{bus:x}1:00.0", AMD, "0x120000")
    plug(machine, "0000:a1:00.0", AMD, "0x030000", mem_info_vram_total=str(24 << 30))
    plug(machine, "0000:a2:00.0", INTEL, "0x038000")
    plug(machine, "0000:a3:00.0", NVIDIA, "0x030200")
    assert accelerators() == Accelerators(1, False, {"AMD": 9, "Intel": 1})


def test_a_gpu_that_a_virtual_machine_has_is_not_this_systems(machine: Path) -> None:
    (machine / "vfio-pci").mkdir()
    plug(machine, "0000:01:00.0", NVIDIA, "0x030200")
    lent = plug(machine, "0000:02:00.0", NVIDIA, "0x030200")
    (lent / "driver").symlink_to(machine / "vfio-pci")
    assert accelerators().nvidia == 1


def test_gpus_without_a_bus(machine: Path) -> None:
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (machine / "dev" / name).touch()
    assert accelerators().nvidia == 2
    (machine / "driver" / "gpus" / "0000:01:00.0").mkdir(parents=True)
    (machine / "driver" / "version").touch()
    assert accelerators() == Accelerators(1, True, {})


def test_a_jetson(machine: Path) -> None:
    (machine / "compatible").write_bytes(b"nvidia,p3737-0000\0nvidia,tegra234\0")
    assert accelerators().nvidia == 1
