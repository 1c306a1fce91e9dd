"""The command line does its job, and answers bad input in one line with exit status 2."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from symscape.cli.app import main
from symscape.data.digits import load_digits
from symscape.sampling.noisy_views import NoisyViews


def run(monkeypatch, capsys, *words):
    """Run the command in this process; return (exit status, standard output, standard error)."""
    monkeypatch.setattr(sys, "argv", ["symscape", *words])
    with pytest.raises(SystemExit) as stop:
        main()
        sys.exit(0)
    out, err = capsys.readouterr()
    return stop.value.code or 0, out, err


def test_derive_prints_the_landscape_its_hessian_and_the_check(monkeypatch, capsys):
    """`derive infonce` derives -Tr M + (3/4) Tr P^2 (THEORY T1), says that B = A_0, and agrees with the digits."""
    status, out, err = run(monkeypatch, capsys, "derive", "infonce")
    assert status == 0 and err == ""
    assert "L = -Tr M + 3/4 Tr P² + O(W⁶)" in out
    assert "B = A_0" in out and "does not enter B" in out
    assert "agrees" in out and "within 5 % of the sampled loss" in out


@pytest.mark.parametrize("name", ["InfoNCE", "NT-Xent", "nt_xent", "spectral", "Barlow-Twins", "barlowtwins", "VICReg"])
def test_names_ignore_case_and_hyphens(monkeypatch, capsys, name):
    """Every loss of the catalogue is found under any spelling, and --symbolic keeps its parameters."""
    status, out, _ = run(monkeypatch, capsys, "derive", name, "--symbolic", "--no-check")
    assert status == 0 and out.lower().startswith(name.lower().replace("-", "").replace("_", ""))


def test_the_readme_shows_what_is_printed(monkeypatch, capsys):
    """The README's block is the command's own output, but for the sampled figures, and holds no placeholder."""
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    block = readme.split("```text\n")[1].split("\n...")[0]
    _, out, _ = run(monkeypatch, capsys, "derive", "infonce", "--no-check")
    assert block in out
    assert not re.search(r"^[A-Z]{6,}$", readme, re.M)


def test_json_is_machine_readable(monkeypatch, capsys):
    """--json prints one JSON value with terms, Hessian, assumptions, steps and the check."""
    status, out, _ = run(monkeypatch, capsys, "derive", "spectral", "--json")
    record = json.loads(out)
    assert status == 0 and record["exact"] and record["check"]["agrees"]
    assert [(t["degree"], t["coefficient"], t["word"]) for t in record["terms"]] == [
        (2, "-2", "Tr M"),
        (4, "1", "Tr P²"),
    ]
    assert record["hessian"]["coefficients"] == {"A_0": "2"}


def test_list_as_json_names_every_loss_and_its_facts(monkeypatch, capsys):
    """`list --json` carries the facts that `facts` derives."""
    _, out, _ = run(monkeypatch, capsys, "list", "--json")
    records = {r["name"]: r for r in json.loads(out)}
    assert set(records) == {"infonce", "ntxent", "spectral", "barlow-twins", "vicreg"}
    assert records["spectral"]["facts"]["distribution_free_order"] == "all"
    assert records["ntxent"]["facts"]["scale_invariant"]


def test_list_prints_a_table(monkeypatch, capsys):
    """`list` shows parameters and facts."""
    status, out, _ = run(monkeypatch, capsys, "list")
    assert status == 0 and "similarity" in out and "rotation-invariant" in out


def test_latex_is_printed_alone(monkeypatch, capsys):
    """--latex prints numbered equations and nothing else; braces and environments balance."""
    _, out, _ = run(monkeypatch, capsys, "derive", "infonce", "--symbolic", "--latex")
    assert out.startswith(r"\noindent (1) The loss.") and out.count("{") == out.count("}")
    assert out.count(r"\begin{align*}") == out.count(r"\end{align*}") == 7


def test_settings_reach_the_loss(monkeypatch, capsys):
    """--set changes parameters: at tau = 1/2, n = 4, B = n / (tau (n + 1)) A_0 = 8/5 A_0."""
    words = ("derive", "infonce", "--set", "tau=1/2", "--set", "n=4", "--no-check", "--json")
    _, out, _ = run(monkeypatch, capsys, *words)
    assert json.loads(out)["hessian"]["coefficients"] == {"A_0": "8/5"}


def test_an_expression_is_a_loss(monkeypatch, capsys, tmp_path):
    """A loss of the user's own comes as an argument or in a file; both say the same."""
    text = "E(sqdist(x, xp)) + log(E(exp(-2*sqdist(x, chi)), over=chi))"
    file = tmp_path / "mine.txt"
    file.write_text("# alignment and uniformity, one row\n" + text + "\n")
    with pytest.raises(AssertionError):
        # The logarithm of an expression whose anchor stays free is no loss.
        assert run(monkeypatch, capsys, "derive", text, "--no-check")[0] == 0
    file.write_text("# alignment and uniformity\n" + text.replace(", over=chi", "") + "\n")
    _, by_file, _ = run(monkeypatch, capsys, "derive", "--file", str(file), "--no-check", "--json")
    _, by_word, _ = run(monkeypatch, capsys, "derive", text.replace(", over=chi", ""), "--no-check", "--json")
    assert json.loads(by_file)["text"] == json.loads(by_word)["text"] == "-2 Tr M - 2 Tr P + 16 Tr P² + O(W⁶)"


def test_free_parameters_of_an_expression_are_set_by_name(monkeypatch, capsys):
    """--set gives numbers to the symbols of an expression; without them there is no check, and it says so."""
    text = "t * E(sqdist(x, xp)) + E(dot(x, chi)**2)"
    _, out, _ = run(monkeypatch, capsys, "derive", text)
    assert "give every parameter a number" in out
    status, out, _ = run(monkeypatch, capsys, "derive", text, "--set", "t=3")
    assert status == 0 and "agrees" in out


BAD = [
    (("derive",), "give a loss"),
    (("derive", "infonc"), "did you mean 'infonce'"),
    (("derive", "ntxent"), "epsilon"),
    (("derive", "infonce", "--order", "3"), "order 3"),
    (("derive", "infonce", "--order", "0"), "order 0"),
    (("derive", "infonce", "--order", "-4"), "order -4"),
    (("derive", "infonce", "--order", "four"), "--order"),
    (("derive", "infonce", "--set", "tua=1"), "tua"),
    (("derive", "infonce", "--set", "tau=-1"), "tau=-1"),
    (("derive", "infonce", "--set", "tau"), "tau"),
    (("derive", "infonce", "--set", "tau=__import__('os')"), "__import__"),
    (("derive", "infonce", "--set", "similarity=cos"), "cos"),
    (("derive", "infonce", "--data", "weird"), "weird"),
    (("derive", "infonce", "--nope"), "--nope"),
    (("derive", "__import__('os').system('true')"), "__import__"),
    (("derive", "E(dot(x, chi)**2).subs(1, 2)"), "subs"),
    (("derive", "dot(x, xp)"), "never integrated"),
    (("derive", "--file", "no-such-file"), "no-such-file"),
    (("deriv", "infonce"), "deriv"),
    (("derive", "infonce", "--latex", "--json"), "--latex and --json"),
    (("derive", "infonce", "--set", "tau=1", "--set", "tau=2"), "given twice"),
    (("derive", "infonce", "--seed", "-1"), "--seed"),
    (("derive", "infonce", "--file", "x"), "both 'infonce' and --file x"),
]


@pytest.mark.parametrize(("words", "quoted"), BAD, ids=[" ".join(w) for w, _ in BAD])
def test_bad_input_gets_one_line_that_quotes_it(monkeypatch, capsys, words, quoted):
    """Bad input ends with status 2, nothing on standard output, and one line on standard error that quotes it."""
    status, out, err = run(monkeypatch, capsys, *words)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1 and err.startswith("symscape: error: ") and quoted in err


def test_an_empty_file_is_told(monkeypatch, capsys, tmp_path):
    """An empty file of an expression is an error that says so."""
    (tmp_path / "empty").write_text(" \n")
    status, _, err = run(monkeypatch, capsys, "derive", "--file", str(tmp_path / "empty"))
    assert status == 2 and "empty" in err


def in_a_process(*words, prepare=""):
    """Run the command in a process of its own."""
    code = f"import sys\nfrom symscape.cli import app, derive\n{prepare}\nsys.argv = ['symscape', *{list(words)}]\napp.main()"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)


def test_a_failed_check_ends_with_status_1():
    """Exit status 1 when the landscape does not agree with the sampled loss: here one of another loss is planted."""
    planted = (
        "from symscape import InfoNCE, landscape\nright = derive.check_on_digits\n"
        "derive.check_on_digits = lambda loss, **k: right(loss, land=landscape(InfoNCE(tau=2)), **k)"
    )
    failed = in_a_process("derive", "infonce", prepare=planted)
    assert failed.returncode == 1 and "does NOT agree" in failed.stdout
    assert in_a_process("derive", "infonce", "--no-check", prepare=planted).returncode == 0


def test_an_interruption_ends_with_status_130():
    """Ctrl-C during the check says so in one line, without a traceback."""
    planted = "def stop(*a, **k): raise KeyboardInterrupt\nderive.check_on_digits = stop"
    stopped = in_a_process("derive", "spectral", prepare=planted)
    assert stopped.returncode == 130 and stopped.stderr.strip() == "symscape: interrupted"


def test_output_survives_a_poor_encoding():
    """A terminal that cannot print a superscript gets the rest."""
    poor = in_a_process("derive", "spectral", "--no-check", prepare="sys.stdout.reconfigure(encoding='ascii')")
    assert poor.returncode == 0 and "-2 Tr M + Tr P" in poor.stdout


def test_the_command_is_installed():
    """The console script runs and tells its version."""
    script = Path(sys.executable).parent / "symscape"
    result = subprocess.run([script, "--version"], capture_output=True, text=True, check=False)
    assert result.returncode == 0 and result.stdout.startswith("symscape 0.")


def test_collapse_says_which_modes_of_the_digits_survive(monkeypatch, capsys):
    """With weight decay a mode of InfoNCE survives where gamma is below the eigenvalue of A_0 (T5), here 2 of 16."""
    A_0 = NoisyViews(load_digits()[0], 0.3).A_0
    levels = np.linalg.eigvalsh(A_0)[::-1]
    gamma = float(levels[1] + levels[2]) / 2
    status, out, err = run(monkeypatch, capsys, "collapse", "infonce", "--gamma", str(gamma))
    assert status == 0 and err == ""
    assert "dimensional collapse: 2 of 16 possible modes survive" in out
    assert "holds modes at zero: " in out and "complete: every stationary point" in out
    _, beyond, _ = run(monkeypatch, capsys, "collapse", "infonce", "--gamma", str(float(levels[0] * 1.02)))
    assert "complete collapse: 0 of 16" in beyond


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (("vicreg",), 8),
        (("barlow-twins", "--set", "epsilon=0", "--set", "lambda=0.0051"), 5),
        (("ntxent", "--set", "tau=0.5"), 11),
        (("spectral", "--d1", "4"), 4),
    ],
)
def test_collapse_of_losses_away_from_the_origin(monkeypatch, capsys, words, kept):
    """Least over rotations for VICReg and Barlow Twins, on the shell for the cosine; kept modes as in trained heads."""
    status, out, _ = run(monkeypatch, capsys, "collapse", *words, "--json")
    record = json.loads(out)
    assert status == 0 and record["surviving"] == kept == sum(mode["survives"] for mode in record["modes"])


def test_collapse_reads_moments_from_a_file(monkeypatch, capsys, tmp_path):
    """--moments takes an .npz file with A0 and Sigma."""
    file = tmp_path / "moments.npz"
    np.savez(file, A0=np.diag([3.0, 1.0]), Sigma=np.diag([4.0, 2.0]))
    _, out, _ = run(
        monkeypatch, capsys, "collapse", "infonce", "--gamma", "2", "--d1", "2", "--moments", str(file), "--json"
    )
    record = json.loads(out)
    assert record["kind"] == "dimensional" and [mode["survives"] for mode in record["modes"]] == [True, False]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("collapse",), "give a loss"),
        (("collapse", "infonce", "--set", "tau=tau2"), "tau2"),
        (("collapse", "infonce", "--gamma", "-1"), "gamma"),
        (("collapse", "infonce", "--d1", "0"), "d1=0"),
        (("collapse", "infonce", "--noise", "-1"), "noise"),
        (("collapse", "barlow-twins", "--set", "lambda=0.5", "--gamma", "0.1"), "weight decay"),
        (("collapse", "infonce", "--moments", "absent.npz"), "absent.npz"),
        (("collapse", "infonce", "--moments", "README.md"), "README.md"),
    ],
)
def test_collapse_refuses_bad_input_in_one_line(monkeypatch, capsys, words, message):
    """Exit status 2, one line that quotes the input, nothing on standard output."""
    status, out, err = run(monkeypatch, capsys, *words)
    assert status == 2 and out == "" and err.count("\n") == 1 and message in err


def test_pickled_and_incomplete_moments_are_refused(monkeypatch, capsys, tmp_path):
    """A pickle is not read, a missing array is named, and A_0 above Sigma is told."""
    pickled, missing, swapped = (tmp_path / f"{name}.npz" for name in ("pickled", "missing", "swapped"))
    np.savez(pickled, A0=np.array([{"a": 1}], dtype=object), Sigma=np.eye(1))
    np.savez(missing, A0=np.eye(2))
    np.savez(swapped, A0=2 * np.eye(2), Sigma=np.eye(2))
    for file, message in ((pickled, "not an .npz file"), (missing, "Sigma is missing"), (swapped, "Sigma - A0")):
        status, _, err = run(monkeypatch, capsys, "collapse", "infonce", "--moments", str(file))
        assert status == 2 and message in err


def test_derive_prints_stationary_points_and_thresholds(monkeypatch, capsys):
    """`derive` solves the landscape: p_i = 2 b_i / 3 for InfoNCE, and the threshold in weight decay."""
    _, out, _ = run(monkeypatch, capsys, "derive", "infonce", "--no-check")
    assert "p_i = 2*b_i/3" in out and "mode k < d_1 survives where gamma < lambda_k" in out
    _, out, _ = run(monkeypatch, capsys, "derive", "vicreg", "--symbolic", "--no-check")
    assert "at the kink" in out and "outputs count apart" in out


def test_export_writes_a_module(monkeypatch, capsys, tmp_path):
    """`symscape export` writes what `export` does, for presets and expressions too."""
    file = tmp_path / "landscape.py"
    status, out, _ = run(monkeypatch, capsys, "export", "infonce", "-o", str(file), "--set", "tau=0.5")
    assert status == 0 and "landscape.py: -2 Tr M + 3 Tr P²" in out
    namespace = {}
    exec(compile(file.read_text(), str(file), "exec"), namespace)
    assert namespace["value"]([[1.0, 0.0]], A0=np.eye(2), Sigma=np.eye(2)) == 1.0
    for words in (["lightly/vicreg"], ["E(sqdist(x, xp))", "--backend", "torch"], ["ntxent", "--symbolic", "--bias"]):
        assert run(monkeypatch, capsys, "export", *words, "-o", str(file))[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["infonce"], "Missing option '--output'"),
        (["infonce", "-o", "a.txt"], "ends with .py"),
        (["infonce", "-o", "a.py", "--backend", "cobol"], "unknown backend 'cobol'; known: numpy, jax, torch"),
        (["infonc", "-o", "a.py"], "did you mean 'infonce'"),
        (["ntxent", "-o", "a.py"], "scale-invariant"),
        (["infonce", "-o", "a.py", "--data", "cumulants"], "joint cumulants"),
    ],
)
def test_bad_exports_are_told_in_one_line(monkeypatch, capsys, tmp_path, words, message):
    monkeypatch.chdir(tmp_path)
    status, _, err = run(monkeypatch, capsys, "export", *words)
    assert status == 2 and message in err and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_verify_proves_and_catches(monkeypatch, capsys):
    """One derivation proved, with planted errors caught, by its result or its own name; unknown names are told."""
    status, out, _ = run(monkeypatch, capsys, "verify", "T1.infonce")
    assert status == 0 and "1 derivations" in out and "all hold" in out
    status, out, _ = run(monkeypatch, capsys, "verify", "t1.infonce", "--tamper")
    assert status == 0 and "T1 caught" in out and "NOT" not in out
    status, _, err = run(monkeypatch, capsys, "verify", "T99")
    assert status == 2 and "there is no derivation 't99'" in err
