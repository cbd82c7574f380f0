"""Everything one may choose about a training."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    "bed", "bird", "tree", "cat", "house", "dog",
)  # fmt: skip
"""The sixteen words of the published study; used when a data set has them all."""


FILLED_IN = ("architecture_hash", "parent")
"""The fields of a Recipe that people do not choose: they are filled in when it is checked."""


class Recipe(BaseModel):
    """One training, chosen completely: the same recipe, seed and machine give the same result.

    The defaults are those that work best on real speech; `models.presets` has the study's own choices.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    name: Annotated[str, Field(max_length=100, description="A label for people; changes nothing")] = ""
    architecture: Annotated[str, Field(min_length=1, max_length=50)] = "ch32"
    depth: Annotated[
        int | None, Field(ge=1, le=99, description="Convolutions; empty: the architecture's own")
    ] = None
    dropout: Annotated[float, Field(ge=0, le=0.95, allow_inf_nan=False)] = 0.5
    batch_norm: bool = True
    epochs: Annotated[int, Field(ge=1, le=1000)] = 20
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 64
    learning_rate: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1e-3
    schedule: Annotated[
        Literal["constant", "one-cycle"], Field(description="How the learning rate moves over the epochs")
    ] = "one-cycle"
    augmentation: Annotated[
        Literal["none", "light", "strong"], Field(description="How training clips are varied")
    ] = "light"
    label_smoothing: Annotated[
        float,
        Field(
            ge=0,
            le=0.5,
            allow_inf_nan=False,
            description="Share of a clip's label that all words get, so that wrong labels count less",
        ),
    ] = 0.0
    precision: Annotated[
        Literal["float32", "bfloat16"], Field(description="bfloat16 is faster where the processor has it")
    ] = "float32"
    full_length_only: Annotated[
        bool, Field(description="Train on clips of a full second only, as the published study did")
    ] = False
    seconds: Annotated[
        float,
        Field(
            ge=0.1,
            le=60,
            allow_inf_nan=False,
            description="What the network hears at once; longer recordings are cut into windows, which vote",
        ),
    ] = 1.0
    sample_rate: Annotated[
        int, Field(ge=1000, le=96_000, description="Hz; recordings of other rates are resampled")
    ] = 16_000
    training_clips: Annotated[
        int | None, Field(ge=1, description="Train on this many clips, drawn by the seed; empty: all")
    ] = None
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    architecture_hash: Annotated[
        str, Field(max_length=64, pattern=r"^[0-9a-f]*$", description="Of the file of a lab's own network")
    ] = ""
    parent: Annotated[
        str,
        Field(
            max_length=64,
            pattern=r"^[A-Za-z0-9_-]*$",
            description="The finished run whose last epoch it goes on from; empty: it starts with fresh weights",
        ),
    ] = ""
    data: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1000,
            description="The name of a data set in SHEETRACK_HOME/data, or a folder of words such as ./words",
        ),
    ]

    @field_validator("data", "name", "architecture")
    @classmethod
    def _no_control_characters(cls, text: str) -> str:
        if any(ord(character) < 32 or ord(character) == 127 for character in text):
            raise ValueError("must not contain control characters")
        return text

    @property
    def samples(self) -> int:
        """What the network hears at once."""
        return round(self.seconds * self.sample_rate)

    @property
    def title(self) -> str:
        """The recipe in the lab's own short form, such as `ch32 · 8 · DO(0.75)+BN`."""
        depth = f" · {self.depth}" if self.depth else ""
        return f"{self.architecture}{depth} · DO({exact(self.dropout)}){'+BN' if self.batch_norm else ''}"


def exact(number: float) -> str:
    """The shortest text of the number that no other number has: `0.25`, `0`, `0.1234561`."""
    short = f"{number:g}"
    return short if float(short) == number else repr(number)
