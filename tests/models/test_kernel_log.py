"""What the kernel says, from files in the form of /dev/kmsg and /proc/vmstat."""

from pathlib import Path

from models.kernel_log import MemoryWatch

KILLED = "3,991,8123,-;Out of memory: Killed process 41 (python) total-vm:9kB, anon-rss:8kB\n"


def watch(folder: Path, log: str, kills: str) -> MemoryWatch:
    (folder / "kmsg").write_text(log)
    (folder / "vmstat").write_text(kills)
    return MemoryWatch(folder / "kmsg", folder / "vmstat")


def test_the_kernels_own_words_count_for_that_process_alone(tmp_path: Path) -> None:
    asked = watch(tmp_path, f"6,1,1,-;usb 1-1: new device\n{KILLED}", "nr_free_pages 7\noom_kill 3\n")
    assert asked.cause(41) == "out of memory: the kernel's log says so"
    assert asked.cause(4) == asked.cause(410) == ""


def test_a_count_that_grew_is_told_as_probable(tmp_path: Path) -> None:
    asked = watch(tmp_path, "", "oom_kill 3\n")
    assert asked.cause(41) == ""
    (tmp_path / "vmstat").write_text("oom_kill 4\n")
    assert asked.cause(41).startswith("probably out of memory")


def test_where_nothing_is_known_nothing_is_said(tmp_path: Path) -> None:
    assert MemoryWatch(tmp_path / "none", tmp_path / "none").cause(41) == ""
