"""The one importer of torchaudio.

Its wheel for Linux links CUDA, so beside a CPU build of torch the import of its native extension fails.
Nothing here needs that extension: without it the rest of torchaudio imports and works.
"""

import sys
import types
from collections.abc import Callable
from typing import Any

try:
    import torchaudio
except OSError:
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
        del sys.modules[name]

    def _unchanged(function: Callable[..., Any]) -> Callable[..., Any]:
        return function

    extension = types.ModuleType("torchaudio._extension")
    extension._IS_TORCHAUDIO_EXT_AVAILABLE = False  # type: ignore[attr-defined] # noqa: SLF001
    extension._IS_ALIGN_AVAILABLE = False  # type: ignore[attr-defined] # noqa: SLF001
    extension.fail_if_no_align = _unchanged  # type: ignore[attr-defined]
    sys.modules[extension.__name__] = extension
    import torchaudio

from torchaudio.datasets import SPEECHCOMMANDS
from torchaudio.functional import resample

__all__ = ["SPEECHCOMMANDS", "resample", "torchaudio"]
