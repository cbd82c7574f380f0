"""A mapping at the size of a published study, and the figures by which it can be trusted.

`python benchmarks/brain.py [RUN_FOLDER]`: simulated responses of 7,694 voxels of 8 people to 165 sounds, driven by
the fourth convolution of the run (without one, of a ch32 with random weights); all layers and all controls.
"""

import csv
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from models.brain.layouts import open_data
from models.brain.mapping import map_run, network_features
from models.brain.ridge import choose, predict
from models.brain.scores import Floats, chosen_layers, correlation, over_splits, splits
from models.brain.separate import Separate
from models.brain.simulate import NOTHING, Plan, simulate
from models.brain.sounds import load_sounds
from models.run_folder import RunFolder
from tests.models.brain.made_network import make_network

TRUE = "conv4"
_SETS = 20


def main() -> None:
    top = Path(tempfile.mkdtemp(prefix="brain-"))
    run = (
        RunFolder(Path(sys.argv[1]).absolute()) if len(sys.argv) > 1 else make_network(top / "runs", depth=8)
    )
    small = _reliabilities(top, run)
    _choices(top, run)
    folder = top / "full"
    took = _timed(lambda: simulate(folder, Plan((TRUE,), snr=0.5, voxels=7694, people=8, fall=0), run))
    print(f"simulated in {took:.0f} s", flush=True)
    name = f"benchmark_{int(time.time())}"
    began, before = time.monotonic(), time.process_time()
    mapping = map_run(
        run, folder, name=name,
        report=lambda what, done, of: print(f"{time.monotonic() - began:6.0f} s  {done} of {of}  {what}", flush=True),
    )  # fmt: skip
    took, processor = time.monotonic() - began, time.process_time() - before
    with (folder / "truth.tsv").open(newline="") as file:
        truth = np.array([row["layer"] for row in csv.DictReader(file, delimiter="\t")])
    with np.load(run.brain / f"{name}.npz") as arrays:
        layers = [str(layer) for layer in arrays["layers"]]
        place, real = layers.index(TRUE), truth != NOTHING
        best, null_r, null_p = (
            arrays["best_layer"],
            arrays["network.r"][:, ~real],
            arrays["network.p"][:, ~real],
        )
        shuffled = arrays["shuffled.r"]
        print(
            f"\n{len(layers)} layers, {len(mapping.profiles) - 1} controls: {took:.0f} s, {processor:.0f} s of a processor"
        )
        print(f"memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")
        print(f"true layer chosen in {(best[real] == place).mean():.1%} of {real.sum():,} voxels at SNR 0.5")
        print(f"median R2_c of the true layer {np.median(arrays['network.value'][place, real]):.3f}")
        for reliability, (values, attainable) in small.items():
            print(f"reliability {reliability}: median R2_c of the true layer, over {_SETS} sets of sounds, "
                  f"{_mean_and_deviation(values)}; without noise {_mean_and_deviation(attainable)}")  # fmt: skip
        print(f"null voxels: mean r {null_r.mean():+.4f} (layers {null_r.mean(axis=1).min():+.4f} to "
              f"{null_r.mean(axis=1).max():+.4f}), p < .05 in {(null_p < 0.05).mean():.2%}")  # fmt: skip
        print(f"shuffled sounds: mean r {shuffled.mean():+.4f} "
              f"(layers {shuffled.mean(axis=1).min():+.4f} to {shuffled.mean(axis=1).max():+.4f})")  # fmt: skip
        share = np.bincount(best[~real], minlength=len(layers)) / (~real).sum()
        print(
            "best layer of null voxels: "
            + ", ".join(f"{n} {s:.0%}" for n, s in zip(layers, share, strict=True))
        )
        print(
            f"null voxels kept as reliable: {arrays['kept'][~real].mean():.2%}; others {arrays['kept'][real].mean():.2%}"
        )
    for finding in mapping.findings:
        print(finding)


def _reliabilities(top: Path, run: RunFolder) -> dict[float, tuple[list[Floats], list[Floats]]]:
    """By the correlation of single repetitions, for each set of sounds: R2_c of the true layer, and R2 of
    ridges with the same penalties that learn from responses without noise, which is all that a correction for noise
    can give back."""
    found: dict[float, tuple[list[Floats], list[Floats]]] = {each: ([], []) for each in (0.2, 0.5, 0.9)}
    for seed in range(_SETS):
        folder = top / f"clean{seed}"
        simulate(folder, Plan((TRUE,), snr=1e12, voxels=200, nulls=0, fall=1, seed=seed), run)
        data = open_data(folder)
        features = np.asarray(
            network_features(run, "network", data, load_sounds(data), "fir")[TRUE], dtype=float
        )
        clean = np.asarray(data.responses).mean(axis=2, dtype=float)
        for reliability, (corrected, attainable) in found.items():
            noise = np.random.default_rng(seed).normal(size=(*clean.shape, 3))
            noisy = clean[:, :, None] + noise * np.sqrt((1 - reliability) / reliability)
            corrected.append(Separate(noisy).score(features).value)
            attainable.append(_without_noise(features, noisy.mean(axis=2), clean))
        now = ", ".join(f"{each} {np.median(values[-1]):.3f}" for each, (values, _) in found.items())
        print(f"sounds {seed}: median R2_c at reliability {now}", flush=True)
    return found


def _mean_and_deviation(sets: list[Floats]) -> str:
    medians = [float(np.median(values)) for values in sets]
    return f"{np.mean(medians):.3f} ± {np.std(medians, ddof=1):.3f}"


def _without_noise(features: Floats, noisy: Floats, clean: Floats) -> Floats:
    values = []
    for train, test in splits(len(features)):
        penalties, _ = choose(features[train], noisy[train])
        predicted = predict(features[train], clean[train], features[test], penalties)
        values.append(correlation(predicted, clean[test]) ** 2)
    return over_splits(np.array(values))


def _choices(top: Path, run: RunFolder) -> None:
    """How often the true layer is chosen at SNR 0.5, by how much of the signal all layers share."""
    for fall in (1.0, 0.5, 0.25, 0.0):
        folder = top / f"fall{fall}"
        simulate(folder, Plan((TRUE,), snr=0.5, voxels=200, nulls=0, fall=fall), run)
        data = open_data(folder)
        features = network_features(run, "network", data, load_sounds(data), "fir")
        separate = Separate(np.asarray(data.responses))
        parts = [separate.score(np.asarray(values)) for values in features.values()]
        best = chosen_layers(np.array([part.by_split for part in parts]))[0]
        right = (best == list(features).index(TRUE)).mean()
        print(f"components times deviation^{fall:g}: true layer chosen in {right:.1%}", flush=True)


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


if __name__ == "__main__":
    main()
