"""Forecasts against trained heads, as Markdown tables: `python benchmarks/forecasts.py CACHE [--only TEXT] [--train-only]`.

Features: the digits with noise, shifts or occlusions, and sentences through a real network, `load_sentence_features`. Losses:
spectral, InfoNCE of distances, Barlow Twins, VICReg and NT-Xent as released libraries compute them, over sweeps of weight
decay, temperature, weights and width. Heads are trained by L-BFGS from two random starts, of which the lower counts, and kept
as .npz files in the folder CACHE; a second run reads them.

A mode is kept whose eigenvalue of P exceeds KEPT of the largest: what a descent leaves of a collapsed mode is below 1e-6, and
a kept one so weak lies at its threshold. Spectra are about the mean where the loss ignores the mean, and shares of their sum
where it ignores the size of outputs.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import symscape as ss
from symscape.spectrum.ranks import entropy_rank, participation_ratio

KEPT = 1e-3
STARTS = 2
SEED = 0
WIDTH = 16
#: Steps of L-BFGS at most, where the last digits are slow: occluded digits have rows that nearly vanish under cosines.
STEPS = {"NT-Xent": 600}
#: Pixels with ink in fewer of the images are left out: without i = j, the spectral loss falls without end along a feature that
#: only one row has.
RARE = 0.01
AUGMENTATIONS = {"noise": 0.3, "shift": 1.0, "occlusion": 0.25}
FEATURES = {
    **{kind: f"Digits, {kind} {strength:g}" for kind, strength in AUGMENTATIONS.items()},
    "sentences": "Sentences through all-MiniLM-L6-v2, words dropped and misspelt",
}
LOSSES = {
    "spectral": "spectral",
    "InfoNCE": "infonce",
    "Barlow Twins": "lightly/barlow-twins",
    "VICReg": "vicreg-official/vicreg",
    "NT-Xent": "lightly/ntxent",
}
#: Of each loss: what is varied from its defaults, one at a time.
SWEEPS: dict[str, dict[str, tuple[float, ...]]] = {
    "spectral": {"gamma": (0.05, 0.2, 0.5), "d1": (4, 32)},
    "InfoNCE": {"gamma": (0.02, 0.1, 0.25), "tau": (0.5, 2), "d1": (4, 32)},
    "Barlow Twins": {"lambda_": (0.001, 0.02, 0.1, 0.5), "d1": (4, 32)},
    "VICReg": {"gamma": (0.02, 0.1), "lambda_": (5, 100), "mu": (10, 100), "nu": (0.25, 4), "d1": (4, 32)},
    "NT-Xent": {"tau": (0.1, 0.2, 1), "d1": (4, 32)},
}


#: The weight decay beside which something is varied: without any, tau of distances only sets the units of W.
BESIDE = {("InfoNCE", "tau"): 0.1}


@dataclass(frozen=True)
class Case:
    """Features, a loss with settings, weight decay and a width."""

    features: str
    loss: str
    settings: Mapping[str, float] = field(default_factory=dict)
    gamma: float = 0.0
    d1: int = WIDTH

    @property
    def varied(self) -> str:
        """What differs from the defaults."""
        said = [f"{name.rstrip('_')} = {value:g}" for name, value in self.settings.items()]
        said += [f"gamma = {self.gamma:g}"] if self.gamma else []
        said += [f"d1 = {self.d1}"] if self.d1 != WIDTH else []
        return ", ".join(said) or "defaults"

    @property
    def name(self) -> str:
        """A name for a file."""
        return "_".join((self.features, self.loss, self.varied)).replace(" ", "").replace(",", "_").replace("=", "")


def cases() -> Iterator[Case]:
    """Yield every case of the study: for each loss its defaults, then its sweeps."""
    for features in FEATURES:
        for loss, sweeps in SWEEPS.items():
            yield Case(features, loss)
            for name, values in sweeps.items():
                for value in values:
                    if name == "gamma":
                        yield Case(features, loss, gamma=value)
                    elif name == "d1":
                        yield Case(features, loss, d1=int(value))
                    else:
                        yield Case(features, loss, {name: value}, gamma=BESIDE.get((loss, name), 0.0))


def views(features: str) -> tuple[np.ndarray, np.ndarray]:
    """Return two views: of the digits, 1797 x 64 or fewer, or of sentences, 1600 x 384."""
    if features in AUGMENTATIONS:
        a, b = ss.augmented_digits(features, AUGMENTATIONS[features], np.random.default_rng(SEED))
        inked = ((a != 0).mean(axis=0) > RARE) & ((b != 0).mean(axis=0) > RARE)
        return a[:, inked], b[:, inked]
    return ss.load_sentence_features()


def trained(case: Case, a: np.ndarray, b: np.ndarray, folder: Path) -> dict[str, Any]:
    """Return the trained head of a case, from the folder or trained now and put there."""
    path = folder / f"{case.name}.npz"
    if not path.exists():
        begin = time.perf_counter()
        heads = [
            ss.train_head(
                LOSSES[case.loss], a, b, case.d1, weight_decay=case.gamma,
                steps=STEPS.get(case.loss), rng=np.random.default_rng(SEED + k), **case.settings,
            )
            for k in range(STARTS)
        ]  # fmt: skip
        head = min(heads, key=lambda head: head.value)
        if any(head.reason.startswith("interrupted") for head in heads):
            raise KeyboardInterrupt
        partial = path.with_suffix(".partial.npz")
        np.savez_compressed(
            partial, W=head.W, values=[head.value for head in heads], converged=[head.converged for head in heads],
            steps=[head.steps for head in heads], reason=head.reason, gradient_norm=head.gradient_norm,
            spectrum=head.spectrum(a, b), centred=head.spectrum(a, b, centred=True), seconds=time.perf_counter() - begin,
        )  # fmt: skip
        os.replace(partial, path)
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


@dataclass(frozen=True)
class Row:
    """Spectra of one case: of the theory alone, refined on the rows, and trained, in one normalisation."""

    case: Case
    theory: np.ndarray
    refined: np.ndarray
    trained: np.ndarray
    starts_agree: bool
    converged: bool

    def kept(self, p: np.ndarray) -> int:
        """Return how many modes a spectrum keeps."""
        return int((p > KEPT * p.max(initial=0.0)).sum())

    def distance(self, p: np.ndarray) -> float:
        """Return sum |p - q| / sum q, q being the trained spectrum."""
        return float(np.abs(p - self.trained).sum() / self.trained.sum())

    def rank_error(self, p: np.ndarray) -> float:
        """Return by how much the effective rank is off, relative."""
        return entropy_rank(p) / entropy_rank(self.trained) - 1


def compared(case: Case, a: np.ndarray, b: np.ndarray, head: Mapping[str, Any]) -> Row:
    """Return the forecasts of a case beside its trained head."""
    report = ss.diagnose(a, b, loss=LOSSES[case.loss], d1=case.d1, weight_decay=case.gamma, **case.settings)
    observed = head["centred" if report.best.frame.mean_goes in ("loss", "bias") else "spectrum"]
    spectra = [report.theory.spectrum, report.best.spectrum, observed]
    if report.request.problem.is_scale_free:
        spectra = [p / p.sum() if p.any() else p for p in spectra]
    agree = np.ptp(head["values"]) <= 1e-6 * max(1.0, abs(head["values"][0]))
    return Row(case, *spectra, bool(agree), bool(head["converged"].all()))


def table(rows: list[Row]) -> str:
    """Return rows as a Markdown table."""
    columns = (
        "loss", "varied", "kept: theory", "refined", "trained", "effective rank: theory", "refined", "trained",
        "participation ratio, trained", "spectrum off: theory", "refined",
    )  # fmt: skip
    lines = [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
    for row in rows:
        p, q, z = row.theory, row.refined, row.trained
        mark = ("" if row.starts_agree else " (*)") + ("" if row.converged else " (!)")
        cells = [row.case.loss, row.case.varied + mark, *(str(row.kept(x)) for x in (p, q, z))]
        cells += [f"{entropy_rank(x):.2f}" for x in (p, q, z)] + [f"{participation_ratio(z):.2f}"]
        cells += [f"{100 * row.distance(x):.1f} %" for x in (p, q)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def summary(rows: list[Row]) -> str:
    """Return by loss how often the kept modes are right, and the median and largest error of effective rank and spectrum."""
    columns = (
        "loss", "cases", "kept right: theory", "refined", "rank off, median (largest): theory", "refined",
        "spectrum off, median (largest): theory", "refined",
    )  # fmt: skip
    lines = [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
    by_loss = defaultdict(list)
    for row in rows:
        by_loss[row.case.loss].append(row)
    for loss, group in by_loss.items():
        right = [
            sum(row.kept(getattr(row, of)) == row.kept(row.trained) for row in group) for of in ("theory", "refined")
        ]
        errors = [
            [measure(row, getattr(row, of)) for row in group]
            for measure in (lambda row, p: abs(row.rank_error(p)), Row.distance)
            for of in ("theory", "refined")
        ]
        said = [f"{100 * np.median(e):.1f} % ({100 * max(e):.1f} %)" for e in errors]
        lines.append(f"| {' | '.join([loss, str(len(group)), *map(str, right), *said])} |")
    return "\n".join(lines)


def main() -> None:
    """Train what is missing, and print a table for each set of features, and a summary."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cache", type=Path, help="folder of trained heads, made if it does not exist")
    parser.add_argument("--only", default="", help="cases whose file name has this text")
    parser.add_argument("--train-only", action="store_true", help="train what is missing, print no tables")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    chosen = [case for case in cases() if arguments.only in case.name]
    for features, title in FEATURES.items():
        a, b = views(features)
        group = []
        for case in (case for case in chosen if case.features == features):
            head = trained(case, a, b, arguments.cache)
            if arguments.train_only:
                print(f"{case.name}: {head['values']} {head['reason']}, {head['seconds']:.1f} s", flush=True)
            else:
                group.append(compared(case, a, b, head))
        if group:
            print(f"\n{title}:\n\n{table(group)}", flush=True)
            rows += group
    for name, group in (
        ("Digits", [row for row in rows if row.case.features in AUGMENTATIONS]),
        ("Sentences", [row for row in rows if row.case.features not in AUGMENTATIONS]),
    ):
        if group:
            print(f"\n{name}, all cases by loss:\n\n{summary(group)}\n")
    if rows:
        print("(*) the two starts ended at different values, of which the lower counts; (!) not both converged.")


if __name__ == "__main__":
    main()
