"""Measurements on a trained network, from which its pictures are drawn without torch."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.architectures.convolution import Convolution
from models.mel import hertz, mel
from models.run_folder import RunFolder, write_atomically
from models.training.batches import Batches
from models.training.evaluate import Predictions

TONES = 128
LOWEST_HZ = 50
HIGHEST = 0.9875
"""Of half the sampling rate."""
AMPLITUDE = 0.1
HIGHEST_FLOAT16 = float(np.finfo(np.float16).max)


def write_analysis(folder: RunFolder, network: nn.Module, batches: Batches, predictions: Predictions) -> bool:
    """Writes `analysis.npz`; L is the number of a convolution, from 1, in the order in which they compute.

    conv1_weights, conv2_weights: (out, in, taps) of the first two, where the second follows the first.
    conv{L}_rate_hz: sampling rate at the input.
    conv{L}_pool: samples at the input for one at the output.
    tones_hz: (tones,) evenly spaced in mel.
    conv{L}_response: (channels, tones) mean over time of the output for a tone of amplitude 0.1.
    clip_name, clip_label, clip_prediction, clip_waveform: the clip with the most confident right prediction.
    conv{L}_map: (channels, time) the output for that clip, float16.
    words: the words that the network can predict.

    Outputs are those after pooling and ReLU; those of a plain `Conv1d` are taken after a ReLU.

    Returns:
        Whether it could be written: the first convolution has to see the waveform itself.
    """
    clips = batches.clips
    highest_hz = clips.rate_hz / 2 * HIGHEST
    tones_hz = hertz(np.linspace(mel(LOWEST_HZ), mel(highest_hz), TONES)).astype(np.float32)
    chosen = int(np.lexsort((predictions.clips, -predictions.confidence, ~predictions.right))[0])
    clip = predictions.clips[chosen]
    sound, _ = batches.get(clips.first[clip][None])
    network.eval()
    with torch.inference_mode(), _outputs(network) as outputs:
        network(sound)
        layers = list(outputs)
        if not layers or not _sees_waveform(layers[0], outputs[layers[0]], clips.samples):
            return False
        contents: dict[str, object] = {
            "tones_hz": tones_hz,
            "clip_name": clips.files[clip],
            "clip_label": clips.words[predictions.labels[chosen]],
            "clip_prediction": clips.words[predictions.words[chosen]],
            "clip_waveform": sound[0].cpu().numpy(),
            "words": np.array(clips.words),
            "conv1_weights": _weights(layers[0]),
        }
        if len(layers) > 1 and _weights(layers[1]).shape[1] == len(_weights(layers[0])):
            contents["conv2_weights"] = _weights(layers[1])
        rate_hz = float(clips.rate_hz)
        before: _Output | None = None
        for number, layer in enumerate(layers, start=1):
            output = outputs[layer]
            if before is not None:
                rate_hz /= _ratio(before.signal.shape[-1], output.inputs)  # a pool between the two
            contents[f"conv{number}_rate_hz"] = rate_hz
            contents[f"conv{number}_pool"] = float(_step(layer))
            contents[f"conv{number}_map"] = (
                output.signal[0].clamp(max=HIGHEST_FLOAT16).cpu().numpy().astype(np.float16)
            )
            rate_hz /= _step(layer)
            before = output
        time = torch.arange(clips.samples, device=sound.device) / clips.rate_hz
        measured: list[list[Tensor]] = [[] for _ in layers]
        # A few tones at a time: the first layer's output alone is 2 MB a tone.
        for some in torch.split(torch.from_numpy(tones_hz).to(sound.device), 16):
            outputs.clear()
            network(AMPLITUDE * torch.sin(2 * torch.pi * some[:, None] * time))
            for means, layer in zip(measured, layers, strict=True):
                means.append(outputs[layer].signal.mean(-1))
        for number, means in enumerate(measured, start=1):
            contents[f"conv{number}_response"] = torch.cat(means).T.cpu().numpy()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **contents)  # type: ignore[arg-type]
    write_atomically(folder.analysis_file, buffer.getvalue())
    return True


class _Output(NamedTuple):
    signal: Tensor
    """(batch, channels, time) what the layer gives."""
    inputs: int
    """Samples at its input."""


Layer = Convolution | nn.Conv1d


@contextmanager
def _outputs(network: nn.Module) -> Iterator[dict[Layer, _Output]]:
    """Collects the output of each convolution while the network runs, in the order in which they compute.

    Of a layer that is used several times only the first output counts, and none of one without a batch.
    """
    outputs: dict[Layer, _Output] = {}

    def collect(layer: Layer, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if layer in outputs or output.dim() < 3:
            return
        signal = output[:, :, 0] if isinstance(layer, Convolution) else torch.relu(output)
        outputs[layer] = _Output(signal.float(), inputs[0].shape[-1])

    # A Convolution holds a Conv2d, and no Conv1d.
    layers = [layer for layer in network.modules() if isinstance(layer, (Convolution, nn.Conv1d))]
    hooks = [layer.register_forward_hook(collect) for layer in layers]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


def _sees_waveform(layer: Layer, output: _Output, samples: int) -> bool:
    return _weights(layer).shape[1] == 1 and output.inputs * 2 > samples


def _weights(layer: Layer) -> NDArray[np.float32]:
    """(out, in, taps)."""
    weights = layer.filters if isinstance(layer, Convolution) else layer.weight.detach()
    return weights.float().cpu().numpy()


def _step(layer: Layer) -> int:
    return layer.pool if isinstance(layer, Convolution) else layer.stride[0]


def _ratio(longer: int, shorter: int) -> float:
    """How many times as long one signal is, without what a pool or a border cuts off."""
    return float(round(longer / shorter)) if longer >= shorter else 1 / round(shorter / longer)
