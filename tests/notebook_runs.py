"""Notebooks executed and compared: what one says now against what is stored in it.

``python tests/notebook_runs.py [NAME ...]`` executes the notebooks anew, all or those whose file names hold a NAME, and
stores them.
"""

import os
import re
import sys
import tempfile
from base64 import b64decode
from io import BytesIO
from itertools import zip_longest
from pathlib import Path

import matplotlib.font_manager  # makes its cache of fonts here: in a notebook it would say so
import matplotlib.image
import nbformat
import numpy as np
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).parent.parent / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
#: Text outputs that are compared; pictures apart.
TEXTS = ("text/plain", "text/latex", "text/markdown")
#: Seconds that a cell may take.
PATIENCE = 300

NUMBER = re.compile(r"(?<![\w.])[-+]?\d+\.\d*(?:e[-+]?\d+)?|(?<![\w.])[-+]?\d+e[-+]?\d+")
#: Floats of so many digits may differ by one unit of their last: they are rounded, and machines round apart.
LONG = 4
#: A picture is the same when its sides agree to 5 %, and its mean lightness to 0.03 of that of paper.
SIDES, LIGHTNESS = 0.05, 0.03


def paths() -> list[Path]:
    """Return the notebooks of the tour, in order."""
    return sorted(FOLDER.glob("*.ipynb"))


def read(path: Path) -> NotebookNode:
    """Return a stored notebook."""
    return nbformat.read(path, as_version=4)


def executed(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Return a notebook as a fresh kernel executes it in a folder, and without what differs between machines.

    The kernel sees no settings of the user. Raises CellExecutionError for a cell that fails.
    """
    own = {"IPYTHONDIR": str(folder / "ipython"), "TMPDIR": str(folder), "MATPLOTLIBRC": matplotlib.get_data_path()}
    fresh = nbformat.from_dict(notebook)
    client = NotebookClient(
        fresh, timeout=PATIENCE, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    return cleaned(client.execute(env=os.environ | own))


def cleaned(notebook: NotebookNode) -> NotebookNode:
    """Return a notebook without times and names of the machine; what a stream says in one piece."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = NotebookNode()
        outputs: list[NotebookNode] = []
        for output in cell.get("outputs", []):
            last = outputs[-1] if outputs else None
            if last is not None and last.output_type == output.output_type == "stream" and last.name == output.name:
                last.text += output.text
            else:
                outputs.append(output)
        if cell.cell_type == "code":
            cell.outputs = outputs
    return notebook


def texts(cell: NotebookNode) -> list[str]:
    """Return what a cell says: its streams, and its values in every form of text."""
    found = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            found.append(output.text)
        else:
            found += [text for kind in TEXTS if (text := output.get("data", {}).get(kind)) is not None]
    return found


def pictures(cell: NotebookNode) -> list[np.ndarray]:
    """Return the figures of a cell, as arrays of lightness between 0 and 1."""
    data = [output.get("data", {}).get("image/png") for output in cell.get("outputs", [])]
    return [matplotlib.image.imread(BytesIO(b64decode(png)))[..., :3].mean(axis=-1) for png in data if png]


def same_text(stored: str, fresh: str) -> bool:
    """Tell whether two texts agree: word by word, and in floats of four digits and more but for one unit of the last."""
    left, right = (NUMBER.split(" ".join(text.split())) for text in (stored, fresh))
    # Columns may be padded to another width where a sign or a digit more is shown.
    if ["".join(words.split()) for words in left] != ["".join(words.split()) for words in right]:
        return False
    return all(map(_same_number, NUMBER.findall(stored), NUMBER.findall(fresh)))


def _same_number(stored: str, fresh: str) -> bool:
    if stored == fresh:
        return True
    if min(map(_digits, (stored, fresh))) < LONG:
        return False
    return abs(float(stored) - float(fresh)) <= 1.01 * max(map(_unit, (stored, fresh)))


def _digits(number: str) -> int:
    return len(number.partition("e")[0].replace(".", "").lstrip("+-0"))


def _unit(number: str) -> float:
    mantissa, _, exponent = number.partition("e")
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


def same_picture(stored: np.ndarray, fresh: np.ndarray) -> bool:
    """Tell whether two figures have the same size and as much ink, roughly: versions of matplotlib draw apart."""
    sides = np.abs(np.divide(stored.shape, fresh.shape) - 1)
    return bool((sides < SIDES).all() and abs(stored.mean() - fresh.mean()) < LIGHTNESS)


def assert_same_outputs(stored: NotebookNode, fresh: NotebookNode) -> None:
    """Assert that two executed notebooks say and show the same, cell by cell."""
    for number, (old, new) in enumerate(zip_longest(stored.cells, fresh.cells)):
        assert old is not None and new is not None and old.source == new.source, f"cell {number}: another source"
        for said, says in zip_longest(texts(old), texts(new)):
            assert said is not None and says is not None and same_text(said, says), (
                f"cell {number} has another output:\n{old.source}\nstored:\n{said}\nnow:\n{says}"
            )
        for drawn, draws in zip_longest(pictures(old), pictures(new)):
            assert drawn is not None and draws is not None and same_picture(drawn, draws), (
                f"cell {number} has another figure:\n{old.source}"
            )


def main(names: list[str]) -> None:
    """Execute notebooks and store them."""
    for path in paths():
        if not names or any(name in path.name for name in names):
            with tempfile.TemporaryDirectory() as folder:
                nbformat.write(executed(read(path), Path(folder)), path)
            print(path.name)


if __name__ == "__main__":
    main(sys.argv[1:])
