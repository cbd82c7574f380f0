from pathlib import Path

import psutil
import pytest

from backend.probe import disks
from backend.probe.disks import is_read_only, read_disk

MOUNTS = """
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 8:2 / /home ro,relatime shared:2 - ext4 /dev/sda2 rw,errors=remount-ro
24 22 8:3 / /data rw,relatime shared:3 - xfs /dev/sdb ro,attr2
25 22 0:5 / /data/fast\\040disk rw - ext4 /dev/sdc rw,emergency_ro
26 22 7:1 / /snap ro - squashfs /dev/loop1 ro
27 22 0:6 / /container ro - overlay overlay ro,lowerdir=/a
"""


def test_room_and_inodes_are_those_of_an_ordinary_user(tmp_path: Path) -> None:
    disk = read_disk(tmp_path / "not" / "there")
    usage = psutil.disk_usage(str(tmp_path))
    assert disk["path"] == str(tmp_path)
    assert disk["free_gib"] == pytest.approx(usage.free / 2**30, abs=1)
    assert disk["total_gib"] == pytest.approx(usage.total / 2**30, rel=0.1)
    assert disk["read_only"] is False


@pytest.mark.parametrize(
    ("folder", "read_only"),
    [
        ("/var/lib", False),
        ("/home/kim", False),  # a service that may not write there sees it so
        ("/data", True),
        ("/database", False),
        ("/data/slow", True),
        ("/data/fast disk/x", True),
        ("/snap", False),
        ("/container", False),
    ],
)
def test_a_file_system_that_takes_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, read_only: bool
) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS)
    monkeypatch.setattr(disks, "_MOUNTS", tmp_path / "mountinfo")
    assert is_read_only(Path(folder)) is read_only
