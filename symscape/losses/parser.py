"""Expressions from outside, read by a whitelist: scalars, losses, and settings of the command line.

    scalar    numbers, parameters, pi, + - * / ** ^ ( ), sqrt exp log tanh sin cos sinh cosh; oo alone
    loss      a scalar, and the words of `symscape.losses.language`: E, dot, sqdist, ..., views, output indices
    setting   NAME=VALUE, the value a scalar or one of the words euclidean, dot, none

The text is first cut into tokens. Python's `ast` then sees operators, brackets and commas, with a numbered placeholder
for every name and number, so that no word of the text can mean anything in Python. The tree is read node by node.
Numbers are exact: 1e-4 is 1/10000. Sizes are bounded before anything is computed.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import inspect
import keyword
import re
import unicodedata
from collections.abc import Callable, Collection
from fractions import Fraction
from typing import Any, NamedTuple, NoReturn

import sympy as sp

from symscape.errors import ExpressionError, SymscapeError
from symscape.losses.language import E, M, Node, P, d_1, dot, output_sum, outputs, sqdist, sqnorm, total, weight_norm
from symscape.losses.loss import Loss
from symscape.probability.views import View, anchor, negative, positive

MAX_LENGTH, MAX_DEPTH, MAX_DIGITS, MAX_EXPONENT = 2000, 40, 40, 64
#: Numbers inside a symbolic exponent, as in 2^(-5000 u): powers of one base are multiplied by adding these.
MAX_COEFFICIENT = 10_000
#: A number without parameters stays below e^MAX_LOGARITHM, a rational within MAX_BITS.
MAX_LOGARITHM, MAX_BITS = 230, 1024

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)|(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*'?)|(?P<sign>\*\*|[-+*/^(),=])"
)
_NAME = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*_?\Z")
_INFINITY = ("oo", "inf", "infinity")
_WORDS = {"euclidean": "euclidean", "dot": "dot", "none": None}
_SPELLINGS = {"−": "-", "·": "*", "×": "*", "÷": "/", "²": "^2", "′": "'", "’": "'", "∞": "oo", "√": "sqrt"}
_RESERVED = {"e": "Euler's number is exp(1)", "I": "scalars are real", "nan": "scalars are finite"}


class _Refusal(Exception):
    """Why an operation is refused, before it is known where in the text it stands."""


# Operations, bounded


def _is_number(expr: sp.Expr) -> bool:
    return bool(expr.is_number) and not expr.has(Node)


def _log_size(number: sp.Expr) -> float:
    """Return |log |number||, zero for zero."""
    value = abs(number.evalf(5))
    return abs(float(sp.log(value).evalf(5))) if value else 0.0


def _bounded(expr: sp.Expr) -> sp.Expr:
    for number in (expr.as_coeff_Mul()[0], expr.as_coeff_Add()[0]):
        if number.is_Rational and max(int(number.p).bit_length(), int(number.q).bit_length()) > MAX_BITS:
            raise _Refusal(f"makes a number of more than {MAX_BITS} bits")
    return expr


def _regular(expr: sp.Expr) -> sp.Expr:
    """Return the expression when it is finite and real, without large numbers in exponents."""
    if expr.has(sp.zoo, sp.nan, sp.oo, -sp.oo):
        raise _Refusal("is not finite")
    # By value where there is one: asking SymPy whether a function of a power is real multiplies the power out.
    if expr.has(sp.I) or (_is_number(expr) and not expr.evalf(5).is_extended_real):
        raise _Refusal("is not real")
    for power in expr.atoms(sp.Pow):
        for number in power.exp.atoms(sp.Rational) if power.base is not sp.E else ():
            if max(abs(int(number.p)), int(number.q)) > MAX_COEFFICIENT:
                raise _Refusal(f"has a number above {MAX_COEFFICIENT} in an exponent")
    return _bounded(expr)


def _power(base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
    inner, times = base.as_base_exp()
    bound = MAX_LOGARITHM if inner is sp.E else MAX_EXPONENT
    # SymPy multiplies the exponents of a power of a power, and splits a^(64 + u): bound every number among them.
    for number in (*sp.Add.make_args(exponent), *sp.Add.make_args(times * exponent)):
        if (_is_number(number) and abs(number.evalf(5)) > bound) or (number.is_Rational and number.q > bound):
            raise _Refusal(f"has the exponent {_short(number)}; numerator and denominator are at most {bound}")
    if base.is_zero and exponent.is_positive is not True and not exponent.is_zero:
        raise _Refusal("divides by zero")
    coefficient = base if _is_number(base) else base.as_coeff_Mul()[0]
    if _is_number(exponent) and abs(exponent.evalf(5)) * _log_size(coefficient) > MAX_LOGARITHM:
        raise _Refusal(f"makes a number beyond exp({MAX_LOGARITHM})")
    return _regular(base**exponent)


def _growing(function: Callable[[sp.Expr], sp.Expr]) -> Callable[[sp.Expr], sp.Expr]:
    """Bound a function that grows like exp, which turns exp(u log 9) into 9^u, term by term of a sum."""

    def bounded(expr: sp.Expr) -> sp.Expr:
        if any(_is_number(term) and abs(term.evalf(5)) > MAX_LOGARITHM for term in sp.Add.make_args(expr)):
            raise _Refusal(f"has an argument beyond {MAX_LOGARITHM}")
        return function(expr)

    return bounded


_Functions = dict[str, Callable[..., sp.Expr]]
_SCALAR_FUNCTIONS: _Functions = {
    "sqrt": lambda expr: _power(expr, sp.Rational(1, 2)),
    "exp": _growing(sp.exp),
    "log": lambda expr: sp.log(expr),
    "tanh": _growing(sp.tanh),
    "sin": lambda expr: sp.sin(expr),
    "cos": lambda expr: sp.cos(expr),
    "sinh": _growing(sp.sinh),
    "cosh": _growing(sp.cosh),
}
_LOSS_FUNCTIONS: _Functions = {
    **{function.__name__: function for function in (E, dot, sqdist, sqnorm, total, weight_norm, P, M, output_sum)},
    "softplus": _growing(lambda expr: sp.log(1 + sp.exp(expr))),
    "sigmoid": _growing(lambda expr: 1 / (1 + sp.exp(-expr))),
    "maximum": lambda left, right: sp.Max(left, right),
    **_SCALAR_FUNCTIONS,
}
#: What an argument is, by the name of the parameter; any other parameter is a scalar.
_KINDS = {"u": "view", "v": "view", "over": "views", "i": "index", "j": "index", "indices": "index"}
_KINDS |= {"centred": "flag", "distinct": "flag"}

_INDICES = {index.name: index for index in outputs("i j k")}
_VIEWS = {"x": anchor, "xp": positive, "x'": positive, "chi": negative}
_VIEWS |= {f"chi{k}": View(f"chi{k}") for k in range(2, 100)}
_VIEW_LIST = "x, xp (or x'), chi, chi2, chi3, ..."
_INTEGERS = {"d_1": d_1} | {name: sp.Symbol(name, positive=True, integer=True) for name in ("n", "d_0")}


# Reading


class _Token(NamedTuple):
    kind: str
    text: str
    start: int


class _Reader:
    """One text with its tokens, and the tree that is read from it."""

    def __init__(self, call: str, text: Any, functions: _Functions, before: str = ""):
        self.call, self.text, self.functions, self.before = call, text, functions, before
        self.has_views = functions is _LOSS_FUNCTIONS
        if not isinstance(text, str):
            raise ExpressionError(f"{call}({text!r}): the expression is a string, such as {self._example()}")
        if len(text) > MAX_LENGTH:
            raise ExpressionError(
                f"{call}({_quoted(before + text[:40] + '...')}): {len(text)} characters; an expression has at most "
                f"{MAX_LENGTH}. Build longer ones in Python with symscape.Loss"
            )
        self.tokens: list[_Token] = []
        self._cut()
        if not self.tokens:
            shown = _quoted(before + text)
            raise ExpressionError(f"{call}({shown}): the expression is empty; type one, such as {self._example()}")

    def _example(self) -> str:
        return '"E(sqdist(x, xp))"' if self.has_views else '"1/(2*tau)"'

    def read(self) -> sp.Expr:
        """Return the expression."""
        words = [f"t{k}" if t.kind in ("name", "number") else t.text for k, t in enumerate(self.tokens)]
        words = ["**" if word == "^" else word for word in words]
        starts, position = [], 0
        for word in words:
            starts.append(position)
            position += len(word) + 1
        self._first = {start: k for k, start in enumerate(starts)}
        self._last = {start + len(word): k for k, (start, word) in enumerate(zip(starts, words, strict=True))}
        try:
            tree = ast.parse(" ".join(words), mode="eval")
        except SyntaxError as error:
            before = [k for k, start in enumerate(starts) if start < (error.offset or 1)]
            at = max(before, default=0)
            self._fail(at, at, "does not fit here", "Check operators, commas and brackets around it")
        except (MemoryError, RecursionError):
            self._too_deep(0)
        try:
            return self._scalar(tree.body, 0)
        except RecursionError:
            self._too_deep(0)

    # Tokens

    def _cut(self) -> None:
        position, opened, signs = 0, [], 0
        while position < len(self.text):
            match = _TOKEN.match(self.text, position)
            if match is None:
                self._fail_character(position)
            kind = str(match.lastgroup)
            position = match.end()
            if kind == "space":
                continue
            number = len(self.tokens)
            self.tokens.append(_Token(kind, match.group(), match.start()))
            token = self.tokens[-1]
            previous = self.tokens[-2] if number else None
            if kind != "sign" and previous and (previous.kind != "sign" or previous.text == ")"):
                self._fail(number - 1, number, "lacks an operator between the two", "Products are written with *")
            signs = signs + 1 if token.text in ("+", "-") else 0
            if token.text == "(":
                opened.append(number)
            elif token.text == ")":
                if not opened:
                    self._fail(number, number, "closes a bracket that was not opened", "Remove it, or add a (")
                opened.pop()
            if max(len(opened), signs) > MAX_DEPTH:
                self._too_deep(number)
            if kind == "number":
                self._check_number(number, token.text)
            elif kind == "name":
                self._check_name(number, token.text)
        if opened:
            self._fail(opened[-1], opened[-1], "is not closed", "Add a )")
        last = len(self.tokens) - 1
        if self.tokens and self.tokens[last].kind == "sign" and self.tokens[last].text != ")":
            self._fail(last, last, "ends the expression", "Write what follows it, or remove it")

    def _check_number(self, number: int, text: str) -> None:
        mantissa, _, exponent = text.lower().partition("e")
        if len(mantissa.replace(".", "")) > MAX_DIGITS or len(exponent) > 4 or abs(int(exponent or 0)) > MAX_EXPONENT:
            limits = f"A number has at most {MAX_DIGITS} digits and a decimal exponent of at most {MAX_EXPONENT}"
            self._fail(number, number, "is too long", limits)

    def _check_name(self, number: int, name: str) -> None:
        if name.endswith("'"):
            if not self.has_views or name != "x'":
                self._fail(number, number, "has a prime", "Only x' has one, in a loss; there are no strings")
        elif not _NAME.match(name) or len(name) > MAX_DIGITS:
            limit = f"A name is a letter followed by at most {MAX_DIGITS} letters, digits and single underscores"
            self._fail(number, number, "is not a name", limit)
        elif name in _RESERVED:
            self._fail(number, number, "is reserved", f"Choose another name: {_RESERVED[name]}")
        elif _is_python(name) and name not in ("True", "False"):
            self._fail(number, number, "is a word of Python, not of this language", self._allowed(name))

    # Nodes

    def _scalar(self, node: ast.expr, depth: int) -> sp.Expr:
        if depth > MAX_DEPTH:
            self._too_deep(self._span(node)[0])
        try:
            if isinstance(node, ast.Name):
                return self._value(node)
            if isinstance(node, ast.Call):
                return self._called(node, depth)
            if isinstance(node, ast.UnaryOp):
                value = self._scalar(node.operand, depth + 1)
                return -value if isinstance(node.op, ast.USub) else value
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
                return _power(self._scalar(node.left, depth + 1), self._scalar(node.right, depth + 1))
            if isinstance(node, ast.BinOp):
                return self._chain(node, depth)
        except _Refusal as refusal:
            self._fail(*self._span(node), str(refusal), "Write a finite real expression with smaller numbers")
        self._fail(*self._span(node), "is not a scalar", self._allowed(""))

    def _chain(self, node: ast.expr, depth: int) -> sp.Expr:
        """Sums and products lean to the left, a + b + c = (a + b) + c: read them without recursion."""
        operations: list[ast.BinOp] = []
        while isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Pow):
            operations.append(node)
            node = node.left
        value = self._scalar(node, depth + 1)
        for operation in reversed(operations):
            right = self._scalar(operation.right, depth + 1)
            if isinstance(operation.op, ast.Add):
                value = value + right
            elif isinstance(operation.op, ast.Sub):
                value = value - right
            elif isinstance(operation.op, ast.Mult):
                value = value * right
            else:
                value = value * _power(right, sp.Integer(-1))
            value = _bounded(value)
        return value

    def _value(self, node: ast.Name) -> sp.Expr:
        at = self._span(node)
        kind, name, _ = self.tokens[at[0]]
        if kind == "number":
            value = Fraction(name)
            return sp.Rational(value.numerator, value.denominator)
        if name == "pi":
            return sp.pi
        if name.lower() in _INFINITY:
            self._fail(*at, "stands alone only", "Infinity is no part of a larger expression; for instance n=oo")
        if name in self.functions:
            self._fail(*at, "is a function", f"Write {name}{self._signature(name)}")
        if self.has_views and name in _VIEWS:
            self._fail(*at, "is a view, not a scalar", f"Write sqnorm({name}), dot({name}, ...) or sqdist({name}, ...)")
        if self.has_views and name in _INDICES:
            self._fail(*at, "is an output index, not a scalar", f"It stands in P({name}, {name}), M({name}, {name})")
        if name in ("True", "False"):
            self._fail(*at, "is no scalar", "It stands in distinct=True and centred=True")
        name = "lambda" if name == "lambda_" else name
        return _INTEGERS.get(name) or sp.Symbol(name, positive=True)

    def _called(self, node: ast.Call, depth: int) -> sp.Expr:
        at = self._span(node.func)
        name = self.tokens[at[0]].text
        if not isinstance(node.func, ast.Name) or self.tokens[at[0]].kind == "number":
            self._fail(*at, "is not a function", "Products are written with *")
        if name not in self.functions:
            if name in _LOSS_FUNCTIONS:
                self._fail(*at, "is a word of losses, not of scalars", self._allowed(name))
            self._fail(*at, "is not a function of this language", self._allowed(name))
        named: dict[str, ast.expr] = {}
        for argument in node.keywords:
            token = self.tokens[self._span(argument)[0]]
            if argument.arg is None or token.kind == "number" or token.text in named:
                self._fail(*self._span(argument), "is not an argument", f"Write {name}{self._signature(name)}")
            named[token.text] = argument.value
        try:
            bound = inspect.signature(self.functions[name]).bind(*node.args, **named)
        except TypeError:
            self._fail(*self._span(node), "has the wrong arguments", f"Write {name}{self._signature(name)}")
        for parameter, value in bound.arguments.items():
            read = getattr(self, "_" + _KINDS.get(parameter, "scalar"))
            several = isinstance(value, tuple)
            bound.arguments[parameter] = tuple(read(v, depth + 1) for v in value) if several else read(value, depth + 1)
        try:
            return _regular(self.functions[name](*bound.args, **bound.kwargs))
        except SymscapeError:
            raise
        except (TypeError, ValueError, ArithmeticError):
            self._fail(*self._span(node), "has no value", f"Write {name}{self._signature(name)} with real arguments")

    def _word(self, node: ast.expr, known: dict[str, Any], what: str, listed: str) -> Any:
        at = self._span(node)
        name = self.tokens[at[0]].text
        if not isinstance(node, ast.Name) or name not in known:
            close = _closest(name, known) if isinstance(node, ast.Name) else ""
            self._fail(*at, f"is not {what}", f"{close}Choose from {listed}")
        return known[name]

    def _view(self, node: ast.expr, depth: int) -> View:
        return self._word(node, _VIEWS, "a view", _VIEW_LIST)

    def _views(self, node: ast.expr, depth: int) -> View | tuple[View, ...]:
        if isinstance(node, ast.Tuple):
            return tuple(self._view(element, depth) for element in node.elts)
        return self._view(node, depth)

    def _index(self, node: ast.expr, depth: int) -> Any:
        return self._word(node, _INDICES, "an output index", ", ".join(_INDICES))

    def _flag(self, node: ast.expr, depth: int) -> bool:
        return bool(self._word(node, {"True": True, "False": False}, "True or False", "True, False"))

    # Refusals

    def _span(self, node: ast.expr | ast.keyword) -> tuple[int, int]:
        """Return the first and last token of a node."""
        return self._first[node.col_offset], self._last[node.end_col_offset or 0]

    def _signature(self, name: str) -> str:
        signature = inspect.signature(self.functions[name])
        plain = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
        return str(inspect.Signature(plain))

    def _allowed(self, name: str) -> str:
        return f"{_closest(name, self.functions)}Functions: {', '.join(self.functions)}"

    def _too_deep(self, at: int) -> NoReturn:
        self._fail(at, at, "is nested too deeply", f"At most {MAX_DEPTH} levels are read; split the expression")

    def _fail(self, first: int, last: int, reason: str, advice: str) -> NoReturn:
        start, end = self.tokens[first].start, self.tokens[last].start + len(self.tokens[last].text)
        self._fail_at(start, end, reason, advice)

    def _fail_character(self, position: int) -> NoReturn:
        character = self.text[position]
        greek = re.match(r"GREEK (?:SMALL|CAPITAL) LETTER (\w+)\Z", unicodedata.name(character, ""))
        if greek:
            advice = f'Write "{greek.group(1).lower().replace("lamda", "lambda")}"'
        elif character in _SPELLINGS:
            advice = f'Write "{_SPELLINGS[character]}"'
        else:
            advice = "There are names, numbers and + - * / ^ ( ) , = only: no attributes, subscripts or strings"
        self._fail_at(position, position + 1, "is not a character of this language", advice)

    def _fail_at(self, start: int, end: int, reason: str, advice: str) -> NoReturn:
        text, offset = self.before + self.text, len(self.before)
        left, right = (0, len(text)) if len(text) <= 120 else (max(0, start - 50), min(start + 70, len(text)))
        shown = _quoted(("..." if left else "") + text[left:right] + ("..." if right < len(text) else ""))
        piece = _quoted(_short(self.text[start:end]))
        raise ExpressionError(f"{self.call}({shown}): {piece} at column {start + offset + 1} {reason}. {advice}")


def _is_python(name: str) -> bool:
    return name != "lambda" and (keyword.iskeyword(name) or hasattr(builtins, name))


def _closest(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f'Did you mean "{close[0]}"? ' if close else ""


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:28]}...{text[-28:]}"


def _quoted(text: str) -> str:
    return '"' + "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text) + '"'


# What users call


def parse_scalar(text: str) -> sp.Expr:
    """Return a scalar: numbers exactly, names as positive symbols (n, d_0 and d_1 positive integers), oo alone.

    Raises ExpressionError for anything that is not on the whitelist.

    >>> parse_scalar("1e-4"), parse_scalar("lambda^2/(2*tau)")
    (1/10000, lambda**2/(2*tau))
    """
    if isinstance(text, str) and text.strip().lower() in _INFINITY:
        return sp.oo
    return _Reader("parse_scalar", text, _SCALAR_FUNCTIONS).read()


def parse_loss(text: str, name: str | None = None) -> Loss:
    """Return the loss that a text writes in the loss language; its name is the text unless given.

    Raises ExpressionError for anything that is not on the whitelist; errors of the language itself pass through.

    >>> parse_loss("E(sqdist(x, x')) + log(E(exp(-2*sqdist(x, chi))))").expr
    log(E_{x, chi}[exp(-2*|f(x) - f(chi)|^2)]) + E_{x, x'}[|f(x) - f(x')|^2]
    """
    expr = _Reader("parse_loss", text, _LOSS_FUNCTIONS).read()
    return Loss(expr, name=_short(" ".join(text.split())) if name is None else name)


def parse_setting(text: str) -> tuple[str, Any]:
    """Return (name, value) of a setting ``NAME=VALUE``; the value is a scalar, "euclidean", "dot" or None.

    The name is spelled as an argument is: ``lambda`` becomes ``lambda_``. Raises ExpressionError for anything else.

    >>> parse_setting("lambda=0.5"), parse_setting("epsilon=none")
    (('lambda_', 1/2), ('epsilon', None))
    """
    name, sign, value = text.partition("=") if isinstance(text, str) else ("", "", "")
    name = name.strip()
    if not sign or not _NAME.match(name) or len(name) > MAX_DIGITS or _is_python(name):
        shown = _quoted(_short(text)) if isinstance(text, str) else repr(text)
        what = f"{_quoted(_short(name))} is not a name; write" if sign else "write"
        raise ExpressionError(f"parse_setting({shown}): {what} NAME=VALUE, for instance tau=0.5")
    name = "lambda_" if name == "lambda" else name
    word = value.strip().lower()
    if word in _WORDS:
        return name, _WORDS[word]
    if word in _INFINITY:
        return name, sp.oo
    return name, _Reader("parse_setting", value, _SCALAR_FUNCTIONS, before=f"{name}=").read()
