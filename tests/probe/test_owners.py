import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from backend.probe import owners
from backend.probe.owners import UserNames, hidden_processes, owner_of
from backend.probe.standalone import START, program
from tests.patience import PATIENCE_SECONDS

ID = "3f2a1b9c0d1e" + "0" * 52
MOUNTS = """\
22 1 8:1 / / rw - ext4 /dev/sda1 rw
23 22 8:2 / /home rw - ext4 /dev/sda2 rw
24 22 0:50 / /nfs/home rw - nfs4 filer:/home rw
"""


class Proc:
    """A stand-in for /proc: containers cannot be started where tests run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("self", mountinfo=MOUNTS)

    def write(self, pid: str, **files: str) -> None:
        (self.folder / pid).mkdir(exist_ok=True)
        for name, content in files.items():
            (self.folder / pid / name).write_text(content)

    def owner(self, uid: int, cgroup: str, mounts: str = "", loginuid: str = "4294967295") -> str:
        status = f"Name:\tpython\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n"
        self.write("77", status=status, cgroup=cgroup, mountinfo=mounts, loginuid=loginuid)
        return owner_of(77).name(UserNames())


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Proc:
    (tmp_path / "passwd").write_text("root:x:0:0::/root:/bin/sh\nkim:x:1001:1001::/home/kim:/bin/sh\n")
    (tmp_path / "subuid").write_text("lee:100000:65536\n")
    monkeypatch.setattr(owners, "_PASSWD", tmp_path / "passwd")
    monkeypatch.setattr(owners, "_SUBUID", tmp_path / "subuid")
    monkeypatch.setattr(owners, "_PROC", tmp_path)
    return Proc(tmp_path)


DOCKER = f"0::/system.slice/docker-{ID}.scope\n"


@pytest.mark.parametrize(
    ("uid", "cgroup", "mounts", "owner"),
    [
        (1001, "0::/user.slice/user-1001.slice/session-3.scope\n", "", "kim"),
        (0, "0::/user.slice/user-1001.slice/session-3.scope\n", "", "kim"),
        (0, "0::/system.slice/cron.service\n", "", "root"),
        (0, "5:devices:/slurm/uid_1001/job_12/step_0\n", "", "kim"),
        (0, DOCKER, "", "container 3f2a1b9c0d1e"),
        (0, f"3:pids:/docker/{ID}\n", "", "container 3f2a1b9c0d1e"),
        (0, f"0::/kubepods.slice/kubepods-pod9.slice/cri-containerd-{ID}.scope\n", "", "container 3f2a1b9c0d1e"),
        (0, "0::/lxc.payload.notebook/init.scope\n", "", "container notebook"),
        (1000, DOCKER, "", "container 3f2a1b9c0d1e"),
        (20017, DOCKER, "", "user 20017"),
        (0, f"0::/user.slice/user-1001.slice/user@1001.service/user.slice/libpod-{ID}.scope\n", "", "kim"),
        (100_500, DOCKER, "", "lee"),
        (0, DOCKER, "90 80 8:2 /park/project /workspace rw - ext4 /dev/sda2 rw\n", "park"),
        (0, DOCKER, "90 80 0:50 /choi /data rw - nfs4 filer:/home rw\n", "choi"),
        (0, DOCKER, "90 80 8:1 /var/lib/docker/volumes/x /v rw - ext4 /dev/sda1 rw\n", "container 3f2a1b9c0d1e"),
        (0, DOCKER, "90 80 8:2 /park /a rw - e d rw\n91 80 8:2 /choi /b rw - e d rw\n", "container 3f2a1b9c0d1e"),
    ],
)  # fmt: skip
def test_the_person_behind_a_process_or_else_its_container(
    proc: Proc, uid: int, cgroup: str, mounts: str, owner: str
) -> None:
    assert proc.owner(uid, cgroup, mounts) == owner


def test_root_who_logged_in_as_another(proc: Proc) -> None:
    assert proc.owner(0, "0::/system.slice/tmux.service\n", loginuid="1001") == "kim"


def test_a_user_without_a_name_has_a_number(proc: Proc) -> None:
    assert proc.owner(54321, "0::/\n") == "user 54321"


SLOW_DIRECTORY = """
#include <pwd.h>
#include <unistd.h>
int getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size, struct passwd **found) {
  (void)uid, (void)entry, (void)buffer, (void)size;
  sleep(3600);
  *found = 0;
  return 0;
}
"""
NAMES = """
import json, time
from backend.probe import background
background.PATIENCE_SECONDS = 1
from backend.probe.owners import UserNames
names = UserNames()
first = [names.name(uid) for uid in (0, 20001, 20002)]
time.sleep(1.5)
print(json.dumps([*first, names.silent_seconds() is not None]))
"""


def test_a_directory_service_that_hangs_delays_nothing(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs a C compiler: apt-get install gcc")
    (tmp_path / "slow.c").write_text(SLOW_DIRECTORY)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", tmp_path / "slow.so", tmp_path / "slow.c"], check=True
    )
    environment = {**os.environ, "LD_PRELOAD": str(tmp_path / "slow.so")}
    done = subprocess.run(
        [sys.executable, "-c", NAMES],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    assert json.loads(done.stdout) == ["root", "user 20001", "user 20002", True]


def test_a_name_that_was_not_found_is_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["", "kim"])
    monkeypatch.setattr(owners, "_UNKNOWN_SECONDS", 0.0)
    monkeypatch.setattr(owners, "_name_in_directory", lambda uid: next(answers))
    names = UserNames()
    seen = {names.name(20001)}
    while "kim" not in seen:
        seen.add(names.name(20001))
    assert seen <= {"user 20001", "kim"}


PROBE = [getattr(sys, "_base_executable", sys.executable), "-I", "-S", "-c", START]
ALONE = ["unshare", "--pid", "--fork", "--mount-proc"]
HIDE = 'mount -o remount,hidepid=2 /proc && exec setpriv --reuid 54321 --regid 54321 --clear-groups "$0" "$@"'
HIDING = ["unshare", "--mount", "sh", "-c", HIDE]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes namespaces")
@pytest.mark.parametrize(
    ("around", "told"),
    [
        (ALONE, "only processes in the container of the agent are seen"),
        (HIDING, "processes of other people are hidden (hidepid)"),
    ],
    ids=["own-namespace", "hidepid"],
)
def test_processes_that_cannot_be_seen_are_told(around: list[str], told: str) -> None:
    asked = program("backend.probe.over_ssh", 30.0) + b"\n"
    done = subprocess.run(
        [*around, *PROBE], input=asked, capture_output=True, check=False, cwd="/", timeout=PATIENCE_SECONDS
    )
    if done.returncode:
        pytest.skip(f"this machine makes no namespaces: {done.stderr.decode().strip()[-100:]}")
    assert told in json.loads(done.stdout.splitlines()[1])["host"]["hidden"]


def test_where_every_process_is_seen_nothing_is_told() -> None:
    if str(Path("/proc/self/ns/pid").readlink()) != "pid:[4026531836]" or os.geteuid() != 0:
        pytest.skip("only root outside every container sees all processes")
    assert hidden_processes() == ()
