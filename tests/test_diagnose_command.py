"""`symscape diagnose`: the report on files, in text, JSON, HTML and as a figure; whole or not at all, bad input in one line."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from symscape.cli import diagnose as command
from symscape.cli.app import main
from symscape.data.digits import load_digits
from symscape.diagnosis.diagnose import diagnose
from symscape.diagnosis.text import text_of

RNG = np.random.default_rng(11)
PIXELS = load_digits()[0][:500]
PIXELS = PIXELS[:, np.sort(np.argsort(-PIXELS.var(axis=0))[:16])]
A, B = (PIXELS + 0.3 * RNG.standard_normal(PIXELS.shape) for _ in range(2))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", A)
    np.save("b.npy", B)
    np.savez("ab.npz", one=A, two=B, labels=np.arange(3))
    bad = A.copy()
    bad[7, 2] = np.nan
    np.save("bad.npy", bad)
    return tmp_path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    """Run `symscape diagnose` in this process; return (exit status, standard output, standard error)."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["symscape", "diagnose", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capsys.readouterr()
        return stop.value.code or 0, out, err

    return run


QUICK = ("a.npy", "b.npy", "--loss", "spectral", "--d1", 4, "--no-refine")


def test_the_command_prints_what_the_function_says(run):
    words = ("--loss", "infonce", "--set", "tau=2", "--d1", 2, "--rows", 200, "--seed", 3)
    status, out, err = run("a.npy", "b.npy", *words)
    report = diagnose("a.npy", "b.npy", "infonce", 2, tau=2, max_rows=200, seed=3)
    assert status == 0 and err == "" and out == f"{text_of(report)}\n"
    assert "200 of 500 rows, drawn with seed 3" in " ".join(out.split())


@pytest.mark.parametrize(("words", "options"), [
    (("--d1", 4, "--gamma", "0.3"), {"d1": 4, "weight_decay": 0.3}),
    (("--d1", 4, "--weight-decay", "0.6"), {"d1": 4, "weight_decay": 0.3}),
    (("--bias",), {"bias": True}),
    (("--d1", 40), {"d1": 40}),
])  # fmt: skip
def test_options_mean_what_the_function_s_arguments_mean(run, words, options):
    """--weight-decay is the framework's number, of which gamma is half."""
    status, out, _ = run("a.npy", "b.npy", "--loss", "spectral", "--no-refine", "--json", *words)
    record, expected = json.loads(out), diagnose(A, B, "spectral", refine=False, **options).record()
    assert status == 0
    assert record["spectrum"] == pytest.approx(expected["spectrum"]) and record["kind"] == expected["kind"]
    assert (record["gamma"], record["outputs"], record["has_bias"]) == (
        pytest.approx(expected["gamma"]), expected["outputs"], expected["has_bias"])  # fmt: skip


def test_weight_decay_is_not_gamma(run):
    """The planted mistake of taking one for the other changes the report."""
    records = [json.loads(run(*QUICK, "--json", option, "1")[1]) for option in ("--gamma", "--weight-decay")]
    assert [record["gamma"] for record in records] == [1.0, 0.5] and records[0]["spectrum"] != records[1]["spectrum"]


def test_a_predicted_collapse_is_no_failure(run):
    status, out, _ = run(*QUICK, "--gamma", 50)
    assert status == 0 and "complete collapse" in out.splitlines()[0]


@pytest.mark.parametrize("files", [("ab.npz", "--keys", "one,two"), ("a.npy", "b.npy")])
def test_one_file_or_two(run, files):
    status, out, _ = run(*files, *QUICK[2:])
    assert status == 0 and out.startswith("SpectralContrastive on features 500 x 16, 4 outputs: ")


def test_without_files_the_digits_stand_in(run):
    status, out, _ = run("--loss", "spectral", "--no-refine", "--json")
    record = json.loads(out)
    assert status == 0 and record["features"]["rows"] == 1797 and record["outputs"] == 16


@pytest.mark.parametrize("loss", ["Spectral", "-2*E(dot(x, xp)) + E(dot(x, chi)**2)"])
def test_a_loss_is_a_name_or_an_expression(run, loss):
    status, out, _ = run("a.npy", "b.npy", f"--loss={loss}", "--d1", 4, "--no-refine", "--json")
    found, expected = json.loads(out)["spectrum"], diagnose(A, B, "spectral", 4, refine=False).spectrum
    assert status == 0 and found == pytest.approx(list(expected), rel=1e-6)


def test_a_preset_is_told_with_its_notes(run):
    status, out, _ = run("a.npy", "b.npy", "--loss", "solo-learn/vicreg", "--d1", 4, "--no-refine")
    assert status == 0 and out.startswith("solo-learn/vicreg on") and "preset: " in out


def test_bad_rows_are_refused_or_left_out_as_asked(run):
    status, _, err = run("bad.npy", *QUICK[1:])
    assert status == 2 and "1 of 500 rows" in err and err.count("\n") == 1
    status, out, _ = run("bad.npy", *QUICK[1:], "--drop-bad-rows", "--json")
    assert status == 0 and json.loads(out)["features"]["rows"] == 499


def test_the_page_and_the_figure_are_written(run, folder):
    status, out, _ = run(*QUICK, "--html", "report.html", "--figure", "spectrum.svg", "--keep", 2, "--what-if")
    assert status == 0 and out.endswith("wrote report.html\nwrote spectrum.svg\n")
    page, figure = Path("report.html").read_text(encoding="utf-8"), Path("spectrum.svg").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>") and page.endswith("</html>\n") and "To keep 2 modes" in page
    assert "What if" in page and "What if" in out and figure.rstrip().endswith("</svg>")
    assert not list(folder.glob(".symscape-*"))


def test_json_stands_alone(run):
    """Nothing but one JSON value is printed, with what was asked beside the report."""
    status, out, _ = run(*QUICK, "--json", "--figure", "spectrum.png", "--keep", 2)
    record = json.loads(out)
    assert status == 0 and Path("spectrum.png").read_bytes().startswith(b"\x89PNG")
    assert {entry["keep"] for entry in record["keep"]} == {2}


def test_representations_after_training_are_compared(run):
    report = diagnose(A, B, "spectral", 4)
    np.save("z_a.npy", report.best.representations(A))
    np.save("z_b.npy", report.best.representations(B))
    words = ("a.npy", "b.npy", "--loss", "spectral", "--d1", 4, "--representations")
    status, out, _ = run(*words, "z_a.npy", "--representations", "z_b.npy", "--json")
    record = json.loads(out)["comparison"]
    assert status == 0 and record["surviving_observed"] == record["surviving_predicted"] == 4
    assert record["difference"] < 0.02
    np.save("z_a.npy", report.best.representations(A) * [1, 1, 0, 0])
    status, out, _ = run(*words, "z_a.npy")
    assert status == 0 and "2 modes observed, 4 predicted" in " ".join(out.split())


BAD = {
    "no loss": (("a.npy", "b.npy"), "--loss infonce"),
    "an unknown loss": (("a.npy", "b.npy", "--loss", "infonec"), "infonec"),
    "a missing number": (
        ("a.npy", "b.npy", "--loss", "E(sqdist(x, xp)) + log(E(exp(-c*sqdist(x, chi))))"),
        "missing: c",
    ),
    "an unknown setting": (("a.npy", "b.npy", "--loss", "infonce", "--set", "nu=1"), "nu"),
    "both weight decays": ((*QUICK, "--gamma", "1", "--weight-decay", "2"), "twice"),
    "gamma that is no number": ((*QUICK, "--gamma", "g"), "--gamma g"),
    "negative weight decay": ((*QUICK, "--weight-decay=-1"), "negative"),
    "one view": (("a.npy", *QUICK[2:]), "other view"),
    "three files": (("a.npy", "b.npy", "a.npy", *QUICK[2:]), "3 given"),
    "no file": (("a.npy", "nothing.npy", *QUICK[2:]), "nothing.npy"),
    "one key": (("ab.npz", "--keys", "one", *QUICK[2:]), "--keys one"),
    "an unknown key": (("ab.npz", "--keys", "one,three", *QUICK[2:]), "three"),
    "no outputs": (("a.npy", "b.npy", "--loss", "spectral", "--d1", 0), "d1=0"),
    "too large batches": (("a.npy", "b.npy", "--loss", "spectral", "--batch-size", 501), "batch_size=501"),
    "too few rows": (("a.npy", "b.npy", "--loss", "spectral", "--rows", 1), "max_rows=1"),
    "a negative number of modes": ((*QUICK, "--keep=-1"), "--keep -1"),
    "representations of other outputs": ((*QUICK, "--representations", "a.npy"), "16 outputs"),
    "the page over an input": ((*QUICK, "--html", "./b.npy"), "over the input"),
    "the figure over the page": ((*QUICK, "--html", "x.svg", "--figure", "x.svg"), "two names"),
    "an unknown format": ((*QUICK, "--figure", "x.bmp"), "bmp"),
    "a folder that is not there": ((*QUICK, "--html", "nowhere/x.html"), "nowhere"),
}


def assert_refused_in_one_line(outcome: tuple[int, str, str], said: str) -> None:
    status, out, err = outcome
    assert status == 2 and out == ""
    assert err.startswith("symscape: error: ") and err.count("\n") == 1 and said in err


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_one_line_and_writes_nothing(run, folder, name):
    words, said = BAD[name]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    outputs = () if {"--html", "--figure"} & set(words) else ("--html", "report.html", "--figure", "spectrum.pdf")
    assert_refused_in_one_line(run(*words, *outputs), said)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_good_input_is_not_taken_for_refused(run):
    with pytest.raises(AssertionError):
        assert_refused_in_one_line(run(*QUICK), "")


@pytest.mark.parametrize(
    ("planted", "status"), [(KeyboardInterrupt(), 130), (OSError(28, "No space left on device"), 2)]
)
def test_a_run_that_stops_leaves_old_files_as_they_were(run, folder, monkeypatch, planted, status):
    """Interrupted after the report and while the page is made: the old page stays, and no part of a new one."""
    Path("report.html").write_text("old")

    def stop(*_: object) -> str:
        raise planted

    monkeypatch.setattr(command, "html_of", stop)
    found, out, err = run(*QUICK, "--html", "report.html", "--figure", "spectrum.pdf")
    assert found == status and out == "" and err.count("\n") == 1
    assert Path("report.html").read_text() == "old"
    assert not list(folder.glob(".symscape-*")) and not Path("spectrum.pdf").exists()


def test_a_figure_without_matplotlib_is_refused_before_any_work(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(command, "diagnose", lambda *_, **__: pytest.fail("work was done"))
    status, _, err = run(*QUICK, "--figure", "spectrum.pdf")
    assert status == 2 and "pip install 'symscape[figures]'" in err and not Path("spectrum.pdf").exists()


def test_the_readme_shows_what_is_printed(run):
    """The block is the command's own output; numbers are compared to a unit of their last digit, as machines round apart."""
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    command_line = "$ symscape diagnose --loss vicreg-official/vicreg\n"
    shown = readme.split(command_line)[1].split("\n```")[0].splitlines()
    _, out, _ = run("--loss", "vicreg-official/vicreg")
    for ours, printed in zip(shown, out.splitlines(), strict=False):
        number = re.compile(r"\d+\.\d+|\d+")
        assert number.sub("#", ours).split() == number.sub("#", printed).split()
        for a, b in zip(number.findall(ours), number.findall(printed), strict=True):
            assert abs(float(a) - float(b)) <= 1.01 * 10.0 ** -len(a.partition(".")[2])
    assert len(shown) > 12
