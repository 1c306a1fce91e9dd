"""The stand-in for a loss that only code can say, with the reason why the language of losses cannot."""

from __future__ import annotations

from typing import Any

from sympy.core.symbol import Str

from symscape.losses.language import Node


class Unexpressed(Node):
    """Stands for a loss, or a term of one, so that it adds, compares and prints; nothing can be derived from it.

    ``reason`` completes 'it has no expression in the language of losses: ...'.
    """

    def __new__(cls, name: Any, reason: Any) -> Unexpressed:
        """Return the stand-in."""
        return super().__new__(cls, Str(str(name)), Str(str(reason)))

    @property
    def reason(self) -> str:
        """Why there is no expression."""
        return self.args[1].name

    def _sympystr(self, printer: Any) -> str:
        return self.args[0].name

    def _latex(self, printer: Any) -> str:
        return rf"\text{{{self.args[0].name}}}"
