"""Finds the derivations that come with the package, runs them, and presents one as a script."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import multiprocessing
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import symscape
from symscape.errors import InputError, UnknownNameError
from symscape.verification.proof import Proof
from symscape.verification.verdict import Verdict

_FILE = re.compile(r"([tx])(\d\d)(?:_(\w+))?\.py\Z")


@dataclass(frozen=True)
class Derivation:
    """A derivation: ``identifier`` (T1.infonce), ``theorem`` (its docstring), and the file that proves it."""

    identifier: str
    theorem: str
    file: Path

    @property
    def result(self) -> str:
        """The result of the theory that it belongs to: T1 to T12, X1 to X7."""
        return self.identifier.partition(".")[0]

    @property
    def claim(self) -> str:
        """The theorem in a line: the first of its docstring, without the identifier."""
        return self.theorem.strip().split("\n")[0].partition(". ")[2] or self.theorem.strip().split("\n")[0]

    def prove(self, proof: Proof) -> None:
        """Run the derivation with a proof to take its claims."""
        _module(self.file).prove(proof)


@dataclass(frozen=True)
class Outcome:
    """What came of one derivation: its verdicts, the time it took, and the error that stopped it, if one did.

    ``texts`` are the sentences of its argument, each with the number of claims before it.
    """

    derivation: Derivation
    verdicts: tuple[Verdict, ...]
    seconds: float
    tampered: bool
    error: str = ""
    texts: tuple[tuple[int, str], ...] = ()

    @property
    def good(self) -> bool:
        """Whether every claim holds, or, with planted errors, whether every one was caught."""
        return bool(self.verdicts) and not self.error and all(v.holds != self.tampered for v in self.verdicts)


def folder() -> Path:
    """Return where the derivations are: in the installed package, or beside it in a checkout."""
    root = Path(symscape.__file__).parent
    for place in (root / "derivations", root.parent / "derivations"):
        if place.is_dir():
            return place
    raise InputError(f"the derivations that belong to {root} are missing; install symscape again")


@lru_cache(maxsize=1)
def derivations() -> tuple[Derivation, ...]:
    """Return all derivations, T1 to T12 and then X1 to X7."""
    found = []
    for file in sorted(folder().glob("*.py")):
        match = _FILE.match(file.name)
        if match:
            letter, number, name = match.groups()
            identifier = f"{letter.upper()}{int(number)}" + (f".{name.replace('_', '-')}" if name else "")
            found.append(Derivation(identifier, _theorem(file), file))
    return tuple(found)


def chosen(identifiers: Iterable[str] = ()) -> tuple[Derivation, ...]:
    """Return the derivations of some results (T1) or parts of results (T1.infonce), all of them where none is named.

    Raises UnknownNameError.
    """
    wanted = [name.strip().lower() for name in identifiers]
    everything = derivations()
    for name in wanted:
        if not any(name in (d.identifier.lower(), d.result.lower()) for d in everything):
            known = ", ".join(dict.fromkeys(d.result for d in everything))
            raise UnknownNameError(f"there is no derivation {name!r}; known: {known}, and their parts, such as "
                                   f"{everything[0].identifier}")  # fmt: skip
    return tuple(d for d in everything if not wanted or {d.identifier.lower(), d.result.lower()} & set(wanted))


def run(derivation: Derivation, tamper: bool = False, report: Callable[[Verdict], None] | None = None) -> Outcome:
    """Run one derivation; an exception in it is part of the outcome."""
    proof, start, error = Proof(tamper, report), time.perf_counter(), ""
    try:
        derivation.prove(proof)
    except Exception as problem:
        place = traceback.extract_tb(problem.__traceback__)[-1]
        error = f"{type(problem).__name__}: {problem} ({Path(place.filename).name}, line {place.lineno})"
    seconds = time.perf_counter() - start
    return Outcome(derivation, tuple(proof.verdicts), seconds, tamper, error, tuple(proof.texts))


def run_all(
    chosen: Sequence[Derivation],
    tamper: bool = False,
    workers: int | None = None,
    keep: Callable[[Verdict], Any] | None = None,
) -> Iterator[Outcome]:
    """Run derivations in several processes and yield each outcome as it comes.

    What was derived stays behind, as much of it cannot travel; ``keep`` makes of each verdict what takes its place in
    ``shown``, where the objects are.
    """
    workers = min(workers or os.cpu_count() or 1, len(chosen))
    if workers <= 1:
        for derivation in chosen:
            yield _kept(run(derivation, tamper), keep) if keep else run(derivation, tamper)
        return
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(workers, initializer=_end_when_interrupted) as pool:
        waiting = [pool.submit(_run_apart, derivation, tamper, keep) for derivation in chosen]
        try:
            for done in as_completed(waiting):
                yield done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in set(multiprocessing.active_children()) - others:
                worker.terminate()
                worker.join()
            raise


def _end_when_interrupted() -> None:
    """Let a worker end at Ctrl-C: by default it would report that and take the next task."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _run_apart(derivation: Derivation, tamper: bool, keep: Callable[[Verdict], Any] | None) -> Outcome:
    return _kept(run(derivation, tamper), keep)


def _kept(outcome: Outcome, keep: Callable[[Verdict], Any] | None) -> Outcome:
    kept = (replace(v, shown=keep(v) if keep else None, claimed=None) for v in outcome.verdicts)
    return replace(outcome, verdicts=tuple(kept))


def present(prove: Callable[[Proof], None]) -> None:
    """Print a derivation with its verdicts as it runs, and leave with status 1 if a claim fails: the main of its script."""
    module = inspect.getmodule(prove)
    print((module.__doc__ or "").strip(), end="\n\n")
    proof = Proof()

    def report(verdict: Verdict) -> None:
        for place, words in proof.texts:
            if place == verdict.number - 1:
                print(f"    {words}")
        print(verdict)
        if verdict.shown is not None and not verdict.result and len(str(verdict.shown)) < 400:
            print(f"        {verdict.shown}")

    proof._report = report
    prove(proof)
    failed = [v.number for v in proof.verdicts if not v.holds]
    print(f"\n{len(proof.verdicts)} claims: " + (f"claims {failed} FAIL" if failed else "all hold"))
    if failed:
        sys.exit(1)


def _theorem(file: Path) -> str:
    """Return the docstring of a derivation without running it, so that one that is broken does not stop the others."""
    try:
        return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")), clean=False) or ""
    except SyntaxError:
        return ""


@lru_cache(maxsize=128)
def _module(file: Path):  # type: ignore[no-untyped-def]
    name = f"symscape_derivation_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
