"""How many samples a check needs: `python benchmarks/check.py` prints a Markdown table (or `--quick`).

The quartic coefficient along a random W, d1 = 2, Gaussian views, from a fit over several scales with common random numbers:
with matched moments and the derived effect of the batch's cumulants taken off, against the same fit without them. The same
batches, the same bias removed. The ratio of samples for equal error is the square of the ratio of standard errors.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from timing import markdown_table, times_longer

import symscape as ss
from symscape.sampling.check.batches import Sampler
from symscape.sampling.check.image import Ray
from symscape.sampling.check.populations import population_of

HEADER = ("what", "symscape", "baseline", "ratio", "goal", "met")
GOAL = 5.0

LOSSES: dict[str, Callable[[], ss.Loss]] = {
    "InfoNCE": ss.InfoNCE,
    "InfoNCE, dot product": lambda: ss.InfoNCE(similarity="dot"),
    "InfoNCE, n = 2": lambda: ss.InfoNCE(n=2),
    "smooth NT-Xent": lambda: ss.NTXent(tau=0.5, epsilon=1),
    "spectral": ss.SpectralContrastive,
}


#: Tr P at which the loss is sampled; the change is fitted by a cubic in Tr P, batch by batch.
TRACES = (0.01, 0.02, 0.03, 0.04, 0.05)


@dataclass(frozen=True)
class Errors:
    """Standard errors of the quartic coefficient along one W, relative to it, with and without control variate."""

    controlled: float
    plain: float

    @property
    def fewer_samples(self) -> float:
        """How many times fewer samples give the same standard error."""
        return (self.plain / self.controlled) ** 2


def errors(loss: ss.Loss, d1: int = 2, size: int = 512, batches: int = 32, seed: int = 0) -> Errors:
    """Return the errors for a random W, from the same batches."""
    population = population_of("errors", ss.GaussianViews(), {}, d1)
    W = np.random.default_rng(seed).standard_normal((d1, len(population.moments["Sigma"])))
    W /= np.sqrt(np.trace(W @ population.moments["Sigma"] @ W.T))
    traces = np.array(TRACES)
    design = np.stack([traces, traces**2, traces**3], axis=1)
    quartic = ss.landscape(loss).part(4).numpy()(W, **population.moments)
    found = []
    for control in (True, False):
        sampler = Sampler(loss, population, [Ray(W, tuple(np.sqrt(traces)))], size, control=control)
        sampler.draw(batches, np.random.default_rng(seed + 1))
        fits = np.linalg.lstsq(design, sampler.estimates(0).T, rcond=None)[0]
        found.append(float(fits[1].std(ddof=1) / np.sqrt(batches) / abs(quartic)))
    return Errors(*found)


def rows(quick: bool = False) -> list[list[str]]:
    """Measure, and return the lines of the table."""
    lines = []
    for name, make in LOSSES.items():
        found = [errors(make(), seed=seed) for seed in range(1 if quick else 3)]
        middle = sorted(found, key=lambda e: e.fewer_samples)[len(found) // 2]
        ratio = statistics.median(e.fewer_samples for e in found)
        mine, plain = (f"{100 * v:.2g} %" for v in (middle.controlled, middle.plain))
        what = f"check, {name}: error of the quartic coefficient"
        met = "yes" if ratio >= GOAL else "NO"
        lines.append(
            [what, mine, f"without control variate, {plain}", f"{times_longer(ratio)} x samples", f">= {GOAL:g}", met]
        )
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one seed")
    print(markdown_table(HEADER, rows(parser.parse_args().quick)))


if __name__ == "__main__":
    main()
