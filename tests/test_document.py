"""The derivations as a LaTeX document: mathematics and escaping, what was derived, the syntax check, and TeX itself told apart.

TeX is not needed here; `tests/document_check.py` typesets the whole document where it is installed.
"""

import ast
import multiprocessing
import random
import re
import stat
import string
import time
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp
import typer
from typer.testing import CliRunner

import symscape as ss
from symscape.cli.document import document_command
from symscape.document import pdf
from symscape.document.contents import LOSSES, NOTATION, REFERENCES, TITLES
from symscape.document.derived import LINES, TOO_LONG, WIDTH, Derived, derived, latex_lines
from symscape.document.document import UnprovedError, document_latex, run_for_document, write_document
from symscape.document.formula import formula
from symscape.document.prose import SOURCES, sentence
from symscape.document.steps import checked, claim_latex, derivation_latex, derived_latex
from symscape.document.syntax import problems
from symscape.document.theorem import theorem
from symscape.document.vocabulary import escaped
from symscape.errors import InputError
from symscape.typesetting.latex import visible_width
from symscape.verification.derivations import Derivation, chosen, derivations, run, run_all
from symscape.verification.proof import Proof
from symscape.verification.verdict import Kind, Verdict

tau, gamma = sp.symbols("tau gamma", positive=True)


def assert_sound(latex):
    """Assert that LaTeX passes the syntax check."""
    assert problems(latex) == []


def assert_no_plain_mathematics(latex):
    """Assert that nothing is left of the plain-text mathematics of docstrings."""
    bare = re.sub(
        r"\\(?:result|cite|label|texttt|bibitem(?:\[[^]]*\])?){[^{}]*}|\\begin{[^{}]*}|\\[A-Za-z]+", " ", latex
    )
    bare = re.sub(r"^\\newresult.*$", "", bare, flags=re.MULTILINE)
    left = re.findall(
        r"`[^`']|<=|>=|->|!=|\b(?:oo|tau|gamma|Sigma|epsilon|sqrt|chi|phi)\b(?![-}])", bare.replace("``", "")
    )
    assert left == []


# Formulas


@pytest.mark.parametrize(
    ("plain", "latex"),
    [
        ("Tr P^2", r"\Tr P^{2}"),
        ("W Sigma W^T", r"W \Sigma W^{\top}"),
        ("A_0 >= 0", r"A_{0} \ge 0"),
        ("gamma < 2 lambda_k", r"\gamma < 2 \lambda_{k}"),
        ("lambda_", r"\lambda"),
        ("n -> oo", r"n \to \infty"),
        ("sqrt(epsilon)", r"\sqrt{\epsilon}"),
        ("sum_i p_i", r"\sum_{i} p_{i}"),
        ("sum_{i != j} P_ij^2", r"\sum_{i \ne j} P_{ij}^{2}"),
        ("sum_(i<k) (r_i - r_k)", r"\sum_{i < k} (r_{i} - r_{k})"),
        ("|f(x) - f(x')|^2", r"\lvert f(x) - f(x') \rvert^{2}"),
        ("|f - f-|^2", r"\lvert f - f^{-} \rvert^{2}"),
        ("O(W^6)", r"O(W^{6})"),
        ("S^(1/2)", r"S^{1/2}"),
        ("e^{-D/(2 tau)}", r"e^{- D/(2 \tau)}"),
        ("f(x).f(chi)", r"f(x) \cdot f(\chi)"),
        ("Tr M o P", r"\Tr M \circ P"),
        ("||W||_F^2", r"\lVert W \rVert_{F}^{2}"),
        ("+-1", r"\pm 1"),
        ("d1, w2", r"d_{1}, w_{2}"),
        ("1e-4", r"10^{-4}"),
        ("kappa[xx|xx']", r"\kappa[xx \mid xx']"),
        ("r* = 1", r"r^{*} = 1"),
        ("[[a, b], [c, 1]]", r"\begin{pmatrix} a & b \\ c & 1 \end{pmatrix}"),
        ("i in K", r"i \in K"),
        ("b not in K", r"b \notin K"),
        ("log mean e^y", r"\log \operatorname{mean} e^{y}"),
        ("Sigma + mean mean^T", r"\Sigma + \bar\phi \bar\phi^{\top}"),
    ],
)
def test_plain_mathematics_becomes_latex(plain, latex):
    """The plain-text mathematics of docstrings has one reading as LaTeX."""
    assert formula(plain) == latex
    assert_sound(f"${latex}$")


@pytest.mark.parametrize(
    ("plain", "latex"),
    [
        ("-Tr M / tau", r"- \frac{\Tr M}{\tau}"),
        ("3/(4 tau^2) Tr P^2", r"\frac{3}{4 \tau^{2}} \Tr P^{2}"),
        ("n/(n + 1) A_0/tau", r"\frac{n}{n + 1} \frac{A_{0}}{\tau}"),
        ("(2/N) sum_i a_i", r"\frac{2}{N} \sum_{i} a_{i}"),
        ("E |f|^2/(2 tau)", r"\E \frac{\lvert f \rvert^{2}}{2 \tau}"),
        ("d_1 dL/dp_i", r"d_{1} \frac{\mathrm{d}L}{\mathrm{d}p_{i}}"),
        ("2 d_1/sum_{i<=k} (r_i - r_k)", r"\frac{2 d_{1}}{\sum_{i \le k} (r_{i} - r_{k})}"),
        ("2 nu/d_1 Tr P", r"\frac{2 \nu}{d_{1}} \Tr P"),
        ("(v + b_K) (1 + k/(N - k - 1)) - v", r"(v + b_{K}) \left( 1 + \frac{k}{N - k - 1} \right) - v"),
        ("log(1 + p/tau) / 2", r"\frac{\log(1 + p/\tau)}{2}"),
    ],
)
def test_displays_have_built_up_fractions(plain, latex):
    """In a display a/b is a fraction of the product before the slash and the one factor after it."""
    assert formula(plain, display=True) == latex


@pytest.mark.parametrize(
    ("plain", "latex"),
    [
        ("a mode is kept where b_i > 0", r"a mode is kept where $b_{i} > 0$"),
        ("at order 4 in W it is that of order 2", r"at order 4 in $W$ it is that of order 2"),
        ("In the sum Tr P cancels", r"In the sum $\Tr P$ cancels"),
        ("A shift f -> f + c moves it", r"A shift $f \to f + c$ moves it"),
        ("for every a kept and b not", r"for every a kept and $b$ not"),
        ("1 % below tau = 4.0 and more", r"1 \% below $\tau = 4.0$ and more"),
        ("Signs ++, -+", r"Signs {\ttfamily +}{\ttfamily +}, {\ttfamily -}{\ttfamily +}"),
        ("the sign is +1 or -1", r"the sign is $+ 1$ or $- 1$"),
        ("the kept modes (alpha = 1) have", r"the kept modes ($\alpha = 1$) have"),
        ('they are "tied"', "they are ``tied''"),
        ("see T4.families, X1 and T10", r"see \result{T4.families}, \result{X1} and \result{T10}"),
        ("Source: Jing et al., 2021.", r"Source: \cite{jing}."),
        ("the setting of Jing et al. (2021)", r"the setting of \cite{jing}"),
        ("which `rotation_minimised` checks", r"which \texttt{rotation\_minimised} checks"),
        ("`b_i`, Gauss-Hermite nodes", r"$b_{i}$, Gauss-Hermite nodes"),
        ("the loss's value", "the loss's value"),
        ("a 2 x 3 matrix", r"a $2 \times 3$ matrix"),
        ("B = B_0 - gamma 1", r"$B = B_{0} - \gamma 1$"),
    ],
)
def test_sentences_keep_words_and_find_mathematics(plain, latex):
    """Words stay words, what is beyond doubt mathematics is set as such, results are linked and sources cited."""
    assert sentence(plain) == latex
    assert_sound(latex)


def test_a_long_formula_in_a_line_may_end_after_a_comma():
    """A formula that a line cannot hold has places to break at."""
    assert r"\allowbreak" in sentence("`cum(f_a(u), f_a(v), f_b(s), f_b(t)) + cum(f_a(u), f_a(v))`")
    assert r"\allowbreak" not in sentence("`N(0, p)`")


# Escaping


def test_every_sign_of_tex_is_escaped():
    """No sign that TeX acts on survives escaping, and what the fonts lack is marked."""
    for sign in string.printable.strip() + "±²³∘κΣᵀéü":
        assert_sound(escaped(f"a{sign}b"))
    assert escaped(r"50 % of d_1 & {x}\y") == r"50 \% of d\_1 \& \{x\}\textbackslash{}y"
    assert escaped("\u4e2d") == "?"


def test_no_text_whatever_makes_latex_unsound():
    """Random strings of letters, signs and pieces of mathematics come out sound, as sentence, formula and theorem."""
    pieces = [
        *string.punctuation,
        *"abEWT01 ",
        "Tr ",
        "tau",
        "sum_",
        "|",
        "`",
        "^{",
        "}",
        "_(",
        "mean",
        "oo",
        "\n",
        "\n    ",
        "  ",
    ]
    for seed in range(1000):
        random_ = random.Random(seed)
        text = "".join(random_.choice(pieces) for _ in range(random_.randint(1, 30)))
        assert problems(sentence(text)) == [], f"seed {seed}: {text!r}"
        for display in (False, True):
            assert problems(f"${formula(text, display)}$") == [], f"seed {seed}: {text!r}"
        assert problems(theorem("claim", f"T1. claim\n\n{text}").statement) == [], f"seed {seed}: {text!r}"


# The syntax check


@pytest.mark.parametrize(
    ("planted", "complaint"),
    [
        (r"\frac{1}{2", "is never closed"),
        (r"$\frac{1}{2$", "is not closed"),
        ("a_b", "outside of mathematics"),
        ("a^b", "outside of mathematics"),
        ("$a", "is never closed"),
        ("a}", "closes nothing"),
        ("{a", "is never closed"),
        ("a & b", "outside of columns"),
        ("50 % of", "is not escaped"),
        ("# 1", "is not escaped"),
        (r"$\left( a$", "is not closed"),
        (r"$a \right)$", r"\right without \left"),
        (r"\begin{aligned} a", "is never closed"),
        (r"\begin{equation}a\end{aligned}", "closes equation"),
        (r"$\tuu$", "is not known"),
        (r"$\text{a_b}$", "outside of mathematics"),
        ("\u4e2d", "the fonts lack"),
    ],
)
def test_the_syntax_check_catches(planted, complaint):
    """A brace that is not balanced, a sign that is not escaped, a command that nobody defines: each is found."""
    found = problems(planted)
    assert complaint in " ".join(found)


def test_what_is_unsound_is_typed_out():
    """A line that would stop TeX stands in the document as it was typed, and the others stay."""
    mended = checked("$a_{1}$ is sound\na_1 is not")
    assert mended == "$a_{1}$ is sound\n" + r"\texttt{a\_1 is not}"
    assert_sound(mended)


# What was derived


def test_a_landscape_is_shown_in_P_and_M():
    """A landscape has its traces in P and M and the order of what is left."""
    land = ss.landscape(ss.InfoNCE(tau=tau))
    assert latex_lines(land) == [r"-\frac{1}{\tau} \, \Tr M + \frac{3}{4 \tau^{2}} \, \Tr P^{2} + O(W^{6})"]


def test_traces_matrices_and_conditions():
    """SymPy's traces become traces in P and M; a chain of inequalities is one; matrices have their entries."""
    P, M = ss.W * ss.Sigma * ss.W.T, ss.W * ss.A_0 * ss.W.T
    r = sp.Symbol("r_i", real=True)
    assert latex_lines(3 * sp.Trace(P * M)) == [r"3 \Tr M P"]
    assert latex_lines(sp.Trace(sp.HadamardProduct(P, P, evaluate=False))) == [r"\Tr P \circ P"]
    assert latex_lines(gamma < 2 * tau) == [r"\gamma < 2 \tau"]
    assert latex_lines(sp.And(r > 0, r < 1)) == ["0 < r_{i} < 1"]
    assert latex_lines(sp.eye(2))[0].count("&") == 2
    assert latex_lines(np.array([1.0, 1 / 3])) == [r"\left(1,\; 0.333333\right)"]


def test_words_and_truth_stand_in_sentences():
    """True, false and words are text, not formulas."""
    assert derived((True, False)) == Derived((), "true, false")
    assert derived([True] * 5) == Derived((), "true, all 5")
    assert derived("at the kink") == Derived((), "at the kink")
    assert derived(None) is None


def test_of_two_identical_forms_the_shorter_is_shown():
    """The formula as typed in takes the place of a longer one that is identical with it, part by part."""
    long, short = sp.expand((gamma + tau) ** 4), (gamma + tau) ** 4
    assert derived(long, short).lines == (r"\left(\gamma + \tau\right)^{4}",)
    assert derived([long], [short]).lines == (r"\left(\gamma + \tau\right)^{4}",)
    assert derived(short, long).lines == (r"\left(\gamma + \tau\right)^{4}",)


def test_a_long_sum_is_broken_into_lines_and_a_longer_one_left_out():
    """No line shows much more than its share of signs, every line but the first has its sign in front."""
    symbols = sp.symbols("a_1:13", real=True)
    lines = latex_lines(sp.Add(*[s**2 * tau for s in symbols]) - gamma)
    assert len(lines) > 1
    assert all(line.startswith(("+", "-")) for line in lines[1:])
    assert all(visible_width(line) <= WIDTH for line in lines)
    assert derived(sp.Add(*[s**2 * tau for s in sp.symbols(f"a_1:{60 * LINES}")])) == Derived((), TOO_LONG)


def test_a_claim_says_what_was_derived_and_how_it_was_checked():
    """A statement that leads up to a formula is followed by it; the note names the kind of proof."""
    land = ss.landscape(ss.SpectralContrastive())
    verdict = Verdict(3, "the landscape is", Kind.EXACT, "identical", True, 0.0, derived(land))
    assert claim_latex(verdict) == (
        r"\item[3.] The landscape is\note{\mbox{exact}}"
        + "\n\\begin{equation}\n\\fit{-2 \\, \\Tr M + \\Tr P^{2}}\n\\end{equation}"
    )
    sampled = Verdict(4, "the loss is", Kind.SAMPLED, "+0.5 s.e.", True, 0.0, derived(0.25))
    assert claim_latex(sampled) == r"\item[4.] The loss is $0.25$.\note{\mbox{sampled, +0.5 s.e.}}"


# Theorems


def test_a_docstring_is_a_theorem_with_remarks():
    """Claim, statement with displays, assumptions in it, and remarks by title."""
    said = theorem(
        "The claim.",
        "T1. The claim.\n\nLet `n = oo`. Then\n\n    L = -Tr M/tau,    P = W Sigma W^T\n\nfor all.\n\n"
        "What differs from the paper: this. Local: order 4.\nAssumption: Gaussian views.\n",
    )
    assert said.claim == "The claim"
    assert said.statement.startswith("Let $n = \\infty$. Then\n\\[\n\\fit{L = - \\frac{\\Tr M}{\\tau}, \\qquad P =")
    assert said.statement.endswith("\\emph{Assumption.} Gaussian views.")
    assert said.remarks == (("What differs from the paper", "This."), ("Local", "Order 4."))


def test_columns_of_a_display_are_columns():
    """Wide blanks part columns, two blanks only where another row has a column there, too."""
    said = theorem("c", "T1. c\n\n    B = 2 A_0  and  A_0    (raw),\n    C >= 0                 (all views)\n")
    assert r"\displaystyle B = 2 A_{0} \quad \text{and} \quad A_{0} & \displaystyle \text{(raw),}" in said.statement
    assert r"\displaystyle C \ge 0 & \displaystyle \text{(all views)}" in said.statement


@pytest.mark.parametrize("derivation", derivations(), ids=lambda d: d.identifier)
def test_every_theorem_typesets(derivation):
    """The docstring of every derivation is sound LaTeX without a line typed out, and no plain mathematics is left in it."""
    said = theorem(derivation.claim, derivation.theorem)
    for latex in (said.claim, said.statement, *(text for _, text in said.remarks)):
        assert_sound(latex)
        assert_no_plain_mathematics(latex)
    assert said.statement


def said_by(derivation):
    """Return every text and statement of a derivation as it stands in its file, with a 1 for what is filled in."""
    for call in ast.walk(ast.parse(derivation.file.read_text())):
        named = isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
        if named and isinstance(call.func.value, ast.Name) and call.func.value.id == "proof":
            first = call.args[0]
            if isinstance(first, ast.JoinedStr):
                yield "".join(part.value if isinstance(part, ast.Constant) else "1" for part in first.values)
            elif isinstance(first, ast.Constant):
                yield first.value


@pytest.mark.parametrize("derivation", derivations(), ids=lambda d: d.identifier)
def test_every_sentence_typesets(derivation):
    """What a derivation says step by step is sound LaTeX, too."""
    said = list(said_by(derivation))
    assert said
    for text in said:
        assert_sound(sentence(text))
        assert_no_plain_mathematics(sentence(text))


@pytest.mark.parametrize("left", ["a `b", "b <= 1", "n -> oo", "at tau", r"$\mathrm{d} sqrt$"])
def test_plain_mathematics_that_is_left_is_caught(left):
    """The check for what is left finds each kind of it."""
    with pytest.raises(AssertionError):
        assert_no_plain_mathematics(left)


# The document


@pytest.fixture(scope="module")
def outcomes():
    """Return the outcomes of two derivations as a document takes them."""
    return run_for_document(chosen(["T1.infonce", "T2.origin"]), workers=1)


def body(latex):
    """Return a document without its preamble."""
    return latex[latex.index(r"\begin{document}") :]


def test_the_document_is_sound_and_complete(outcomes):
    """Theorems, numbered equations, notes, table and the references that are cited, nothing else; always the same text."""
    latex = document_latex(outcomes)
    assert_sound(body(latex))
    assert_no_plain_mathematics(body(latex).split(r"\section*{Notation}")[0])
    for part in (
        r"\newresult{T1.infonce}",
        r"\section{Symmetry and the origin}\label{T2}",
        r"\fit{-\frac{1}{\tau} \, \Tr M + \frac{3}{4 \tau^{2}} \, \Tr P^{2} + O(W^{6})}",
        r"\result{T1.infonce} & 7 &",
        r"\bibitem[Ziyin et al., 2023]{ziyin}",
    ):
        assert part in latex
    assert "{zhai}" not in latex
    assert document_latex(outcomes) == latex


def test_every_result_has_a_title_and_every_source_a_reference():
    """What the derivations are about, and whom they cite, is in the document."""
    assert {d.result for d in derivations()} <= set(TITLES)
    keys = {key for key, _, _ in REFERENCES}
    assert {key for _, key in SOURCES} <= keys
    for _, label, text in REFERENCES:
        assert_sound(text)
        assert_sound(label)
    for symbol, meaning in NOTATION:
        assert_sound(sentence(symbol) + sentence(meaning))
    for _, expression, source in LOSSES:
        assert_sound(f"${formula(expression, display=True)}$ {sentence(source)}")


def test_latex_is_made_where_the_objects_are():
    """In other processes what was derived comes back as LaTeX, and the sentences of the argument with it."""
    for outcome in run_all(chosen(["T1.infonce", "T1.spectral"]), workers=2, keep=derived_latex):
        assert outcome.good
        assert outcome.texts
        assert all(v.claimed is None and (v.shown is None or isinstance(v.shown, Derived)) for v in outcome.verdicts)
        assert_sound(derivation_latex(outcome))


def test_stopping_early_ends_the_workers():
    """Whoever takes no more outcomes, or is interrupted, leaves no process behind and waits for none."""
    before = set(multiprocessing.active_children())
    outcomes = run_all(chosen(["T1"]), workers=2, keep=derived_latex)
    next(outcomes)
    outcomes.close()
    deadline = time.monotonic() + 10
    while not set(multiprocessing.active_children()) <= before:
        assert time.monotonic() < deadline, multiprocessing.active_children()
        time.sleep(0.05)


def false_outcome(tmp_path, prove):
    """Return the outcome of a derivation written for a test."""
    file = tmp_path / "t01_planted.py"
    file.write_text(f'"""T1. A planted claim."""\n\ndef prove(proof):\n    {prove}\n')
    return run(Derivation("T1.planted", "T1. A planted claim.", file))


@pytest.mark.parametrize("prove", ['proof.exact("one is", 1, 2)', 'raise ValueError("no")', "pass"])
def test_no_document_is_made_of_what_does_not_hold(tmp_path, prove):
    """A false claim, an exception and a derivation that claims nothing are refused by name."""
    with pytest.raises(UnprovedError, match=r"T1\.planted does not hold"):
        document_latex([false_outcome(tmp_path, prove)])


def test_a_claim_with_hostile_text_is_sound(tmp_path):
    """Whatever a derivation says, its LaTeX is sound."""
    outcome = false_outcome(
        tmp_path, r"""proof.text("50 % of \\foo_ {"); proof.exact("d_1 & ^ is", "#$%&_{}~^\\", "#$%&_{}~^\\")"""
    )
    assert outcome.good
    verdicts = tuple(replace(v, shown=derived_latex(v)) for v in outcome.verdicts)
    assert_sound(derivation_latex(replace(outcome, verdicts=verdicts)))


# Files and TeX


def test_a_tex_file_is_written_whole(tmp_path):
    """The text is in the file, and nothing else is left behind."""
    assert write_document("text\n", tmp_path / "a.tex") == ()
    assert [path.name for path in tmp_path.iterdir()] == ["a.tex"]
    assert (tmp_path / "a.tex").read_text() == "text\n"


@pytest.mark.parametrize(
    ("name", "words"), [("a.doc", r"\.tex or a \.pdf"), ("a", r"a\.pdf"), ("no/a.tex", "no such folder")]
)
def test_a_file_that_cannot_be_is_refused(tmp_path, name, words):
    """Another ending and a missing folder are told before anything runs."""
    with pytest.raises(InputError, match=words):
        write_document("text", tmp_path / name)


def test_without_tex_the_way_out_is_told(tmp_path, monkeypatch):
    """A PDF needs TeX; the message says what to install, and no file appears."""
    monkeypatch.setattr(pdf.shutil, "which", lambda program: None)
    with pytest.raises(InputError, match=r"write a \.tex file, or install TeX"):
        write_document("text", tmp_path / "a.pdf")
    assert list(tmp_path.iterdir()) == []


def fake_tex(tmp_path, monkeypatch, script):
    """Put a program called pdflatex that is not TeX where it is looked for."""
    program = tmp_path / "bin" / "pdflatex"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(pdf.shutil, "which", lambda name: str(program))


def test_tex_runs_until_nothing_changes(tmp_path, monkeypatch):
    """TeX runs again while its auxiliary files change, and only then is the PDF taken, with what the last log says."""
    runs = tmp_path / "runs"
    fake_tex(tmp_path, monkeypatch, f"""echo run >> {runs}; wc -l < {runs} | awk '{{print $1 < 2 ? $1 : 2}}' > document.aux
echo "LaTeX Warning: Label(s) may have changed." > document.log; echo pdf > document.pdf""")  # fmt: skip
    assert write_document("text", tmp_path / "a.pdf") == ("LaTeX Warning: Label(s) may have changed.",)
    assert (tmp_path / "a.pdf").read_text() == "pdf\n"
    assert runs.read_text().count("run") == 3


def test_an_error_of_tex_is_told_with_its_line(tmp_path, monkeypatch):
    """The first error and the line of the document are in the message; the file that was there stays."""
    fake_tex(tmp_path, monkeypatch, r"""printf '! Undefined control sequence.\nl.2 \\foo\n' > document.log; exit 1""")
    (tmp_path / "a.pdf").write_text("before")
    with pytest.raises(pdf.TeXError, match=r"Undefined control sequence, line 2: b \\foo"):
        write_document("a\nb \\foo\nc", tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_text() == "before"


def test_only_warnings_worth_reading_are_told():
    """A line that stands out by little is none; one that stands out, a lost reference and a missing sign are."""
    assert pdf.warnings("Overfull \\hbox (1.2pt too wide) in paragraph\nUnderfull \\vbox\n") == ()
    for line in ("Overfull \\hbox (12.0pt too wide) in x", "LaTeX Warning: There were undefined references.",
                 "Missing character: There is no x in font y", "Package hyperref Warning: Token not allowed"):  # fmt: skip
        assert pdf.warnings(f"{line}\n") == (line,)


# The command


def test_the_command_misses_tex_before_it_runs_anything(tmp_path, command, monkeypatch):
    """Without TeX a PDF is refused at once, not after all derivations."""
    monkeypatch.setattr(pdf.shutil, "which", lambda program: None)
    monkeypatch.setattr("symscape.cli.document.run_for_document", lambda wanted, advance: pytest.fail("it ran"))
    assert isinstance(command("-o", tmp_path / "a.pdf").exception, InputError)


@pytest.fixture
def command():
    """Return what runs the command with arguments."""
    app = typer.Typer()
    app.command()(document_command)
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


def test_the_command_writes_a_document(tmp_path, command):
    """``symscape document T1.infonce -o FILE`` writes it and says what is in it."""
    done = command("T1.infonce", "-o", tmp_path / "a.tex")
    assert done.exit_code == 0, done.output
    assert "theorem" in done.output
    assert_sound(body((tmp_path / "a.tex").read_text()))


def test_the_command_writes_nothing_where_a_claim_fails(tmp_path, command, monkeypatch):
    """A claim that does not hold is shown, the status is 1, and no file is written."""
    bad = false_outcome(tmp_path, 'proof.exact("one is", 1, 2)')
    monkeypatch.setattr("symscape.cli.document.run_for_document", lambda wanted, advance: [bad])
    done = command("T1.infonce", "-o", tmp_path / "a.tex")
    assert done.exit_code == 1
    assert "FAILS" in done.output
    assert not (tmp_path / "a.tex").exists()


def test_a_proof_keeps_what_was_claimed_only_where_it_is_identical():
    """The claim may stand for what was derived only if both are the same thing."""
    proof = Proof()
    proof.exact("a is", tau, tau)
    proof.exact("b is", tau, gamma)
    assert [v.claimed for v in proof.verdicts] == [tau, None]
