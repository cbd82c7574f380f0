"""Where the time of a training goes: `python -m benchmarks.whole_run DATA [CLIPS]`.

ch32 as it was published, with pictures: two epochs of 2,000 clips by default, or of CLIPS. What 20 epochs of all clips of
the folder take is worked out from it: what is done once, and 20 times what is done in each epoch. Prints a table.
"""

import json
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from models.presets import preset
from models.process import command
from models.recipe import Recipe
from models.run_folder import RunFolder

EPOCHS, WHOLE = 2, 20
PHASES = ("reading data", "training", "testing", "drawing")


def phases_of(folder: RunFolder) -> dict[str, float]:
    """Seconds of each phase of the training of a run."""
    seconds, phase, since = dict.fromkeys(PHASES, 0.0), PHASES[0], time.monotonic()
    with subprocess.Popen(command("train", str(folder.path)), stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            time.sleep(0.02)
            now = phase
            with suppress(FileNotFoundError):
                now = json.loads(folder.progress_file.read_bytes())["phase"]
            if now in seconds and now != phase:
                seconds[phase] += time.monotonic() - since
                phase, since = now, time.monotonic()
    if process.returncode:
        raise SystemExit(process.returncode)
    seconds[phase] += time.monotonic() - since
    return seconds


def main() -> None:
    some = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    choices = {**preset("published", "ch32"), "full_length_only": False}
    choices |= {"epochs": EPOCHS, "training_clips": some}
    with tempfile.TemporaryDirectory() as runs:
        data = str(Path(sys.argv[1]).absolute())
        folder = RunFolder.create(Path(runs), Recipe.model_validate({**choices, "data": data}))
        seconds = phases_of(folder)
        history = [json.loads(line) for line in folder.history_file.read_text().splitlines()]
        clips = json.loads(folder.result_file.read_bytes())["data"]["clips"]["training"]
    steps = sum(clips / entry["clips_per_second"] for entry in history) / EPOCHS
    beside = seconds["training"] / EPOCHS - steps * some / clips
    rows = {
        "Python, torch, and opening the data, which was read before": (seconds["reading data"], 1),
        f"an epoch: steps, {clips:,} clips": (steps, WHOLE),
        "an epoch: validation, checkpoint, history": (beside, WHOLE),
        "test and analysis": (seconds["testing"], 1),
        "pictures and the end": (seconds["drawing"], 1),
    }
    whole = sum(each * times for each, times in rows.values())
    print(f"| ch32 | seconds | times | share of {WHOLE} epochs |\n|---|---|---|---|")
    for what, (each, times) in rows.items():
        print(f"| {what} | {each:.1f} | {times} | {each * times / whole:.1%} |")
    print(f"| all that is not steps | | | {1 - steps * WHOLE / whole:.1%} |")


if __name__ == "__main__":
    main()
