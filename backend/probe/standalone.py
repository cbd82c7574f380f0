"""A program of this project as one text, for an interpreter that has nothing but its standard library."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

PYTHON = (3, 8)
"""The oldest that runs it."""
TOO_OLD = "python3 is too old: "

_MODULES = (
    "backend.probe",
    "backend.probe.accelerators",
    "backend.probe.background",
    "backend.probe.command_line",
    "backend.probe.disks",
    "backend.probe.gpu",
    "backend.probe.gpu_reader",
    "backend.probe.host",
    "backend.probe.machine",
    "backend.probe.nvidia_smi",
    "backend.probe.nvml",
    "backend.probe.over_ssh",
    "backend.probe.owners",
    "backend.probe.processes",
    "backend.probe.standalone",
)

_LOADER = """
import sys
if sys.version_info < {python}:
    sys.exit({too_old!r} + sys.version.split()[0])
from importlib.util import spec_from_loader
class Sent(object):
    sources = {sources!r}
    def find_spec(self, name, path=None, target=None):
        if name == "backend" or name in self.sources:
            return spec_from_loader(name, self, is_package=name in ("backend", "backend.probe"))
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        exec(compile(self.get_source(module.__name__), module.__name__, "exec"), module.__dict__)
    def get_source(self, name):
        return self.sources.get(name, "")
sys.meta_path.insert(0, Sent())
from {module} import main
main(*{arguments!r})
"""

# Quoted the same way by every shell: no quotes, blanks or dollars but those around it.
START = "import sys;i=sys.stdin.buffer;exec(i.read(int(i.readline())))"
"""What `python3 -c` is given; it then reads the program from its standard input."""


def program(module: str, *arguments: Any) -> bytes:
    """What to write to the standard input of `START`, to call `main(*arguments)` of a module."""
    sources = {name: _source(name) for name in _MODULES}
    text = _LOADER.format(
        python=PYTHON, too_old=TOO_OLD, sources=sources, module=module, arguments=arguments
    ).encode()
    return b"%d\n%s" % (len(text), text)


def _source(name: str) -> str:
    """Also where this module came from such a text itself."""
    module = sys.modules.get(name) or import_module(name)
    loader = module.__spec__.loader if module.__spec__ else None
    return loader.get_source(name) or ""  # type: ignore[union-attr]
