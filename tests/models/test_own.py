"""Networks of the lab's own, read from their files."""

from pathlib import Path

import pytest
import torch
from torch import nn

from models.architectures import build_for
from models.architectures.cost import own_networks
from models.architectures.own import OwnError, load
from models.own_files import hash_of, packed, unpacked
from models.recipe import Recipe
from models.run_folder import RunFolder

NET = "from torch import nn\nclass Net(nn.Linear):\n    def forward(self, clips):\n"
MISTAKES = {
    "syntax": ("\ndef syntax(words, depth:\n", "syntax.py line 2: SyntaxError"),
    "missing": ("import a_package_that_is_not_here\n", "missing.py line 1: ModuleNotFoundError"),
    "nameless": ("from torch import nn\n", "it has no function 'nameless'"),
    "raising": ("def raising(words):\n    half = 2\n    return words / (half - 2)\n", "raising.py line 3: ZeroDivision"),
    "leaving": ("def leaving(words):\n    raise SystemExit\n", "leaving.py line 2: SystemExit"),
    "asking": ("def asking(words, channels): ...\n", "asks for 'channels'"),
    "nothing": ("def nothing(words): ...\n", "returns no torch.nn.Module"),
    "deep": ("def deep(words, depth): ...\n", "DEPTHS = range(1, 6)"),
    "odd": ("DEPTHS = [0]\ndef odd(words, depth=1): ...\n", "whole numbers from 1"),
    "wordless": (
        "from torch import nn\ndef wordless(words, samples):\n    return nn.Linear(samples, 5)\n",
        "gives (2, 5) instead of (2, 16)",
    ),
    "squeezed": (
        NET + "        return super().forward(clips).squeeze()\ndef squeezed(words, samples): return Net(samples, words)\n",
        "for clips (1, 16000) it gives (16,) instead of (1, 16)",
    ),
    "paired": (
        NET + "        return super().forward(clips) + clips[1, 0]\ndef paired(words, samples): return Net(samples, words)\n",
        "paired.py line 4: IndexError",
    ),
    "weightless": (
        "from torch import nn\ndef weightless(words):\n    return nn.AdaptiveAvgPool1d(words)\n",
        "weightless.py: it has no weights to train",
    ),
}  # fmt: skip
RECURRENT = """
import torch
from torch import nn
print("read")

class Net(nn.Module):
    def __init__(self, words, samples):
        super().__init__()
        self.cell = nn.GRU(samples // 100, 4, batch_first=True)
        self.last = nn.Linear(4, words)

    def forward(self, clips):
        return self.last(self.cell(clips.unflatten(1, (100, -1)))[0][:, -1])

def recurrent(words, samples):
    return Net(words, samples)
"""


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, name: str) -> None:
    source, sentence = MISTAKES[name]
    file = tmp_path / f"{name}.py"
    file.write_text(source)
    [row] = own_networks(file)
    assert row.architecture == name
    assert sentence in str(row.error)


def test_any_module_is_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "recurrent.py"
    file.write_text(RECURRENT)
    [row] = own_networks(file)
    assert (row.error, row.depth, row.default) == (None, 1, True)
    assert row.parameters == sum(each.numel() for each in nn.GRU(160, 4).parameters()) + 5 * 16
    assert capsys.readouterr().out == ""
    recipe = Recipe(architecture="recurrent", depth=1, data="-", architecture_hash="0a")
    network = build_for(recipe, 3, file)
    assert network(torch.zeros(5, 16000)).shape == (5, 3)
    with pytest.raises(OwnError, match="no function 'other'"):
        load(file, "other")


def test_a_source_travels_as_one_word() -> None:
    source = (RECURRENT + "# Größe\n").encode()
    assert unpacked(packed(source)) == source
    assert not {" ", "'", '"', "\n"} & set(packed(source))
    assert unpacked("") == b""


def test_the_source_is_kept_with_a_run_that_another_machine_named(tmp_path: Path) -> None:
    recipe = Recipe(architecture="recurrent", depth=1, data="-", architecture_hash=hash_of(b"# one"))
    folder = RunFolder.receive(tmp_path, "r1", recipe, unpacked(packed(b"# one")))
    assert folder.architecture_file.read_bytes() == b"# one"
    RunFolder.receive(tmp_path, "r1", recipe, b"# another")
    assert folder.architecture_file.read_bytes() == b"# one"
    folder.remove_new()
    assert not folder.path.exists()
