"""Landscapes as functions of the spectrum of P: on the aligned family, in closed form, on the shell, at equal shares."""
