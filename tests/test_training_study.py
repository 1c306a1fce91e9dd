"""The study of forecasts against trained heads: every case once, trained once, compared in one normalisation."""

import importlib
from pathlib import Path

import numpy as np
import pytest

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
    forecasts = importlib.import_module("forecasts")


@pytest.fixture
def views():
    """Two views of 200 data of five features."""
    rng = np.random.default_rng(0)
    s = rng.normal(size=(200, 5)) * [2.0, 1.5, 1.0, 0.5, 0.1]
    return tuple(s + 0.3 * rng.normal(size=s.shape) for _ in range(2))


def test_every_case_has_a_file_of_its_own():
    """Each loss at its defaults and along each sweep, on all features; no two cases share a name."""
    names = [case.name for case in forecasts.cases()]
    assert len(names) == len(set(names)) > 100
    assert {case.loss for case in forecasts.cases()} == set(forecasts.LOSSES)
    assert all(name.isprintable() and "/" not in name and " " not in name for name in names)


def test_a_case_is_trained_once(views, tmp_path, monkeypatch):
    """The second time the head is read from its file; an interrupted training leaves none."""
    case = forecasts.Case("noise", "spectral", d1=3)
    first = forecasts.trained(case, *views, tmp_path)
    monkeypatch.setattr(forecasts.ss, "train_head", None, raising=False)
    again = forecasts.trained(case, *views, tmp_path)
    assert (first["spectrum"] == again["spectrum"]).all()
    assert [path.name for path in tmp_path.iterdir()] == [f"{case.name}.npz"]


@pytest.mark.parametrize("loss", ["spectral", "NT-Xent"])
def test_a_row_sets_forecasts_beside_the_head(views, tmp_path, loss):
    """Spectra of theory, refined and trained: near each other, and told apart from another width's."""
    case = forecasts.Case("noise", loss, d1=3)
    row = forecasts.compared(case, *views, forecasts.trained(case, *views, tmp_path))
    assert row.converged and row.starts_agree
    assert row.distance(row.refined) < 0.05
    assert row.kept(row.refined) == row.kept(row.trained)
    other = forecasts.trained(forecasts.Case("noise", loss, d1=2), *views, tmp_path)
    assert row.distance(np.append(other["spectrum"] / other["spectrum"].sum() * row.trained.sum(), 0.0)) > 0.1
    assert forecasts.table([row]).count("\n") == forecasts.summary([row]).count("\n") == 2
