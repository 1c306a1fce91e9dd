"""The quartic landscape of InfoNCE against the exact one, in closed form for Gaussian features (T1, X1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.figures.style import BLACK, COLOURS, DASHES, finish, letter, one_axes, panels, styled
from symscape.landscape.landscape import landscape
from symscape.losses.infonce import InfoNCE
from symscape.spectrum.closed_form.closed_form import closed_form
from symscape.spectrum.closed_form.truncation import truncation_table
from symscape.spectrum.modes import mode_symbols, p_i, r_i

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.floating[Any]]

#: Orders of the series, besides the exact landscape, and the correlation of the cut.
ORDERS = (4, 8)
CORRELATION = 0.7


@styled
def series_cut(ax: Axes | None = None, r: float = CORRELATION, orders: Sequence[int] = ORDERS) -> Axes:
    """Draw InfoNCE over one weight w, Sigma = 1 and A_0 = r, exactly and as series in w; return the axes.

    Dots: the minimum of each.
    """
    ax = one_axes("series_cut", ax, 2.3, 2.7)
    w, a, s = np.linspace(0, 1.6, 161), np.array([[r]]), np.eye(1)
    exact = closed_form(InfoNCE())
    first = mode_symbols(0)
    lines = {"exact": sp.lambdify((first[p_i], first[r_i]), exact.expr(1))(w**2, r)}
    for order in orders:
        lines[f"order {order}"] = landscape(InfoNCE(), order=order).numpy()(w[:, None, None], A0=a, Sigma=s)
    tables = [truncation_table(InfoNCE(), [r], order=order) for order in orders]
    minima = [(tables[0].p_exact, tables[0].value_exact), *((t.p_truncated, t.value_truncated) for t in tables)]
    for i, ((name, values), (p, value)) in enumerate(zip(lines.items(), minima, strict=True)):
        ax.plot(w, values, color=COLOURS[i], linestyle=DASHES[i], label=name)
        ax.plot(np.sqrt(p), value, "o", color=COLOURS[i], markersize=4.5)
    low = float(tables[0].value_exact[0])
    ax.set(xlim=(0, 1.6), ylim=(1.2 * low, -0.6 * low), xlabel="$w$", ylabel="$L(w) - L(0)$")
    return finish(ax)


@styled
def trained_strength(ax: Axes | None = None, orders: Sequence[int] = ORDERS) -> Axes:
    """Draw the strength p of a mode after training against its correlation r, exactly and from series; return the axes.

    The exact one runs to infinity at r = 1, where augmentation does nothing to the mode.
    """
    ax = one_axes("trained_strength", ax, 2.3, 2.7)
    r = np.concatenate([np.linspace(0.02, 0.9, 45), 1 - np.geomspace(0.095, 1e-3, 20)])
    tables = [truncation_table(InfoNCE(), list(r), order=order) for order in orders]
    ax.plot(r, tables[0].p_exact, color=COLOURS[0], linestyle=DASHES[0], label="exact")
    for i, (order, table) in enumerate(zip(orders, tables, strict=True)):
        ax.plot(r, table.p_truncated, color=COLOURS[i + 1], linestyle=DASHES[i + 1], label=f"order {order}")
    ax.axvline(1, color=BLACK, linewidth=0.6, linestyle=(0, (1.2, 1.4)))
    ax.set(xlim=(0, 1.02), ylim=(1e-2, 1e2), yscale="log", xlabel="$r$", ylabel="$p$ after training")
    return finish(ax)


@styled
def quartic_and_exact(axes: Sequence[Axes] | None = None) -> tuple[Axes, ...]:
    """Draw InfoNCE over one weight, and the trained strength against r: the series against the closed form."""
    found = panels("quartic_and_exact", axes, 2, 2.3)
    series_cut(ax=found[0])
    trained_strength(ax=found[1])
    letter(found[0], 0, f"one weight, $r = {CORRELATION:g}$")
    letter(found[1], 1, "after training")
    found[1].legend(loc="upper left")
    return found
