"""Checks LaTeX without TeX: braces, mathematics, environments, signs out of place, commands that nobody defines."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"\\begin{(?P<begin>[a-z*]+)}|\\end{(?P<end>[a-z*]+)}|(?P<command>\\(?:[A-Za-z]+\*?|.|\n))"
    r"|(?P<sign>[{}$&_^#%])|(?P<strange>[^\x00-\x7f])"
)
_MATH = frozenset(["equation", "aligned", "array", "pmatrix", "matrix", "multline", "align"])
_COLUMNS = frozenset(["aligned", "array", "pmatrix", "matrix", "tabular", "longtable", "align"])
_TEXT = frozenset([r"\text", r"\textbf", r"\emph", r"\texttt", r"\mbox", r"\note", r"\footnotesize"])
_NAMES = frozenset([r"\result", r"\cite", r"\label", r"\bibitem", r"\url", r"\href", r"\hypertarget", r"\newresult"])
_KNOWN = frozenset(
    re.findall(
        r"\\[A-Za-z]+[*]?",
        r"""
    \text \textbf \emph \texttt \textit \ttfamily \footnotesize \small \note \result \cite \label \bibitem \url \href \item
    \section \section* \subsection \tableofcontents \maketitle \newresult \medskip \smallskip \bigskip \par \noindent \newpage
    \toprule \midrule \bottomrule \endhead \endfirsthead \endfoot \endlastfoot \multicolumn \addcontentsline \texorpdfstring
    \textbackslash \textasciitilde \textasciicircum \textless \textgreater \textbar \textsuperscript \renewcommand
    \arraystretch \raggedright \arraybackslash \allowbreak \setlength \leftmargin \labelwidth \itemsep \makelabel \parskip
    \mbox \thesection \rule
    \title \author \date \hfill \linewidth
    \alpha \beta \gamma \delta \epsilon \varepsilon \zeta \eta \theta \iota \kappa \lambda \mu \nu \xi \pi \rho \sigma \tau
    \phi \chi \psi \omega \Gamma \Delta \Theta \Lambda \Xi \Pi \Sigma \Phi \Psi \Omega
    \log \exp \sin \cos \tan \sinh \cosh \tanh \arcsin \atan \det \min \max \dim \lim \Tr \E \operatorname \mathrm \mathbb
    \mathcal \mathbf \bar \tilde \hat \frac \tfrac \sqrt \sum \prod \int \left \right \lvert \rvert \lVert \rVert \top \prime
    \le \ge \leq \geq \ne \neq \to \gg \ll \pm \mp \cdot \circ \times \mid \parallel \infty \in \notin \dots \ldots \quad
    \qquad \wedge \vee \neg \limits \fit \displaystyle \mathop \not \sim \rightarrow \equiv
    """,
    )
)
#: Letters beyond ASCII that the fonts have.
_LETTERS = re.compile(r"[\u00a1-\u017f]")


def problems(latex: str) -> list[str]:
    r"""Return what is wrong with a piece of LaTeX, each with its line; nothing where all is well.

    >>> problems(r"a mode $b_{i} > 0$")
    []
    >>> problems(r"a mode b_i")
    ['line 1: _ outside of mathematics']
    """
    found: list[str] = []
    stack: list[tuple[str, int]] = []
    place, last_command = 0, ""

    def line(position: int) -> int:
        return latex.count("\n", 0, position) + 1

    def say(position: int, words: str) -> None:
        found.append(f"line {line(position)}: {words}")

    def math() -> bool:
        for name, _ in reversed(stack):
            if name in ("text{", "name{"):
                return False
            if name in ("$", "\\[") or name in _MATH:
                return True
        return False

    for match in _TOKEN.finditer(latex):
        here, token = match.start(), match[0]
        directly = last_command if here == place else ""
        place, last_command = match.end(), ""
        top = stack[-1][0] if stack else ""
        if match["begin"]:
            stack.append((match["begin"], here))
        elif match["end"]:
            if top == match["end"]:
                stack.pop()
            else:
                say(here, f"{token} closes {top or 'nothing'}")
        elif match["command"]:
            if token in (r"\[", r"\("):
                stack.append(("\\[", here))
            elif token in (r"\]", r"\)"):
                if top == "\\[":
                    stack.pop()
                else:
                    say(here, f"{token} closes {top or 'nothing'}")
            elif token == r"\left":
                stack.append((r"\left", here))
            elif token == r"\right":
                if top == r"\left":
                    stack.pop()
                else:
                    say(here, r"\right without \left")
            elif token[1:2].isalpha():
                if token not in _KNOWN:
                    say(here, f"the command {token} is not known")
                last_command = token
        elif token == "{":
            kind = "name{" if directly in _NAMES else "text{" if directly in _TEXT else "{"
            stack.append((kind, here))
        elif token == "}":
            if top.endswith("{"):
                stack.pop()
            else:
                say(here, f"}} closes {top or 'nothing'}")
        elif token == "$":
            if top == "$":
                stack.pop()
            elif math():
                say(here, f"$ within mathematics, or {top} is not closed")
            else:
                stack.append(("$", here))
        elif token in "_^":
            if not math() and not any(name == "name{" for name, _ in stack):
                say(here, f"{token} outside of mathematics")
        elif token == "&":
            inner = next((name for name, _ in reversed(stack) if not name.endswith("{")), "")
            if inner not in _COLUMNS:
                say(here, "& outside of columns")
        elif token in "#%":
            say(here, f"{token} is not escaped")
        elif match["strange"] and not _LETTERS.match(token):
            say(here, f"the fonts lack {token!r}")
    found += [f"line {line(position)}: {name} is never closed" for name, position in stack]
    return found
