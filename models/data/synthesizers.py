"""Two speech synthesizers that come as Python packages, as functions from a word to a waveform.

Both keep state between calls: the same calls in the same order in a fresh process give the same samples
(of Pico nearly always), a call repeated in one process does not.
"""

import ctypes
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Waveform = NDArray[np.float64]

ESPEAK_RATE, ESPEAK_PITCH, ESPEAK_RANGE = 1, 3, 4
ESPEAK_SYNCHRONOUS = 2
ESPEAK_UTF8 = 1


class Manner(NamedTuple):
    """How a word is spoken: `speed` and `pitch` relative to those of the voice, range of `intonation` 0 to 1."""

    speed: float
    pitch: float
    intonation: float


class Espeak:
    """eSpeak NG, a formant synthesizer. Voices are `<language>+<variant>` such as `en-us+f2`."""

    def __init__(self) -> None:
        import espeakng_loader  # noqa: PLC0415 # an optional extra with another licence

        self._library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        self._library.espeak_Synth.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int,
            ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip
        self.rate_hz: int = self._library.espeak_Initialize(
            ESPEAK_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0
        )
        # Breath and flutter are random, from the time of day unless told otherwise.
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        self._chunks: list[NDArray[np.int16]] = []
        received = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
        )
        self._received = received(self._receive)  # kept: the library calls it later
        self._library.espeak_SetSynthCallback(self._received)

    def _receive(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def speak(self, word: str, voice: str, manner: Manner) -> Waveform:
        if self._library.espeak_SetVoiceByName(voice.encode()):
            raise ValueError(f"eSpeak NG has no voice '{voice}'")
        self._library.espeak_SetParameter(ESPEAK_RATE, round(170 * manner.speed), 0)
        self._library.espeak_SetParameter(ESPEAK_PITCH, round(50 * manner.pitch), 0)
        self._library.espeak_SetParameter(ESPEAK_RANGE, round(100 * manner.intonation), 0)
        self._chunks.clear()
        text = word.encode() + b"\0"
        self._library.espeak_Synth(text, len(text), 0, 1, 0, ESPEAK_UTF8, None, None)
        self._library.espeak_Synchronize()
        return np.concatenate(self._chunks) / 32768


class Pico:
    """SVOX Pico, which joins recorded sounds. Voices are `en-US` and `en-GB`."""

    rate_hz = 16000

    def __init__(self) -> None:
        import py_nanotts  # noqa: PLC0415 # an optional extra

        self._engine = py_nanotts.NanoTTS()

    def speak(self, word: str, voice: str, manner: Manner) -> Waveform:
        """Speaks with the fixed intonation of the voice, whatever `manner.intonation` is."""
        sound = self._engine.speak(word, voice=voice, speed=manner.speed, pitch=manner.pitch)
        return np.frombuffer(sound, np.int16) / 32768
