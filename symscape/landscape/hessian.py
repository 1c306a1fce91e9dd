"""The quadratic part of a landscape: the Hessian at the origin, B, and whether augmentation competes with data in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sympy as sp

from symscape.algebra.words import IDENTITY
from symscape.typesetting.symbols import Meaning, d_0, letter_matrix, letter_symbol, mean


@dataclass(frozen=True)
class OriginHessian:
    """The quadratic part -Tr(W B W^T); the Hessian at W = 0 is -2 B for each row of W.

    ``coefficients`` holds the coefficient in B of each moment, by letter, and of each product u v^T of mean vectors, by
    pair. A direction u leaves the origin downhill when u^T B u > 0.
    """

    coefficients: Mapping[str | tuple[str, str], sp.Expr]
    meaning: Meaning = field(default_factory=Meaning)

    @property
    def B(self) -> sp.Expr:
        """B as a SymPy matrix expression."""
        if not self.coefficients:
            return sp.ZeroMatrix(*letter_symbol("Sigma").shape)
        return sp.MatAdd(*[c * self._matrix(key) for key, c in self.coefficients.items()]).doit()

    def _matrix(self, key: str | tuple[str, str]) -> sp.MatrixExpr:
        if isinstance(key, str):
            return letter_matrix(key, self.meaning)
        u, v = (mean if name == "mean" else sp.MatrixSymbol(name, d_0, 1) for name in key)
        if "mean" in key and not self.meaning.has_mean:
            return sp.ZeroMatrix(d_0, d_0)
        return u * v.T if u == v else (u * v.T + v * u.T) / 2

    @property
    def data(self) -> sp.Expr:
        """The coefficient of A_0 in B once Sigma = A_0 + C: what data variation contributes."""
        return sp.factor(self.coefficients.get("A_0", sp.S.Zero) + self.coefficients.get("Sigma", sp.S.Zero))

    @property
    def augmentation(self) -> sp.Expr:
        """The coefficient of C = Sigma - A_0 in B: what augmentation contributes."""
        return sp.factor(self.coefficients.get("Sigma", sp.S.Zero))

    @property
    def decay(self) -> sp.Expr:
        """The coefficient of the identity in B: minus the weight decay."""
        return self.coefficients.get(IDENTITY, sp.S.Zero)

    @property
    def competition(self) -> bool | None:
        """Whether data variation and augmentation enter B with opposite signs; None when parameters or other moments decide."""
        if set(self.coefficients) - {"A_0", "Sigma", IDENTITY, ("mean", "mean")}:
            return None
        if self.augmentation == 0 or self.data == 0:
            return False
        product = sp.simplify(self.data * self.augmentation)
        return True if product.is_negative else False if product.is_positive else None

    def sentences(self) -> list[str]:
        """Return what the quadratic part says about the origin."""
        if set(self.coefficients) - {"A_0", "Sigma", IDENTITY, ("mean", "mean")}:
            return ["B joins several moments: its eigenvalues decide which directions leave the origin."]
        said = []
        if self.meaning.has_bias and ("mean", "mean") in self.coefficients:
            vector = "W mean + b" if self.meaning.has_mean else "b"
            said.append(f"The mean of the representation enters as {-self.coefficients['mean', 'mean']} |{vector}|^2.")
        data, augmentation = self.data, self.augmentation
        if not self.coefficients:
            return ["The quadratic part vanishes: higher parts decide about the origin."]
        if data.is_positive:
            said.append(f"Data variation A_0 enters B with coefficient {data} > 0: it drives W away from the origin.")
        elif data.is_negative:
            said.append(f"Data variation A_0 enters B with coefficient {data} < 0: it holds W at the origin.")
        elif data != 0:
            said.append(f"Data variation A_0 enters B with coefficient {data}, whose sign the parameters decide.")
        if augmentation == 0:
            said.append("Augmentation C = Sigma - A_0 does not enter B: its strength does not change the origin.")
        elif augmentation.is_positive:
            said.append(
                f"Augmentation C = Sigma - A_0 enters with coefficient {augmentation} > 0: it drives W away, too."
            )
        elif augmentation.is_negative:
            said.append(
                f"Augmentation C = Sigma - A_0 enters with coefficient {augmentation} < 0: it competes with the data, "
                "and directions where it wins collapse."
            )
        else:
            said.append(
                f"Augmentation C = Sigma - A_0 enters with coefficient {augmentation}, whose sign the parameters decide."
            )
        if self.decay != 0:
            said.append(
                f"Weight decay shifts every eigenvalue of B by {self.decay}: modes below the threshold collapse."
            )
        return said
