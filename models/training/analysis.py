"""Measurements on a trained network, from which its pictures are drawn without torch."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from models.architectures.convolution import Convolution, Network
from models.data.audio import RATE_HZ, SAMPLES
from models.mel import hertz, mel
from models.run_folder import RunFolder, write_atomically
from models.training.batches import Batches
from models.training.evaluate import Predictions

TONES = 128
LOWEST_HZ, HIGHEST_HZ = 50, 7900
AMPLITUDE = 0.1
HIGHEST_FLOAT16 = float(np.finfo(np.float16).max)


def write_analysis(folder: RunFolder, network: Network, batches: Batches, predictions: Predictions) -> None:
    """Writes `analysis.npz`. L is the number of a convolution, from 1.

    conv{L}_weights: (out, in, taps) of the first two.
    conv{L}_rate_hz: sampling rate at the input.
    tones_hz: (tones,) evenly spaced in mel.
    conv{L}_response: (channels, tones) mean over time of the output for a tone of amplitude 0.1.
    clip_name, clip_label, clip_prediction, clip_waveform: the clip with the most confident right prediction.
    conv{L}_map: (channels, time) the output for that clip, float16.
    words: the words that the network can predict.

    Outputs are those after pooling and ReLU.
    """
    clips = batches.clips
    convolutions = [module for module in network.modules() if isinstance(module, Convolution)]
    tones_hz = hertz(np.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), TONES)).astype(np.float32)
    chosen = int(np.lexsort((predictions.clips, -predictions.confidence, ~predictions.right))[0])
    clip = predictions.clips[chosen]
    sound, _ = batches.get(clip[None])
    contents: dict[str, object] = {
        "tones_hz": tones_hz,
        "clip_name": clips.files[clip],
        "clip_label": clips.words[predictions.labels[chosen]],
        "clip_prediction": clips.words[predictions.words[chosen]],
        "clip_waveform": sound[0].cpu().numpy(),
        "words": np.array(clips.words),
    }
    network.eval()
    time = torch.arange(SAMPLES, device=sound.device) / RATE_HZ
    frequencies = torch.from_numpy(tones_hz).to(sound.device)
    responses: list[list[Tensor]] = [[] for _ in convolutions]
    with torch.inference_mode(), _outputs(convolutions) as outputs:
        # A few tones at a time: the first layer's output alone is 2 MB a tone.
        for some in torch.split(frequencies, 16):
            outputs.clear()
            network(AMPLITUDE * torch.sin(2 * torch.pi * some[:, None] * time))
            for measured, output in zip(responses, outputs, strict=True):
                measured.append(output.mean(-1))
        outputs.clear()
        network(sound)
        rate_hz = float(RATE_HZ)
        for number, (convolution, measured, output) in enumerate(
            zip(convolutions, responses, outputs, strict=True), start=1
        ):
            if number <= 2:
                contents[f"conv{number}_weights"] = convolution.filters.cpu().numpy()
            contents[f"conv{number}_rate_hz"] = rate_hz
            contents[f"conv{number}_response"] = torch.cat(measured).T.cpu().numpy()
            contents[f"conv{number}_map"] = (
                output[0].clamp(max=HIGHEST_FLOAT16).cpu().numpy().astype(np.float16)
            )
            rate_hz /= convolution.pool
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **contents)  # type: ignore[arg-type]
    write_atomically(folder.analysis_file, buffer.getvalue())


@contextmanager
def _outputs(convolutions: list[Convolution]) -> Iterator[list[Tensor]]:
    """Collects the output of each convolution, (batch, channels, time), while the network runs."""
    outputs: list[Tensor] = []

    def collect(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        outputs.append(output[:, :, 0].float())

    hooks = [convolution.register_forward_hook(collect) for convolution in convolutions]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()
