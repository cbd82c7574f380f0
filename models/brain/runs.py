"""Protocol B: scores of one layer over runs of continuous sounds."""

import numpy as np
from numpy.typing import NDArray

from models.brain import continuous as b
from models.brain.data import DataSet
from models.brain.errors import BrainError
from models.brain.part import Part
from models.brain.scores import correlation

Floats = NDArray[np.floating]


class Continuous:
    """Runs, prepared for any number of layers: without drift, z-scored, the repeated run's ceiling known.

    The repeated sounds are the test. Without repetitions each run is the test of the others, and nothing is
    corrected for noise.
    """

    def __init__(self, data: DataSet) -> None:
        if len(data.runs) < 2:
            raise BrainError(
                f"{data.folder} has one run that can be used: two are needed, to learn and to test"
            )
        self._tr_s = data.tr_s
        self._runs = [
            b.z_scored(b.without_drift(run.responses.astype(np.float64), data.tr_s)) for run in data.runs
        ]
        groups = b.test_runs(data)
        repeated = {place for group in groups for place in group}
        self._learn = [place for place in range(len(self._runs)) if place not in repeated]
        if groups and not self._learn:
            groups = []
            self._learn = list(range(len(self._runs)))
            data.notices.append("All runs repeat sounds of others: each in turn is tested by the rest.")
        self._groups = groups
        self.reliability: Floats | None = None
        self.kept = np.ones(len(data.voxels), dtype=bool)
        if groups:
            repeats = min(len(group) for group in groups)
            parts = []
            for group in groups:
                trs = min(len(self._runs[place]) for place in group)
                parts.append(
                    np.stack([b.z_scored(self._runs[place][:trs]) for place in group[:repeats]], axis=2)
                )
            self._tests = np.concatenate(parts)
            self._power, self.reliability, self.kept = b.ceiling(self._tests)
        else:
            data.notices.append(
                "No run repeats the sounds of another: reliability cannot be told, so nothing is corrected "
                "for noise and all voxels are kept."
            )

    def score(self, features: list[Floats], shuffle: int | None = None) -> Part:
        """How well the features, (TRs, features) for each run, predict each voxel.

        With repetitions the value is CC_norm^2, else R2 = r^2; 0 where the correlation is negative.
        """
        prepared = []
        for number, (rows, responses) in enumerate(zip(features, self._runs, strict=True)):
            each = b.z_scored(b.without_drift(rows[: len(responses)], self._tr_s))
            if shuffle is not None:
                blocks = np.array_split(np.arange(len(each)), max(2, len(each) // b.BLOCK_TRS))
                order = np.random.default_rng([shuffle, number]).permutation(len(blocks))
                each = each[np.concatenate([blocks[block] for block in order])]
            prepared.append(each)
        return self._tested(prepared) if self._groups else self._in_turn(prepared)

    def _tested(self, features: list[Floats]) -> Part:
        test = np.concatenate(
            [features[group[0]][: min(len(self._runs[place]) for place in group)] for group in self._groups]
        )
        predicted, inside, at_edge = self._fit(features, self._learn, test)
        mean = self._tests.mean(axis=2)
        found = b.normalised_correlation(predicted, mean, self._power)
        return Part(
            r=correlation(predicted, mean).astype(np.float32),
            value=np.minimum(np.maximum(found, 0) ** 2, 1).astype(np.float32),
            p=b.permutation_p(predicted, mean),
            by_split=inside[None].astype(np.float32),
            at_edge=at_edge,
            constant=np.ptp(predicted, axis=0) < 1e-9,
        )

    def _in_turn(self, features: list[Floats]) -> Part:
        predictions, inside, edges = [], [], []
        for place in range(len(self._runs)):
            rest = [other for other in range(len(self._runs)) if other != place]
            predicted, score, at_edge = self._fit(features, rest, features[place])
            predictions.append(b.z_scored(predicted))
            inside.append(score)
            edges.append(at_edge)
        together, actual = np.concatenate(predictions), np.concatenate(self._runs)
        r = correlation(together, actual)
        return Part(
            r=r.astype(np.float32),
            value=(np.maximum(r, 0) ** 2).astype(np.float32),
            p=b.permutation_p(together, actual),
            by_split=np.mean(inside, axis=0)[None].astype(np.float32),
            at_edge=np.mean(edges, axis=0) > 0.5,
            constant=np.ptp(together, axis=0) < 1e-9,
        )

    def _fit(
        self, features: list[Floats], learn: list[int], test: Floats
    ) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        train = np.concatenate([features[place] for place in learn])
        responses = np.concatenate([self._runs[place] for place in learn])
        return b.fit_predict(train, responses, test, b.folds_of([len(self._runs[place]) for place in learn]))
