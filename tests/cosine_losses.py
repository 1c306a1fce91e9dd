"""Losses of cosines, as a user writes them, with numbers for their parameters."""

import sympy as sp

import symscape as ss

tau, t, offset = sp.symbols("tau t offset", positive=True)
x, xp, chi = ss.anchor, ss.positive, ss.negative
E = ss.E


def cosine(u, v):
    """The cosine of f(u) and f(v)."""
    return ss.dot(u, v) / sp.sqrt(ss.sqnorm(u) * ss.sqnorm(v))


def softplus(u):
    return sp.log(1 + sp.exp(u))


LOSSES = {
    "NT-Xent": ss.NTXent(tau=tau),
    "decoupled": ss.Loss(-E(cosine(x, xp)) / tau + E(sp.log(E(sp.exp(cosine(x, chi) / tau), over=chi)))),
    "alignment and uniformity": ss.Loss(E(2 - 2 * cosine(x, xp)) + sp.log(E(sp.exp(-t * (2 - 2 * cosine(x, chi)))))),
    "SimSiam": ss.Loss(-E(cosine(x, xp))),
    "spectral, cosines": ss.Loss(-2 * E(cosine(x, xp)) + E(cosine(x, chi) ** 2)),
    "SigLIP": ss.Loss(E(softplus(-t * cosine(x, xp) + offset)) + E(softplus(t * cosine(x, chi) - offset))),
}

NUMBERS = {"tau": 0.3, "t": 1.7, "offset": 0.4}


def numbers_of(land):
    """The numbers of the parameters that a landscape has."""
    return {name: v for name, v in NUMBERS.items() if name in map(str, land.parameters)}
