"""Which GPUs this machine has, as its PCI bus and the kernel know them, without any driver's library."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_PCI_DEVICES = Path("/sys/bus/pci/devices")
_DRIVER = Path("/proc/driver/nvidia")
_DEVICES = Path("/dev")
_DEVICE_TREE = Path("/proc/device-tree/compatible")

_NVIDIA, _AMD, _INTEL = "0x10de", "0x1002", "0x8086"
_MAKERS = {_NVIDIA: "NVIDIA", _AMD: "AMD", _INTEL: "Intel", "0x1da3": "Habana", "0x1e52": "Tenstorrent"}
_SCREEN = "0x0300"
# https://pci-ids.ucw.cz/read/PD: VGA, 3D and other display controllers, processing accelerators
_CLASSES = (_SCREEN, "0x0302", "0x0380", "0x1200")
_LEAST_MEMORY = 4 << 30  # of an AMD GPU that is no part of a processor


class Accelerators(NamedTuple):
    """The accelerators of this machine."""

    nvidia: int
    """How many NVIDIA GPUs; 0 where none, or none that this system may use."""
    is_driver_loaded: bool
    """Whether the kernel has NVIDIA's driver."""
    others: dict[str, int]
    """How many GPUs of other makers, which no reading covers, by the maker."""


def accelerators() -> Accelerators:
    """Looks at the machine's own lists of devices, which answer at once."""
    found: dict[str, int] = {}
    for device in _folder(_PCI_DEVICES):
        maker = _MAKERS.get(_line(device / "vendor"))
        if maker and _is_accelerator(device, maker):
            found[maker] = found.get(maker, 0) + 1
    nvidia = found.pop("NVIDIA", 0)
    # Some systems hide the bus, and Tegra's GPU is on none.
    nvidia = nvidia or len(_folder(_DRIVER / "gpus")) or sum(_is_node(file) for file in _folder(_DEVICES))
    if not nvidia and "tegra" in _line(_DEVICE_TREE):
        nvidia = 1
    return Accelerators(nvidia, (_DRIVER / "version").exists(), found)


def _is_accelerator(device: Path, maker: str) -> bool:
    kind = _line(device / "class")[:6]
    if kind not in _CLASSES or _is_lent(device):
        return False
    if kind == _SCREEN and maker == "AMD":
        memory = _line(device / "mem_info_vram_total")
        return memory.isdigit() and int(memory) >= _LEAST_MEMORY
    # Intel's graphics beside the processor have this place on every machine.
    return not (kind == _SCREEN and maker == "Intel" and device.name.endswith(":00:02.0"))


def _is_lent(device: Path) -> bool:
    """Whether a virtual machine has it."""
    try:
        return os.path.basename(os.readlink(device / "driver")) == "vfio-pci"  # noqa: PTH119 - of a link's text
    except OSError:
        return False


def _is_node(file: Path) -> bool:
    return file.name.startswith("nvidia") and file.name[6:].isdigit()


def _folder(path: Path) -> list[Path]:
    try:
        return sorted(path.iterdir())
    except OSError:
        return []


def _line(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip().lower()
    except OSError:
        return ""
