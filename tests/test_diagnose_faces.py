"""The faces of a diagnosis: text, notes, figure, HTML, JSON, estimator. Each says what the report holds, and nothing else."""

import json
import re
import sys
from copy import deepcopy
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure

import symscape as ss
from symscape.data.digits import load_digits
from symscape.data.moments import feature_moments
from symscape.diagnosis.accuracy import Accuracy
from symscape.diagnosis.agreement import agreement, likely_reason
from symscape.diagnosis.diagnose import diagnose
from symscape.diagnosis.estimator import CollapseForecast
from symscape.diagnosis.html import EVERY, fragment_of, html_of
from symscape.diagnosis.mode_table import mode_table
from symscape.diagnosis.plot import plot_spectrum
from symscape.diagnosis.record import comparison_record, record_of, suggestions_record
from symscape.diagnosis.report import Diagnosis
from symscape.diagnosis.sections import Section, comparison_section, keep_section, what_if_section
from symscape.diagnosis.text import WIDTH, text_of
from symscape.errors import InputError, SymscapeError, UnknownNameError
from symscape.sampling.evaluator import Estimate

D0 = 32
PIXELS = load_digits()[0]
PIXELS = PIXELS[:, np.sort(np.argsort(-PIXELS.var(axis=0))[:D0])]
RNG = np.random.default_rng(3)
A, B = (PIXELS[:700] + 0.3 * RNG.standard_normal((700, D0)) for _ in range(2))
HELD_A, HELD_B = (PIXELS[700:1000] + 0.3 * RNG.standard_normal((300, D0)) for _ in range(2))

MADE = {
    "far from its threshold": lambda: diagnose(A, B, loss="infonce", d1=12),
    "two levels agree": lambda: diagnose(A, B, loss="vicreg-official/vicreg", d1=16),
    "cosines": lambda: diagnose(A, B, loss="lightly/ntxent", d1=8),
    "part of the rows": lambda: diagnose(A, B, loss="spectral", d1=6, max_rows=300, batch_size=100),
    "theory alone": lambda: diagnose(A, B, loss="spectral", weight_decay=0.8, refine=False),
    "moments alone": lambda: diagnose(feature_moments(A, B), loss="infonce", d1=24, weight_decay=0.2),
    "complete": lambda: diagnose(A, B, loss="infonce", d1=12, weight_decay=9),
}
_REPORTS: dict[str, Diagnosis] = {}
_PAGES: dict[str, str] = {}


def report_on(name: str) -> Diagnosis:
    if name not in _REPORTS:
        _REPORTS[name] = MADE[name]()
    return _REPORTS[name]


@pytest.fixture(params=MADE)
def report(request: pytest.FixtureRequest) -> Diagnosis:
    return report_on(request.param)


def page_on(name: str) -> str:
    if name not in _PAGES:
        _PAGES[name] = html_of(report_on(name))
    return _PAGES[name]


def with_strengths(report: Diagnosis, factors: np.ndarray) -> Diagnosis:
    """Return the report with a forecast on rows whose strengths are those of the theory times factors, mode by mode."""
    theory, root = report.theory, np.sqrt(factors)
    strengths = theory.strengths * factors
    kept = tuple(int(k) for k in np.flatnonzero(strengths))
    refined = replace(theory, level="refined", strengths=strengths, outputs=theory.outputs * root, kept=kept)
    return replace(report, refined=refined)


def flat(text: str) -> str:
    return " ".join(text.split())


# The terminal


def assert_fits_a_terminal(text: str) -> None:
    for line in text.splitlines():
        assert len(line) <= WIDTH and line == line.rstrip(), line
        assert set(re.sub("[ -~]", "", line)) <= set("±²"), line


def test_the_text_fits_a_terminal(report):
    assert_fits_a_terminal(str(report))


@pytest.mark.parametrize("planted", ["x" * (WIDTH + 1), "b\u1d40", "trailing "])
def test_a_text_that_does_not_fit_is_caught(planted):
    with pytest.raises(AssertionError):
        assert_fits_a_terminal(planted)


def assert_answer_comes_first(text: str, report: Diagnosis) -> None:
    first = flat(text.split("\n\n")[0])
    word = {"complete": "complete collapse, none of", "none": "no collapse, all of"}.get(
        report.kind, f"dimensional collapse, {report.surviving} of"
    )
    assert first.startswith(f"{report.name} on features {report.moments.rows} x {report.moments.columns}")
    assert f"{word} {report.possible} possible" in first
    if report.surviving:
        ranks = re.findall(r"effective rank ([0-9.]+)", first)
        assert [float(rank) for rank in ranks] == [pytest.approx(report.effective_rank, rel=5e-3)]


def test_the_answer_comes_first(report):
    assert_answer_comes_first(str(report), report)


def test_the_answer_of_another_report_is_caught():
    with pytest.raises(AssertionError):
        assert_answer_comes_first(str(report_on("complete")), report_on("far from its threshold"))


def assert_table_holds_the_modes(text: str, report: Diagnosis) -> None:
    """Assert that every mode is a row with its verdict and strength, or is counted as kept or lost in a row of dots."""
    rows = text.split("\nModes\n")[1].split("\n  r: ")[0].splitlines()[1:]
    index, verdicts = 0, "survives|collapses|no output left|at its threshold"
    for row in rows:
        if row.startswith("  ..."):
            between = {word: int(count) for count, word in re.findall(r"(\d+) more (kept|lost)", row)}
            left_out = report.modes[index : index + sum(between.values())]
            assert sum(mode.survives for mode in left_out) == between.get("kept", 0)
            index += len(left_out)
            continue
        mode = report.modes[index]
        assert row.split()[0] == str(mode.number) and re.search(verdicts, row).group() == mode.verdict
        before = row[: row.index(mode.verdict)].split()
        assert float(before[-1]) == pytest.approx(mode.strength, rel=6e-3, abs=1e-12)
        index += 1
    assert index == len(report.modes)


def test_the_table_holds_the_modes(report):
    assert_table_holds_the_modes(str(report), report)


def test_a_table_with_a_wrong_strength_is_caught():
    report = report_on("two levels agree")
    factors = np.ones(D0)
    factors[0] = 1.02
    with pytest.raises(AssertionError):
        assert_table_holds_the_modes(str(with_strengths(report, factors)), report)


def test_the_text_stays_short_for_many_features():
    s = RNG.standard_normal((600, 160)) * np.linspace(1.5, 0.1, 160)
    a, b = (s + 0.4 * RNG.standard_normal(s.shape) for _ in range(2))
    report = diagnose(a, b, loss="spectral", d1=120, weight_decay=0.4, refine=False)
    text = str(report)
    assert len(text.splitlines()) < 70
    assert_fits_a_terminal(text)
    assert_table_holds_the_modes(text, report)
    assert "more kept" in text and "more lost" in text


def test_where_rows_keep_another_mode_the_table_says_what_theory_does():
    report = report_on("two levels agree")
    last = report.theory.kept[-1]
    factors = np.ones(D0)
    factors[last] = 0.0
    headings, rows = mode_table(with_strengths(report, factors))
    said = {row[0]: dict(zip(headings, row, strict=True))["sure"] for row in rows if len(row) > 1}
    assert said[str(last)] == "theory: kept"
    assert "theory: kept" not in str(report)


def test_further_sections_come_before_the_notes():
    text = text_of(report_on("complete"), [Section("More", sentences=("as was asked",))])
    assert text.index("\nLoss\n") < text.index("\nMore\n  as was asked\n") < text.index("\nNotes\n")


# Notes


OFF, FINE = "theory and the loss on rows differ", "theory and the loss on rows agree"


def assert_warns_of_theory(report: Diagnosis) -> None:
    notes = " ".join(report.notes)
    assert OFF in notes and "likely reason" in notes and FINE not in notes


def test_where_the_closed_form_is_off_the_report_says_so():
    """InfoNCE far from its threshold on features that are not Gaussian: tens of per cent off, and the reason is named."""
    report = report_on("far from its threshold")
    assert_warns_of_theory(report)
    p, q = report.theory.strengths, report.refined.strengths
    found = agreement(report)
    assert found.spectrum == pytest.approx(np.abs(p - q).sum() / q.sum()) and found.spectrum > 0.2
    assert found.strength == pytest.approx(
        max(abs(p[k] - q[k]) / q[k] for k in report.refined.kept if q[k] > q.max() / 20)
    )
    assert f"spectra by {100 * found.spectrum:.0f} %" in " ".join(report.notes)
    assert "the features are not Gaussian" in " ".join(report.notes)


def test_where_both_levels_agree_no_warning_is_given():
    report = report_on("two levels agree")
    notes = " ".join(report.notes)
    assert FINE in notes and OFF not in notes
    with pytest.raises(AssertionError):
        assert_warns_of_theory(report)


def test_a_planted_difference_is_warned_of_and_its_absence_is_not():
    """The same report with strengths on rows that are half of theory's warns; with theory's own it does not."""
    halved = np.ones(D0)
    halved[0] = 0.5
    assert_warns_of_theory(with_strengths(report_on("two levels agree"), halved))
    with pytest.raises(AssertionError):
        assert_warns_of_theory(with_strengths(report_on("far from its threshold"), np.ones(D0)))


def test_another_number_of_kept_modes_is_told():
    report, factors = report_on("two levels agree"), np.ones(D0)
    factors[report.theory.kept[-1]] = 0.0
    kept = report.theory.surviving
    said = f"theory keeps {kept} modes, the loss on rows {kept - 1}"
    assert said in with_strengths(report, factors).notes and said not in report.notes


@pytest.mark.parametrize(("gaussian", "rows", "truncated", "said", "not_said"), [
    (1.0, 0.7, False, "the features are not Gaussian (30 %", "leaves out"),
    (0.7, 0.7, True, "leaves out, higher orders (30 %", "Gaussian"),
    (0.7, 0.7, False, "such as a finite batch", "Gaussian"),
    (0.995, 1.0, True, "none stands out", "Gaussian"),
])  # fmt: skip
def test_the_likely_reason_is_what_changes_the_gain(gaussian, rows, truncated, said, not_said):
    accuracy = Accuracy(1.0, Estimate(gaussian, 0.002), Estimate(rows, 0.002), truncated)
    reason = likely_reason(accuracy, "series")
    assert said in reason and not_said not in reason


def test_where_no_reason_stands_out_a_part_of_the_rows_is_one():
    accuracy = Accuracy(1.0, Estimate(1.0, 0.01), Estimate(1.0, 0.01), False)
    assert likely_reason(accuracy, "series", part_of_rows=True).startswith("chance: the loss was run on a part")
    assert "part" not in likely_reason(accuracy, "series")


def test_a_change_of_the_gain_within_its_errors_is_no_reason():
    accuracy = Accuracy(1.0, Estimate(1.0, 0.2), Estimate(0.7, 0.2), False)
    assert likely_reason(accuracy, "series").startswith("not to be told from so few rows")
    sharp = Accuracy(1.0, Estimate(1.0, 0.002), Estimate(0.995, 0.002), False)
    assert likely_reason(sharp, "series").startswith("none stands out")
    nan = Accuracy(float("nan"), Estimate(1.0, 0.2), Estimate(0.7, 0.2), False)
    assert likely_reason(nan, "series").startswith("unknown")


def test_modes_at_their_threshold_are_named():
    """Just those that lie within two standard errors of it, and for which an output is left."""
    report = report_on("moments alone")
    theory, error = report.theory, report.uncertainty
    gap = np.abs(theory.eigenvalues - theory.critical)
    near = [str(k) for k in np.flatnonzero(gap < 2 * error.margin)]
    note = next((note for note in report.notes if "two standard errors" in note), "")
    assert re.findall(r"\d+", note.split(" within")[0]) == near and near


def test_modes_that_lack_an_output_are_counted():
    report = report_on("far from its threshold")
    wanting = int((report.theory.eigenvalues[12:] > report.theory.critical).sum())
    assert any(f"{wanting} modes beyond the threshold" in n and "raise d1 above 12" in n for n in report.notes)
    assert not any("no output is left" in note for note in report_on("two levels agree").notes)
    assert not any("two standard errors" in note for note in report.notes)  # no output is left for them


def test_weight_decay_is_told_in_both_conventions():
    notes = " ".join(report_on("theory alone").notes)
    assert "gamma = 0.8 is weight decay 1.6" in notes and "decoupled" in notes
    assert "gamma =" not in " ".join(report_on("far from its threshold").notes)


@pytest.mark.parametrize(("name", "said"), [
    ("part of the rows", "the loss was run on 300 of 700 rows"),
    ("two levels agree", "preset: where variances are below epsilon"),
    ("two levels agree", "standard errors are those of another sample"),
    ("part of the rows", "in batches of 100"),
    ("cosines", "up to a common factor"),
    ("theory alone", "theory alone: the loss was not run on rows"),
    ("moments alone", "theory alone: the loss was not run on rows"),
])  # fmt: skip
def test_what_the_prediction_rests_on_is_told_where_it_holds(name, said):
    assert said in " ".join(report_on(name).notes)
    assert said not in " ".join(report_on("complete").notes) or "standard errors" in said


def test_what_was_found_in_the_data_is_told():
    report = diagnose(np.column_stack([A[:, 4:8], np.full(700, 7.0)]), np.column_stack([B[:, 4:8], np.full(700, 7.0)]),
                      loss="infonce", refine=False)  # fmt: skip
    findings = [str(finding) for finding in report.moments.findings]
    assert findings and set(findings) <= set(report.notes)
    assert [f["sentence"] for f in record_of(report)["findings"]] == findings


# HTML


class Page(HTMLParser):
    """Tags, text and addresses of a page; asserts that tags are closed in order."""

    VOID = frozenset({"meta", "br", "use", "path"})

    def __init__(self, page: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.addresses: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_startendtag(self, tag, attrs):
        self._see(tag, attrs)

    def handle_starttag(self, tag, attrs):
        self._see(tag, attrs)
        if tag != "meta":
            self.open.append(tag)

    def _see(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "xlink:href", "style") and value]

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes another"

    def handle_data(self, data):
        self.words.append(data)


def assert_self_contained(page: str) -> Page:
    """Assert that a page is well formed, runs nothing, and fetches nothing."""
    found = Page(page)
    assert not {"script", "link", "iframe", "img"} & set(found.tags)
    assert not [address for address in found.addresses if "//" in address or "url(http" in address]
    style = page.split("<style>")[1].split("</style>")[0]
    assert "@import" not in style and "url(" not in style
    return found


@pytest.mark.parametrize("name", MADE)
def test_the_page_is_self_contained_and_says_what_the_text_says(name):
    page, report = assert_self_contained(page_on(name)), report_on(name)
    words = flat(" ".join(page.words))
    for note in report.notes:
        assert flat(note) in words
    assert "svg" in page.tags and str(report.surviving) in words


@pytest.mark.parametrize("name", MADE)
def test_every_mode_has_a_row_on_the_page(name):
    report = report_on(name)
    rows = re.findall(r"<tr[^>]*><td class=\"number\">(\d+)</td>", page_on(name).split("Effective rank, by")[0])
    assert rows == [str(mode.number) for mode in report.modes] and len(rows) <= EVERY


@pytest.mark.parametrize("planted", [
    "<script>1</script>", '<a href="https://x.org">x</a>', "<p>", '<img src="x.png">', "</div>",
])  # fmt: skip
def test_a_page_that_is_not_self_contained_is_caught(planted):
    page = page_on("complete")
    with pytest.raises(AssertionError):
        assert_self_contained(page.replace("</section>", planted + "</section>", 1))


def test_names_are_escaped(tmp_path):
    """Neither the name of a loss nor that of a file can put tags into the page."""
    files = [tmp_path / f"<b>&{view}.npy" for view in "ab"]
    for file, rows in zip(files, (A, B), strict=True):
        np.save(file, rows)
    loss = ss.Loss(ss.SpectralContrastive().expr, name="mine<script>&: 'it'")
    report = diagnose(*files, loss=loss, d1=3, refine=False)
    page = html_of(report)
    words = "".join(assert_self_contained(page).words)
    assert "mine<script>&: 'it' on features 700 x 32" in words and "<b>&a.npy" in words
    assert "<script>" not in page and "<b>" not in page


def test_a_notebook_gets_the_short_table():
    report = report_on("two levels agree")
    fragment = fragment_of(report)
    assert "<html" not in fragment and fragment == report._repr_html_()
    left_out = len(report.modes) - len([row for row in mode_table(report)[1] if len(row) > 1])
    assert f"... {left_out} more lost" in "".join(Page(fragment).words) and left_out > 0


def test_without_matplotlib_the_page_has_no_figure_and_the_figure_says_what_to_install(monkeypatch):
    report = report_on("complete")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "svg" not in assert_self_contained(html_of(report)).tags
    with pytest.raises(SymscapeError, match=r"pip install 'symscape\[figures\]'"):
        report.plot()


# JSON


def assert_plain(value: object) -> None:
    if isinstance(value, dict):
        assert all(type(key) is str for key in value)
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            assert_plain(item)
        return
    assert value is None or type(value) in (str, int, float, bool), type(value)


def test_the_record_is_plain_and_complete(report):
    record = record_of(report)
    assert_plain(record)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["schema"] == 1 and record["kind"] == report.kind
    np.testing.assert_array_equal(record["spectrum"], report.spectrum)
    for said, mode in zip(record["modes"], report.modes, strict=True):
        assert (said["number"], said["survives"], said["verdict"]) == (mode.number, mode.survives, mode.verdict)
        assert said["strength"] == mode.strength and said["eigenvalue"] == mode.eigenvalue
    assert (record["refined"] is None) == (report.refined is None) == (record["agreement"] is None)


def test_every_key_of_the_record_is_documented(report):
    for key in record_of(report):
        assert f"``{key}``" in record_of.__doc__, key
    for key in record_of(report)["modes"][0]:
        assert key in record_of.__doc__, key


@pytest.mark.parametrize("planted", [np.float64(1.0), {1: 2.0}, [np.int64(1)], (1.0,), np.zeros(2)])
def test_a_value_that_is_not_plain_is_caught(planted):
    with pytest.raises(AssertionError):
        assert_plain({"x": planted})


def test_what_is_unknown_is_none():
    report = report_on("two levels agree")
    assert np.isnan(report.theory.critical) == (record_of(report)["threshold"]["value"] is None)
    unknown = replace(report, theory=replace(report.theory, critical=float("nan"), value_at_collapse=float("inf")))
    assert record_of(unknown)["threshold"]["value"] is None
    assert record_of(unknown)["theory"]["value_at_collapse"] is None


# Further sections


def test_what_would_keep_modes_is_a_section_and_a_record():
    report = report_on("theory alone")
    found = report.keep(2, "weight_decay")
    section, (record,) = keep_section(2, found), suggestions_record(found)
    assert section.title == "To keep 2 modes, by theory" and str(found[0]) in section.sentences
    assert "half of a framework's number" in section.sentences[-1]
    assert_plain(record)
    low, high = record["intervals"][0]
    assert low < record["value"] < high and diagnose(A, B, "spectral", D0, record["value"], refine=False).surviving == 2


def test_what_changes_would_do_is_a_section():
    report = report_on("theory alone")
    assert what_if_section(report.what_ifs).sentences == tuple(map(str, report.what_ifs)) != ()


def test_a_comparison_after_training_is_a_section_and_a_record():
    report = report_on("two levels agree")
    z_a, z_b = (1.5 * report.best.representations(x) for x in (A, B))
    found = report.compare(z_a, z_b, train=False)
    section, record = comparison_section(found), comparison_record(found)
    assert_plain(record)
    np.testing.assert_array_equal(record["observed"], found.observed)
    assert section.sentences[1:] == found.causes and len(section.rows) == len(found.steps)
    assert f"{found.surviving_observed} modes observed" in section.sentences[0]
    assert_fits_a_terminal(text_of(report, [section]))


# The figure


def drawn(ax) -> dict[str, np.ndarray]:
    """Return the drawn points by the label in the legend, N x 2."""
    handles, names = ax.get_legend_handles_labels()
    lines = [handle[0] if isinstance(handle, tuple) else handle for handle in handles]
    return {name.split(" ±")[0]: np.column_stack(line.get_data()) for name, line in zip(names, lines, strict=True)}


def assert_draws_the_forecasts(points: dict[str, np.ndarray], report: Diagnosis) -> None:
    """Assert that each kept mode is drawn at its number and strength, and that lost ones are marked and nothing else is."""
    for name, forecast in (("theory", report.theory), ("loss on rows", report.refined)):
        kept = () if forecast is None else forecast.kept
        at = points.get(name, np.zeros((0, 2)))
        np.testing.assert_array_equal(at[:, 0], sorted(kept))
        np.testing.assert_allclose(at[:, 1], [forecast.strengths[k] for k in sorted(kept)])
    assert not set(points.get("lost", np.zeros((0, 2)))[:, 0]) & set(report.best.kept)


@pytest.mark.filterwarnings("error")
def test_the_figure_draws_the_forecasts(report):
    ax = plot_spectrum(report)
    assert_draws_the_forecasts(drawn(ax), report)
    ax.figure.savefig("/dev/null", format="svg")
    assert "mode" in ax.get_xlabel() and "eigenvalue of P" in ax.get_ylabel()


def test_a_figure_of_another_report_is_caught():
    with pytest.raises(AssertionError):
        assert_draws_the_forecasts(drawn(plot_spectrum(report_on("complete"))), report_on("two levels agree"))


def test_the_figure_goes_into_given_axes():
    ax = Figure().subplots()
    assert report_on("theory alone").plot(ax) is ax and ax.lines
    with pytest.raises(InputError, match="axes"):
        report_on("theory alone").plot("here")


def test_the_threshold_lies_between_the_modes_that_it_parts():
    report = report_on("theory alone")
    (line,) = [
        line for line in plot_spectrum(report).lines if len(set(line.get_xdata())) == 1 and len(line.get_xdata()) == 2
    ]
    beyond = int((report.theory.eigenvalues > report.theory.critical).sum())
    assert line.get_xdata()[0] == beyond - 0.5


def test_strengths_far_apart_are_drawn_on_a_logarithmic_axis():
    report, factors = report_on("two levels agree"), np.ones(D0)
    factors[report.theory.kept[-1]] = 1e-3
    assert plot_spectrum(with_strengths(report, factors)).get_yscale() == "log"
    assert plot_spectrum(report).get_yscale() == "linear"


# The estimator


def cloned(model: CollapseForecast) -> CollapseForecast:
    """Clone as scikit-learn does: copies of the parameters through the constructor, which must store them as they are."""
    params = {name: deepcopy(value) for name, value in model.get_params(deep=False).items()}
    made = type(model)(**params)
    assert all(made.get_params(deep=False)[name] is params[name] for name in params)
    return made


def test_parameters_are_stored_as_given_and_cloned():
    settings = {"tau": 0.5}
    model = CollapseForecast("infonce", d1=3, settings=settings)
    assert model.get_params()["settings"] is settings and model.settings is settings
    assert cloned(model).get_params() == model.get_params()
    assert model.set_params(d1=5, seed=2) is model and (model.d1, model.seed) == (5, 2)
    with pytest.raises(UnknownNameError, match=r"no parameter 'tau'.*settings"):
        model.set_params(seed=9, tau=1)
    assert model.seed == 2
    assert repr(model) == "CollapseForecast(d1=5, settings={'tau': 0.5}, seed=2)"


@pytest.mark.parametrize(("loss", "settings", "bias"), [("infonce", {"tau": 2}, False), ("spectral", None, True)])
def test_fitting_gives_what_diagnose_gives(loss, settings, bias):
    model = CollapseForecast(loss, d1=4, settings=settings, bias=bias, max_rows=150, seed=5).fit(A, B)
    report = diagnose(A, B, loss, 4, bias=bias, max_rows=150, seed=5, **(settings or {}))
    np.testing.assert_array_equal(model.spectrum_, report.spectrum)
    assert (model.kind_, model.surviving_, model.n_features_in_) == (report.kind, report.surviving, D0)
    assert model.effective_rank_ == report.effective_rank and model.modes_ is model.report_.modes
    expected = HELD_A @ model.W_.T + (model.bias_ if bias else 0)
    np.testing.assert_allclose(model.transform(HELD_A), expected)
    np.testing.assert_array_equal(cloned(model).fit_transform(A, B), model.transform(A))


def test_the_score_is_minus_the_loss_on_other_rows():
    """Higher than that of weights turned away from the theory's."""
    model = CollapseForecast("spectral", d1=6).fit(A, B)
    score = model.score(HELD_A, HELD_B)
    assert score == pytest.approx(-ss.sampled_loss(ss.SpectralContrastive(), HELD_A, HELD_B, W=model.W_).value)
    turned = model.W_ @ np.linalg.qr(RNG.standard_normal((D0, D0)))[0]
    assert -ss.sampled_loss(ss.SpectralContrastive(), HELD_A, HELD_B, W=turned).value < score


def test_what_does_not_fit_is_refused_in_words():
    model = CollapseForecast("spectral", d1=6)
    for call in (lambda: model.transform(A), lambda: model.score(A, B)):
        with pytest.raises(SymscapeError, match=r"call fit\(features_a, features_b\) first"):
            call()
    model.set_params(refine=False).fit(A, B)
    with pytest.raises(InputError, match=f"N x {D0}"):
        model.transform(A[:, :3])
    with pytest.raises(InputError, match="row 1 of features"):
        model.transform(np.vstack([A[:1], np.full((1, D0), np.nan)]))
    with pytest.raises(UnknownNameError, match="pass d1="):
        CollapseForecast("spectral", settings={"d1": 3}).fit(A, B)
    with pytest.raises(UnknownNameError, match="tau"):
        CollapseForecast(ss.SpectralContrastive(), settings={"tau": 3}).fit(A, B)


def test_a_fit_that_fails_leaves_what_was_fitted():
    model = CollapseForecast("spectral", d1=6, refine=False).fit(A, B)
    before = model.report_
    with pytest.raises(InputError):
        model.set_params(d1=0).fit(A, B)
    assert model.report_ is before
