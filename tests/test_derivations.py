"""Every derivation proves what it says, catches every error planted in it, and is written as derivations are."""

import ast
import subprocess
import sys

import pytest

import symscape as ss
from symscape.verification import derivations as found
from symscape.verification.derivations import Derivation, chosen, derivations, folder, run, run_all

RESULTS = [f"T{k}" for k in range(1, 13)] + [f"X{k}" for k in range(1, 8)]
LINES = range(40, 91)
PACKAGES = {"symscape", "sympy", "numpy", "mpmath", "scipy"}

every_derivation = pytest.mark.parametrize("derivation", derivations(), ids=lambda d: d.identifier)


def assert_good(outcome):
    """Assert that every claim holds, or with planted errors, that every one was caught; the message names the others."""
    wrong = [str(v) for v in outcome.verdicts if v.holds == outcome.tampered]
    assert outcome.verdicts, f"{outcome.derivation.identifier} claims nothing; {outcome.error}"
    assert not outcome.error and not wrong, "\n".join([outcome.derivation.identifier, outcome.error, *wrong])
    assert outcome.good


# What they say


@every_derivation
def test_every_claim_holds(derivation):
    assert_good(run(derivation))


@every_derivation
def test_every_planted_error_is_caught(derivation):
    outcome = run(derivation, tamper=True)
    assert all(v.tampered for v in outcome.verdicts)
    assert_good(outcome)


def test_every_result_of_the_theory_has_a_derivation():
    """T1 to T12 and X1 to X7, in this order; files without the name of a result are none."""
    assert list(dict.fromkeys(d.result for d in derivations())) == RESULTS
    assert len({d.identifier for d in derivations()}) == len(list(folder().glob("*.py")))


# How they are written


def flaws(source, result):
    """Return what is wrong with how a derivation is written."""
    tree, said = ast.parse(source), []
    if len(source.splitlines()) not in LINES:
        said.append(f"{len(source.splitlines())} lines, not {LINES.start} to {LINES.stop - 1}")
    if not (ast.get_docstring(tree) or "").startswith(f"{result}. "):
        said.append(f"the docstring is the theorem, and starts with {result}.")
    proves = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "prove"]
    if len(proves) != 1 or ast.unparse(proves[0].args) != "proof: ss.Proof":
        said.append("there is one prove(proof: ss.Proof)")
    elif len((ast.get_docstring(proves[0]) or "\n").splitlines()) != 1:
        said.append("prove has a docstring of one line")
    steps = [call.func.attr for call in ast.walk(tree)
             if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("proof.")]  # fmt: skip
    if steps.count("text") < 2 or set(steps) <= {"text"}:
        said.append("steps are told by proof.text, and checked")
    if ast.unparse(tree.body[-1]) != "if __name__ == '__main__':\n    ss.present(prove)":
        said.append("as a script it presents itself")
    return said + foreign_names(tree)


def foreign_names(tree):
    """Return what a derivation imports or uses beside public names of the packages that it may build on."""
    said = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ["." * node.level + (node.module or "")]
            said += [f"{alias.name} is not public" for alias in node.names
                     if node.module == "symscape" and alias.name not in ss.__all__]  # fmt: skip
        elif isinstance(node, ast.Attribute):
            names = []
            if node.attr.startswith("_") and not node.attr.startswith("__"):
                said.append(f".{node.attr} is private")
            if isinstance(node.value, ast.Name) and node.value.id == "ss" and node.attr not in ss.__all__:
                said.append(f"ss.{node.attr} is not public")
        else:
            continue
        said += [f"imports {name}" for name in names if name.split(".")[0] not in PACKAGES | sys.stdlib_module_names]
        said += [f"imports {name}, which is inside" for name in names if name.startswith("symscape.")]
    return said


@every_derivation
def test_a_derivation_is_a_short_program_in_public_names(derivation):
    """40 to 90 lines, the docstring the theorem, steps told and checked, symscape by its public names only."""
    assert flaws(derivation.file.read_text(), derivation.result) == []
    assert derivation.theorem.splitlines()[0] == f"{derivation.result}. {derivation.claim}"


PATTERN = (folder() / "t01_infonce.py").read_text()


@pytest.mark.parametrize(
    ("old", "new", "flaw"),
    [
        ("T1. The", "T2. The", "starts with T1."),
        ("import mpmath as mp\n", "import pandas\n", "imports pandas"),
        ("import symscape as ss\n", "import symscape as ss\nimport symscape.landscape.landscape\n", "which is inside"),
        ("from symscape import A_0", "from symscape import __version__, A_0", "__version__ is not public"),
        ("ss.sqdist(x, chi)", "ss.distance(x, chi)", "ss.distance is not public"),
        ("land.hessian.B", "land._plan", "._plan is private"),
        ("proof: ss.Proof", "proof", "one prove"),
        ('"""Expand the two', '"""Expand\n\n    the two', "docstring of one line"),
        ("proof.text(", "print(", "told by proof.text"),
        ("ss.present(prove)", "prove(ss.Proof())", "presents itself"),
        ("x, xp, chi =", "\n" * 20 + "x, xp, chi =", "lines, not 40 to 90"),
    ],
)
def test_a_derivation_that_is_written_otherwise_is_told(old, new, flaw):
    """Each flaw, planted into a derivation without any, is the one that is found."""
    assert flaws(PATTERN, "T1") == [] and old in PATTERN
    assert any(flaw in said for said in flaws(PATTERN.replace(old, new), "T1"))


# How they are found and run


def planted(tmp_path, body, name="t99_planted.py"):
    """Return a derivation with a body of its own."""
    file = tmp_path / name
    file.write_text(f'"""T99. A claim. And more."""\n\ndef prove(proof):\n    {body}\n')
    return Derivation("T99.planted", "T99. A claim. And more.", file)


def test_a_claim_that_fails_is_an_outcome(tmp_path):
    outcome = run(planted(tmp_path, "proof.exact('two is', 2, 2); proof.exact('two is', 2, 3)"))
    assert not outcome.good and not outcome.error
    assert [v.holds for v in outcome.verdicts] == [True, False]
    with pytest.raises(AssertionError, match="derived 2, not 3"):
        assert_good(outcome)


def test_a_claim_that_cannot_fail_is_not_caught(tmp_path):
    """A derivation is good under planted errors only if each of its claims can fail."""
    derivation = planted(tmp_path, "proof.exact('two is', 2, 2); proof.numeric('yes', lambda off: True)")
    assert run(derivation).good
    outcome = run(derivation, tamper=True)
    assert not outcome.good and [v.holds for v in outcome.verdicts] == [False, True]


def test_an_exception_is_an_outcome_and_says_where(tmp_path):
    """The claims before it stay; neither with planted errors nor without is such a derivation good."""
    derivation = planted(tmp_path, "proof.exact('two is', 2, 2); 1 / 0")
    for tamper in (False, True):
        outcome = run(derivation, tamper)
        assert outcome.error == "ZeroDivisionError: division by zero (t99_planted.py, line 4)"
        assert len(outcome.verdicts) == 1 and not outcome.good


def test_a_derivation_that_claims_nothing_is_not_good(tmp_path):
    assert not run(planted(tmp_path, "proof.text('Nothing.')")).good


def test_broken_files_do_not_stop_the_others(tmp_path, monkeypatch):
    """Names, order and docstrings are read without running anything; what cannot run fails by itself."""
    for name, text in {
        "x02_b.py": '"""X2. B."""',
        "t10.py": '"""T10. A."""\nraise ValueError',
        "t02_a_b.py": "def (",
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "helper.py").write_text("")
    monkeypatch.setattr(found, "folder", lambda: tmp_path)
    listed = found.derivations.__wrapped__()
    assert [(d.identifier, d.result, d.claim) for d in listed] == [
        ("T2.a-b", "T2", ""),
        ("T10", "T10", "A."),
        ("X2.b", "X2", "B."),
    ]
    assert [run(d).error.split(":")[0] for d in listed] == ["SyntaxError", "ValueError", "AttributeError"]


def test_derivations_that_are_missing_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(ss, "__file__", str(tmp_path / "symscape" / "__init__.py"))
    with pytest.raises(ss.InputError, match="install symscape again"):
        folder()


def test_derivations_are_chosen_by_result_or_part():
    """In any case, in the order of the theory whatever the order asked for, each once; none named means all."""
    assert chosen() == derivations()
    assert {d.result for d in chosen(["t1"])} == {"T1"} and len(chosen(["T1"])) > 1
    assert [d.identifier for d in chosen(["t4.global", " T1.InfoNCE ", "T1.infonce"])] == ["T1.infonce", "T4.global"]
    for unknown in ("T99", "T1.", "T1.info", ""):
        with pytest.raises(ss.UnknownNameError, match=r"known: T1, .*X7.* such as T1\."):
            chosen(["T1", unknown])


@pytest.mark.parametrize("tamper", [False, True])
def test_processes_come_to_the_same_verdicts(tamper):
    """In two processes or in this one; what was derived does not travel."""
    few = chosen(["T1.infonce", "T1.spectral"])
    here, apart = ({o.derivation.identifier: o for o in run_all(few, tamper, workers)} for workers in (1, 2))
    assert here.keys() == apart.keys() == {"T1.infonce", "T1.spectral"}
    for name, outcome in here.items():
        assert outcome.good and apart[name].good
        assert [(v.says, v.holds) for v in outcome.verdicts] == [(v.says, v.holds) for v in apart[name].verdicts]
        assert all(v.shown is None for v in apart[name].verdicts)


def test_a_script_presents_its_theorem_its_steps_and_its_verdicts():
    done = subprocess.run([sys.executable, folder() / "t01_infonce.py"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "T1. The landscape of InfoNCE at order 4." and lines[-1] == "8 claims: all hold"
    step = next(k for k, line in enumerate(lines) if line.strip().startswith("The positive pulls"))
    assert lines[step + 1].startswith("(1) the pull of the positive is: ")


def test_a_script_with_a_claim_that_fails_ends_with_status_1(capsys):
    def prove(proof):
        proof.exact("two is", 2, 3)
        proof.exact("three is", 3, 3)

    with pytest.raises(SystemExit) as left:
        ss.present(prove)
    out = capsys.readouterr().out
    assert left.value.code == 1 and "FAILS" in out and "2 claims: claims [1] FAIL" in out


def test_the_readme_lists_every_derivation_with_its_claim():
    """The table of derivations/README.md has one row a module, with the claim of its docstring; README.md counts them."""
    text = (folder() / "README.md").read_text()
    for d in derivations():
        claim = d.claim.replace("|", "\\|").rstrip(".")
        assert f"| {d.result} | [{d.file.stem}]({d.file.name}) | {claim} |" in text, d.identifier
    assert text.count("](t") + text.count("](x") == len(derivations())
    front = (folder().parent / "README.md").read_text()
    assert f"{len(derivations())} short programs" in front
