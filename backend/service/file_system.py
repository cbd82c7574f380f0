"""Whether a folder lies on another machine, where SQLite cannot keep a store that several processes use."""

import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = {
    "9p", "acfs", "afs", "beegfs", "ceph", "cifs", "fuse.ceph", "fuse.cephfs", "fuse.glusterfs", "fuse.sshfs",
    "fuse.gcsfuse", "fuse.s3fs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3", "smbfs",
}  # fmt: skip
_ESCAPED = re.compile(r"\\(\d{3})")

HOW_TO_LEAVE = (
    "Set SHEETRACK_HOME to a folder on a disk of this machine. `runs` and `data` in it may be links to folders "
    "elsewhere."
)


def network_file_system(path: Path, mounts: Path = _MOUNTS) -> str:
    """The kind of the network file system on which `path` lies, such as "nfs4"; empty where it is a disk here.

    Args:
        path: a folder.
        mounts: the kernel's list of mounts. Without one, as on a Mac, nothing is known: empty.
    """
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ""
    folder, kind, longest = path.resolve(), "", -1
    for line in lines:
        place, _, facts = line.partition(" - ")
        fields = place.split(" ")
        if len(fields) < 5 or not facts:
            continue
        point = Path(_ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[4]))
        # Of several mounts at one place the last one is seen.
        if folder.is_relative_to(point) and len(point.parts) >= longest:
            longest, kind = len(point.parts), facts.split(" ")[0]
    return kind if kind in _NETWORK else ""


def network_sentence(path: Path, kind: str) -> str:
    return (
        f"{path} lies on a network file system ({kind}): the store can be damaged there when two machines, or a "
        "machine that lost its connection, write it."
    )
