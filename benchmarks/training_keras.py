"""As `training_step.py`, in Keras: needs Keras and TensorFlow or JAX, and nothing of Sheetrack.

`KERAS_BACKEND=tensorflow|jax python benchmarks/training_keras.py BATCH LAYERS`, the layers as JSON.
"""

import json
import os
import sys
import time
from importlib.metadata import distributions

import keras  # type: ignore[import-not-found] # in the environment of --peers alone
import numpy as np


def main() -> None:
    batch_size, layers = int(sys.argv[1]), json.loads(sys.argv[2])
    model = keras.Sequential([keras.Input((16000, 1))])
    for name, choice in layers:
        model.add(getattr(keras.layers, name)(**choice))
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    random = np.random.default_rng(0)
    clips = 0.1 * random.normal(size=(batch_size, 16000, 1)).astype(np.float32)
    labels = random.integers(0, layers[-1][1]["units"], batch_size)
    wanted = {"keras", os.environ["KERAS_BACKEND"]}
    versions = {each.name.replace("_", "-"): each.version for each in distributions()}
    named = [f"{name} {version}" for name, version in versions.items() if name.partition("-")[0] in wanted]
    print(", ".join(sorted(named)), flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        model.train_on_batch(clips, labels)
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main()
