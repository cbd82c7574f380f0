"""The networks that `training.py` measures."""

from typing import Any

from torch import nn

from models.architectures import build
from models.architectures.convolution import Convolution
from models.presets import preset

BATCH = 64
WORDS = 16


def network_of(name: str) -> nn.Module:
    """With batch norm and dropout as it was published, or as in its preset."""
    try:
        recipe = preset("published", name)
    except ValueError:
        recipe = {"depth": None, "dropout": 0.1, "batch_norm": True}
    return build(name, WORDS, recipe["depth"], recipe["dropout"], recipe["batch_norm"])


def keras_layers(network: nn.Module) -> list[tuple[str, dict[str, Any]]]:
    """A published network as names of Keras layers and what they take."""
    layers: list[tuple[str, dict[str, Any]]] = []
    for module in network.children():
        match module:
            case Convolution():
                kernel = module.convolution
                padding = "same" if int(kernel.padding[1]) else "valid"
                choice = {"filters": kernel.out_channels, "kernel_size": kernel.kernel_size[1]}
                layers.append(("Conv1D", {**choice, "padding": padding}))
                if isinstance(module.norm, nn.BatchNorm2d):
                    layers.append(("BatchNormalization", {}))
                layers.append(("ReLU", {}))
                if module.pool > 1:
                    pool_padding = "same" if module.pool_all else "valid"
                    layers.append(("MaxPooling1D", {"pool_size": module.pool, "padding": pool_padding}))
            case nn.Linear():
                layers.append(("Dense", {"units": module.out_features}))
            case nn.Dropout():
                layers.append(("Dropout", {"rate": module.p}))
            case nn.Flatten() | nn.ReLU():
                layers.append((type(module).__name__, {}))
    return layers
