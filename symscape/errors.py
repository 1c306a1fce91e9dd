"""Every error that symscape raises on purpose; each message quotes the input and offers the next step."""

from __future__ import annotations


class SymscapeError(Exception):
    """Base of all symscape errors."""


class InputError(SymscapeError, ValueError):
    """An argument has a wrong value."""


class OrderError(InputError):
    """The order of a landscape is not a positive even integer, or is beyond what the data model determines."""


class NotAnalyticError(InputError):
    """The loss has no power series at W = 0."""


class ScaleInvariantError(NotAnalyticError):
    """The loss does not change when f is multiplied by a number, so that it has no power series at W = 0."""


class UnboundViewError(InputError):
    """A view is never integrated: the expression is a random variable, not a loss."""


class ConditionalExpectationError(InputError):
    """An inner expectation integrates a view whose datum stays free; no rule covers it."""


class UnknownNameError(InputError):
    """A loss, parameter, letter or function with this name does not exist."""


class MomentsError(InputError):
    """A covariance, mean or weight matrix has a wrong shape, is not symmetric, not finite, or not positive."""


class ExpressionError(InputError):
    """An expression from outside uses something that is not on the whitelist."""


class UncountedError(InputError, TypeError):
    """The number of families is known between bounds only, so a list of them has no length in advance."""
