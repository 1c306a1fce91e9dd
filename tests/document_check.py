"""Typesets the whole document with TeX: run by the continuous build, which installs it, and not by the tests.

apt-get install texlive-latex-recommended texlive-fonts-recommended lmodern
python -m pytest tests/document_check.py
"""

import pytest

from symscape.document.contents import PREAMBLE
from symscape.document.document import document_latex, run_for_document
from symscape.document.pdf import TeXError, typeset
from symscape.document.syntax import problems
from symscape.verification.derivations import derivations


@pytest.fixture(scope="module")
def latex():
    """Return the whole document."""
    return document_latex(run_for_document(derivations()))


def test_the_whole_document_typesets_without_a_warning(latex):
    """Every derivation is in the PDF, and TeX has nothing to say that is worth reading."""
    assert problems(latex[latex.index(r"\begin{document}") :]) == []
    made = typeset(latex)
    assert made.warnings == ()
    assert made.pdf.startswith(b"%PDF-")
    assert len(made.pdf) > 200_000


def test_the_same_document_makes_the_same_file():
    """A PDF holds no date and no name of a machine."""
    small = PREAMBLE + "\\begin{document}\nOne line.\n\\end{document}\n"
    assert typeset(small).pdf == typeset(small).pdf


@pytest.mark.parametrize(
    ("planted", "complaint"),
    [(r"\undefinedthing", "Undefined control sequence"), ("a_1", "Missing \\$"), ("$a", "Missing \\$")],
)
def test_tex_catches_planted_defects(planted, complaint):
    """What the syntax check finds without TeX stops TeX, with the line that is to blame."""
    assert problems(planted)
    with pytest.raises(TeXError, match=complaint):
        typeset(f"{PREAMBLE}\\begin{{document}}\n{planted}\n\\end{{document}}\n")


@pytest.mark.parametrize("planted", [r"See \ref{nowhere}.", r"\noindent\hbox to 20cm{wide\hfil}"])
def test_warnings_are_not_lost(planted):
    """A reference to nothing and a line that stands out are told."""
    assert typeset(f"{PREAMBLE}\\begin{{document}}\n{planted}\n\\end{{document}}\n").warnings
