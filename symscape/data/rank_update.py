"""total += rows^T rows by BLAS, its upper triangle, without holding Python's lock: blocks then run on several cores.

SciPy's Python wrappers keep the lock, and NumPy's product does not add to what is there. The functions are those that
scipy.linalg.cython_blas offers to compiled code, https://docs.scipy.org/doc/scipy/reference/linalg.cython_blas.html.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cython_blas

Array = NDArray[np.floating[Any]]

#: By type of the numbers: BLAS's name, and the type of C.
SYRK: dict[str, tuple[str, Any]] = {"float32": ("ssyrk", ctypes.c_float), "float64": ("dsyrk", ctypes.c_double)}


def add_symmetric_product(rows: Array, total: Array) -> None:
    """Add rows^T rows to the upper triangle of ``total``; rows: n x d in C order, total: d x d in Fortran order, of one type.

    >>> total = np.zeros((2, 2), order="F")
    >>> add_symmetric_product(np.array([[1.0, 2.0], [0.0, 1.0]]), total)
    >>> total.tolist()
    [[1.0, 2.0], [0.0, 5.0]]
    """
    n, d = rows.shape
    fits = rows.flags.c_contiguous and total.flags.f_contiguous and total.shape == (d, d) and rows.dtype == total.dtype
    if not fits or rows.dtype.name not in SYRK:
        raise TypeError(
            f"rows {rows.shape} {rows.dtype} in C order and total {total.shape} {total.dtype} in Fortran order"
        )
    function, real = _syrk(rows.dtype.name)
    width, count, one = ctypes.c_int(d), ctypes.c_int(n), real(1.0)
    by = ctypes.byref
    # To BLAS, which counts columns first, these rows are a d x n matrix A, and A A^T is asked for.
    function(
        b"U", b"N", by(width), by(count), by(one), rows.ctypes.data, by(width), by(one), total.ctypes.data, by(width)
    )


@cache
def _syrk(dtype: str) -> tuple[Any, Any]:
    """Return BLAS's function at its address, and its type of number."""
    name, real = SYRK[dtype]
    capsule = cython_blas.__pyx_capi__[name]
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    address = api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule))
    text, number, array = ctypes.c_char_p, ctypes.POINTER(ctypes.c_int), ctypes.c_void_p
    scalar = ctypes.POINTER(real)
    prototype = ctypes.CFUNCTYPE(None, text, text, number, number, scalar, array, number, scalar, array, number)
    return prototype(address), real
