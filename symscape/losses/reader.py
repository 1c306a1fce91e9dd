"""The reader of expressions from outside: tokens, then Python's syntax tree of placeholders, then values by a whitelist.

The text is first cut into tokens. Python's `ast` then sees operators, brackets and commas, with a numbered placeholder
for every name and number, so that no word of the text can mean anything in Python. The tree is read node by node.
"""

from __future__ import annotations

import ast
import inspect
import re
import unicodedata
from fractions import Fraction
from typing import Any, NamedTuple, NoReturn

import sympy as sp

from symscape.errors import ExpressionError, SymscapeError
from symscape.losses.vocabulary import (
    INDICES,
    INFINITY,
    INTEGERS,
    KINDS,
    LOSS_FUNCTIONS,
    MAX_DEPTH,
    MAX_DIGITS,
    MAX_EXPONENT,
    MAX_LENGTH,
    NAME,
    RESERVED,
    VIEW_LIST,
    VIEWS,
    Functions,
    Refusal,
    bounded_number,
    closest,
    is_python,
    power,
    quoted,
    regular,
    short,
)
from symscape.probability.views import View

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)|(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*'?)|(?P<sign>\*\*|[-+*/^(),=])"
)
_SPELLINGS = {"−": "-", "·": "*", "×": "*", "÷": "/", "²": "^2", "′": "'", "’": "'", "∞": "oo", "√": "sqrt"}


class _Token(NamedTuple):
    kind: str
    text: str
    start: int


class Reader:
    """One text with its tokens, and the tree that is read from it."""

    def __init__(self, call: str, text: Any, functions: Functions, before: str = ""):
        self.call, self.text, self.functions, self.before = call, text, functions, before
        self.has_views = functions is LOSS_FUNCTIONS
        if not isinstance(text, str):
            raise ExpressionError(f"{call}({text!r}): the expression is a string, such as {self._example()}")
        if len(text) > MAX_LENGTH:
            raise ExpressionError(
                f"{call}({quoted(before + text[:40] + '...')}): {len(text)} characters; an expression has at most "
                f"{MAX_LENGTH}. Build longer ones in Python with symscape.Loss"
            )
        self.tokens: list[_Token] = []
        self._cut()
        if not self.tokens:
            shown = quoted(before + text)
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
        elif not NAME.match(name) or len(name) > MAX_DIGITS:
            limit = f"A name is a letter followed by at most {MAX_DIGITS} letters, digits and single underscores"
            self._fail(number, number, "is not a name", limit)
        elif name in RESERVED:
            self._fail(number, number, "is reserved", f"Choose another name: {RESERVED[name]}")
        elif is_python(name) and name not in ("True", "False"):
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
                return power(self._scalar(node.left, depth + 1), self._scalar(node.right, depth + 1))
            if isinstance(node, ast.BinOp):
                return self._chain(node, depth)
        except Refusal as refusal:
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
                value = value * power(right, sp.Integer(-1))
            value = bounded_number(value)
        return value

    def _value(self, node: ast.Name) -> sp.Expr:
        at = self._span(node)
        kind, name, _ = self.tokens[at[0]]
        if kind == "number":
            value = Fraction(name)
            return sp.Rational(value.numerator, value.denominator)
        if name == "pi":
            return sp.pi
        if name.lower() in INFINITY:
            self._fail(*at, "stands alone only", "Infinity is no part of a larger expression; for instance n=oo")
        if name in self.functions:
            self._fail(*at, "is a function", f"Write {name}{self._signature(name)}")
        if self.has_views and name in VIEWS:
            self._fail(*at, "is a view, not a scalar", f"Write sqnorm({name}), dot({name}, ...) or sqdist({name}, ...)")
        if self.has_views and name in INDICES:
            self._fail(*at, "is an output index, not a scalar", f"It stands in P({name}, {name}), M({name}, {name})")
        if name in ("True", "False"):
            self._fail(*at, "is no scalar", "It stands in distinct=True and centred=True")
        name = "lambda" if name == "lambda_" else name
        return INTEGERS.get(name) or sp.Symbol(name, positive=True)

    def _called(self, node: ast.Call, depth: int) -> sp.Expr:
        at = self._span(node.func)
        name = self.tokens[at[0]].text
        if not isinstance(node.func, ast.Name) or self.tokens[at[0]].kind == "number":
            self._fail(*at, "is not a function", "Products are written with *")
        if name not in self.functions:
            if name in LOSS_FUNCTIONS:
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
            read = getattr(self, "_" + KINDS.get(parameter, "scalar"))
            several = isinstance(value, tuple)
            bound.arguments[parameter] = tuple(read(v, depth + 1) for v in value) if several else read(value, depth + 1)
        try:
            return regular(self.functions[name](*bound.args, **bound.kwargs))
        except SymscapeError:
            raise
        except (TypeError, ValueError, ArithmeticError):
            self._fail(*self._span(node), "has no value", f"Write {name}{self._signature(name)} with real arguments")

    def _word(self, node: ast.expr, known: dict[str, Any], what: str, listed: str) -> Any:
        at = self._span(node)
        name = self.tokens[at[0]].text
        if not isinstance(node, ast.Name) or name not in known:
            close = closest(name, known) if isinstance(node, ast.Name) else ""
            self._fail(*at, f"is not {what}", f"{close}Choose from {listed}")
        return known[name]

    def _view(self, node: ast.expr, depth: int) -> View:
        return self._word(node, VIEWS, "a view", VIEW_LIST)

    def _views(self, node: ast.expr, depth: int) -> View | tuple[View, ...]:
        if isinstance(node, ast.Tuple):
            return tuple(self._view(element, depth) for element in node.elts)
        return self._view(node, depth)

    def _index(self, node: ast.expr, depth: int) -> Any:
        return self._word(node, INDICES, "an output index", ", ".join(INDICES))

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
        return f"{closest(name, self.functions)}Functions: {', '.join(self.functions)}"

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
        shown = quoted(("..." if left else "") + text[left:right] + ("..." if right < len(text) else ""))
        piece = quoted(short(self.text[start:end]))
        raise ExpressionError(f"{self.call}({shown}): {piece} at column {start + offset + 1} {reason}. {advice}")
