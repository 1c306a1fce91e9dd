"""The landscape of a loss of cosines as a function of the spectrum, on the shell Tr P = 1."""

from __future__ import annotations

import sympy as sp

from symscape.errors import InputError
from symscape.landscape import plan as steps
from symscape.landscape.landscape import landscape
from symscape.losses.loss import Loss
from symscape.spectrum.cosine.fluctuations import FluctuationSeries
from symscape.spectrum.modes import p_i
from symscape.spectrum.spectrum_landscape import SpectrumLandscape
from symscape.spectrum.words import ENTRIES, spectrum_of_words


def normalised_landscape(loss: Loss, fluctuations: bool = False, order: int = 2) -> SpectrumLandscape:
    """Return the landscape of a loss of cosines as a function of the spectrum of P, on the shell Tr P = 1.

    A scale-invariant loss has no series at W = 0; its scale is fixed by Tr P = 1 instead. With k comparable modes kept,
    |f|^2 = 1 + O(k^{-1/2}), and each cosine is an inner product to leading order: derived for k tau >> 1, tau << 1 (tau:
    the scale on which the loss varies with a cosine). ``fluctuations=True`` keeps the fluctuations of |f|^2 as well, and
    is then complete to order k^{-order/2} at any fixed tau; ``order``, even, is the degree in fluctuations.

    Features are jointly Gaussian, mean zero. Raises InputError for a loss that is not scale-invariant or not made of inner
    products, NotAnalyticError for one with a kink at the mean cosines.

    >>> from symscape.losses.ntxent import NTXent
    >>> normalised_landscape(NTXent(tau=sp.Symbol("tau", positive=True))).outer
    -Tr M/tau + Tr P²/(2*tau**2)
    """
    call = f"normalised_landscape({getattr(loss, 'name', repr(loss))})"
    if not isinstance(loss, Loss):
        raise InputError(f"{call}: the first argument is a Loss; wrap an expression in Loss(...)")
    if isinstance(order, bool) or not isinstance(order, int) or order < 2 or order % 2:
        raise InputError(
            f"{call[:-1]}, order={order!r}): the order, a degree in fluctuations, is an even number from 2"
        )
    if order > 2 and not fluctuations:
        raise InputError(
            f"{call[:-1]}, order={order}): the norms fluctuate as much as the inner products; pass fluctuations=True too"
        )
    if steps.scaling_degree(loss.expr) != 0:
        raise InputError(
            f"{call}: the loss is not scale-invariant, f -> c f changes it, so there is no shell to hold it on; "
            "landscape(loss) derives its series at W = 0"
        )

    # 1. On the shell, inner products are their means and fluctuations; the loss is a polynomial in the latter.
    series = FluctuationSeries(loss, order, fluctuations, call)
    # 2. Means of products of fluctuations, exactly. A product of n has degree 2 n in W, and the traces stand as scalars.
    land = landscape(Loss(sp.Add(*series.terms), name=loss.name), order=2 * order)
    # 3. On the aligned family each trace is a sum over modes, and the scalars are sums of their own.
    aligned = spectrum_of_words(land)
    unknown = sorted(set(series.traces) - set(ENTRIES))
    if unknown:
        raise InputError(f"{call}: the cross moment {unknown[0]} is neither Sigma nor A_0, so it is no function of r")
    scalars = {symbol: sp.Symbol(symbol.name, real=True) for symbol in series.traces.values()}
    shell = {symbol: sp.S.One for symbol, summand in aligned.sums.items() if summand == p_i}
    words = [symbol for symbol in aligned.sums if symbol not in {*shell, *scalars.values()}]
    outer = _collected(aligned.outer.xreplace(scalars).xreplace(shell), words)
    sums = dict(aligned.sums) | {scalars[s]: ENTRIES[letter] * p_i for letter, s in series.traces.items()}
    return SpectrumLandscape(
        f"{loss.name} on the shell",
        outer,
        {symbol: summand for symbol, summand in sums.items() if symbol in outer.free_symbols},
        sp.S.One,
        _assumptions(fluctuations, order),
    )


def _collected(expr: sp.Expr, words: list[sp.Symbol]) -> sp.Expr:
    """Return a polynomial in words with its coefficients, functions of traces, in a short form."""
    expr = sp.expand(expr)
    if expr.is_polynomial(*words, *(s for s in expr.free_symbols if s.name.startswith("Tr "))):
        return expr
    terms = sp.Poly(expr, *words).terms() if words else [((), expr)]
    return sp.Add(
        *[sp.simplify(c) * sp.Mul(*[w**n for w, n in zip(words, powers, strict=True)]) for powers, c in terms]
    )


def _assumptions(fluctuations: bool, order: int) -> tuple[str, ...]:
    if fluctuations:
        reach = f"k comparable modes kept, k >> 1 and k tau >> 1; complete to order k^-{order // 2} at fixed tau"
    else:
        reach = "leading order for k comparable modes kept, k tau >> 1 and tau << 1: |f|^2 is held at its mean, 1"
    return (
        "scale fixed by Tr P = 1, where the loss does not change along f -> c f",
        "W is aligned with the modes: A_0 u = r Sigma u, P = diag(p) in canonical coordinates",
        "views of one datum jointly Gaussian, mean zero",
        reach,
    )
