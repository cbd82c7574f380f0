"""Where the home lies, by the kernel's list of mounts."""

from pathlib import Path

import pytest

from backend.service import doctor, file_system
from backend.service.doctor import examine
from backend.service.file_system import network_file_system
from backend.settings import Home

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:40 / /home rw,relatime shared:20 - nfs4 nas:/home rw,vers=4.2
41 40 8:2 / /home/kim/scratch rw shared:21 - xfs /dev/sdb1 rw
42 22 0:42 / /mnt/with\\040blank rw - fuse.sshfs kim@nas: rw
43 22 0:43 / /data rw - ext4 /dev/sdc1 rw
44 43 0:44 / /data rw - cifs //nas/data rw
a line that cannot be understood
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/sheetrack", ""),
        ("/home", "nfs4"),
        ("/home/kim/.local/share/sheetrack", "nfs4"),
        ("/homes/kim", ""),
        ("/home/kim/scratch/sheetrack", ""),
        ("/mnt/with blank/home", "fuse.sshfs"),
        ("/data/sheetrack", "cifs"),
    ],
)
def test_the_mount_that_holds_the_folder_decides(tmp_path: Path, path: str, kind: str) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert network_file_system(Path(path), mounts) == kind


def test_where_mounts_are_not_listed_nothing_is_said(tmp_path: Path) -> None:
    assert network_file_system(tmp_path, tmp_path / "missing") == ""


def test_doctor_warns_of_a_home_on_another_machine(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CHECKS", {"File system": doctor.CHECKS["File system"]})
    assert [finding.ok for finding in examine(home)] == [True, True]
    monkeypatch.setattr(doctor, "network_file_system", lambda _: "nfs4")
    [_, finding] = examine(home)
    assert not finding.ok
    assert finding.found.startswith(f"{home.path} lies on a network file system (nfs4): ")
    assert finding.advice == file_system.HOW_TO_LEAVE
