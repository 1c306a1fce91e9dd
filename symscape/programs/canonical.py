"""A landscape in canonical coordinates: where Sigma is the identity and A_0 diagonal, products with them cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError, eigh, solve_triangular

from symscape.algebra.words import IDENTITY
from symscape.errors import InputError, MomentsError
from symscape.programs.arguments import real_array
from symscape.programs.moment_program import MomentProgram

Array = NDArray[np.floating[Any]]

#: An entry off the diagonal below this, relative to the largest of the matrix, is rounding.
ROUNDING = 1e-12


class CanonicalFunction:
    """The landscape as a function of V = W T, (..., d1, d0): L(V), with gradient by V; the parameters are fixed.

    ``T`` (d0 x d0) and its inverse: W Sigma W^T = V V^T and W A_0 W^T = V diag(r) V^T; ``r`` descends, and holds the canonical
    correlations of the two views. Made by ``f.canonical(A0=..., Sigma=..., **parameters)``.

    >>> import symscape as ss
    >>> A0, Sigma = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[3.0, 1.0], [1.0, 2.0]])
    >>> f = ss.landscape(ss.InfoNCE(tau=1)).numpy()
    >>> canonical, W = f.canonical(A0=A0, Sigma=Sigma), np.array([[0.3, 0.1]])
    >>> bool(np.isclose(canonical(canonical.coordinates(W)), f(W, A0=A0, Sigma=Sigma)))
    True
    """

    def __init__(
        self,
        name: str,
        program: MomentProgram,
        matrices: Mapping[str, Array],
        means: Mapping[str, Array],
        coefficients: Callable[[int], tuple[Any, ...]],
    ):
        A0, Sigma = matrices["A_0"], matrices["Sigma"]
        if not np.isfinite(A0).all():
            raise MomentsError(f"{name}: A0 has NaN or infinite entries")
        try:
            lower = np.linalg.cholesky(Sigma)
            # A_0 u = r Sigma u; the modes are the columns of the inverse of T.
            r, modes = eigh(A0, Sigma)
        except (LinAlgError, np.linalg.LinAlgError) as error:
            raise InputError(
                f"{name}: Sigma is not positive definite, so there are no canonical coordinates; drop constant features"
            ) from error
        self.r = r[::-1]
        self.inverse = np.ascontiguousarray(modes[:, ::-1].T)
        # T^T T = Sigma: T = lower times an orthogonal matrix, found without an inverse.
        self.T = lower @ (solve_triangular(lower, Sigma, lower=True) @ modes[:, ::-1])
        self._name, self._coefficients = name, coefficients
        kinds = {"Sigma": "identity", "A_0": "diagonal"}
        self._matrices: dict[str, Array] = {"A_0": self.r, "Sigma": np.eye(len(r))}
        for letter in program.letters:
            if letter in kinds:
                continue
            given = np.eye(len(r)) if letter == IDENTITY else matrices[letter]
            turned = self.inverse @ given @ self.inverse.T
            diagonal = np.diag(turned)
            off = np.abs(turned - np.diag(diagonal)).max(initial=0.0)
            kinds[letter] = "diagonal" if off <= ROUNDING * np.abs(diagonal).max() else "dense"
            self._matrices[letter] = diagonal if kinds[letter] == "diagonal" else (turned + turned.T) / 2
        self._means = {name: self.inverse @ mean for name, mean in means.items()}
        self._program = MomentProgram(program.monomials, kinds)

    def coordinates(self, W: ArrayLike) -> Array:
        """Return V = W T."""
        return self._checked("W", W) @ self.T

    def weights(self, V: ArrayLike) -> Array:
        """Return W = V T^{-1}."""
        return self._checked("V", V) @ self.inverse

    def __call__(self, V: ArrayLike) -> Any:
        """Return the value: a float, or an array for a batch of V."""
        value = self._run(V, gradient=False)[0]
        return float(value) if np.ndim(value) == 0 else value

    def gradient(self, V: ArrayLike) -> Array:
        """Return the derivative by V; that by W is this times T^T."""
        return self.value_and_gradient(V)[1]

    def value_and_gradient(self, V: ArrayLike) -> tuple[Any, Array]:
        """Return value and derivative by V."""
        value, dV = self._run(V, gradient=True)
        assert dV is not None
        return float(value) if np.ndim(value) == 0 else value, dV

    def __repr__(self) -> str:
        return f"{self._name} in canonical coordinates, d0 = {len(self.r)}"

    def _checked(self, name: str, value: ArrayLike) -> Array:
        array = real_array(name, value)
        if array.dtype.kind == "O":
            raise MomentsError(f"{name}: canonical coordinates are for arrays of floats")
        if array.ndim < 2 or array.shape[-1] != len(self.r) or not array.shape[-2]:
            raise MomentsError(f"{name} has shape {array.shape}; it is (..., d1, {len(self.r)})")
        return array

    def _run(self, V: ArrayLike, gradient: bool) -> tuple[Array, Array | None]:
        V = self._checked("V", V)
        numbers = self._coefficients(V.shape[-2])
        value, dV, _ = self._program.run(V, self._matrices, self._means, None, numbers, None, gradient)
        return value, dV
