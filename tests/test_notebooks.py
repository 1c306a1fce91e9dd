"""The tour: every notebook runs, says and shows what is stored in it, and speaks of public names only.

``python tests/notebook_runs.py`` executes the notebooks anew and stores them.
"""

import ast
import re
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from notebook_runs import FOLDER, METADATA, assert_same_outputs, executed, paths, pictures, read, same_text, texts

import symscape as ss
from symscape import figures

PUBLIC = {"ss": set(ss.__all__), "figures": set(figures.__all__)}
#: What an output must not hold: paths, addresses, times, and what a library complains about.
FORBIDDEN = re.compile(
    r"(?<![\w/])/(?:home|root|tmp|usr|work|var|opt|Users)/|0x[0-9a-f]{6,}|\b\d[\d.]*\s*(?:ms|µs|seconds?)\b|Warning:"
)
every_notebook = pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def source(notebook: NotebookNode) -> str:
    """Return the program of a notebook without the magics of IPython."""
    return "\n".join(re.sub(r"(?m)^%.*$", "", cell.source) for cell in code(notebook))


def small(*sources: str) -> NotebookNode:
    """A notebook of some cells of code."""
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in sources])


# What is checked


def assert_presentable(notebook: NotebookNode) -> None:
    """Assert that a notebook was executed from top to bottom, without errors and traces of a machine, with figures."""
    assert notebook.metadata == METADATA
    assert 15 <= len(notebook.cells) <= 25
    assert notebook.cells[0].source.startswith("# ") and notebook.cells[-1].cell_type == "markdown"
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))
    assert not any(cell.metadata for cell in notebook.cells)
    for cell in code(notebook):
        assert all(out.output_type != "error" and out.get("name") != "stderr" for out in cell.outputs), cell.source
        found = FORBIDDEN.search("\n".join(texts(cell)))
        assert not found, f"an output holds {found}:\n{cell.source}"
    shown = [picture for cell in code(notebook) for picture in pictures(cell)]
    assert len(shown) >= 2
    assert all(picture.std() > 0.02 for picture in shown), "a figure is empty"


def assert_prose_is_public(notebook: NotebookNode) -> None:
    """Assert that prose names public functions alone, and that what else it quotes stands in the notebook or is a file."""
    seen = source(notebook) + "\n".join(text for cell in code(notebook) for text in texts(cell))
    words = set(re.findall(r"\w+", seen))
    for text in prose(notebook):
        for name, attribute in re.findall(r"\b(ss|figures)\.(\w+)", text):
            assert attribute in PUBLIC[name], f"{name}.{attribute} is not public: {text}"
        for quoted in re.findall(r"`([^`\n]+)`", text):
            if "/" in quoted:
                assert (FOLDER.parent / quoted).exists(), f"there is no {quoted}"
            else:
                unseen = set(re.findall(r"(?<!\.)\b[A-Za-z_]\w*", quoted)) - words - {"ss", "figures", "expr", "u", "v"}
                assert not unseen, f"prose quotes {quoted!r}, which the notebook never shows: {text}"


def assert_program_is_public(program: str) -> None:
    """Assert that a notebook uses nothing of the package but public names and the module of figures."""
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in PUBLIC:
            assert node.attr in PUBLIC[node.value.id], f"{node.value.id}.{node.attr} is not public"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("symscape"):
            assert node.module == "symscape" and [alias.name for alias in node.names] == ["figures"]
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("symscape.") for alias in node.names)
        elif isinstance(node, ast.Attribute):
            assert node.attr == "__name__" or not node.attr.startswith("_"), f"{node.attr} is private"


def assert_list_is_complete(text: str, stems: list[str]) -> None:
    """Assert that a README links every notebook, in order, and no other."""
    assert re.findall(r"\]\((?:notebooks/)?(\w+)\.ipynb\)", text) == stems


# The notebooks


@every_notebook
def test_a_notebook_says_and_shows_what_is_stored(path, tmp_path):
    stored = read(path)
    assert_same_outputs(stored, executed(deepcopy(stored), tmp_path))


@every_notebook
def test_a_notebook_is_presentable(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert_presentable(notebook)
    assert_prose_is_public(notebook)
    assert_program_is_public(source(notebook))


def test_the_list_of_notebooks_is_complete():
    stems = [path.stem for path in paths()]
    assert [stem[:3] for stem in stems] == ["01_", "02_", "03_", "04_", "05_", "06_"]
    assert_list_is_complete((FOLDER / "README.md").read_text(), stems)
    with pytest.raises(AssertionError):
        assert_list_is_complete((FOLDER / "README.md").read_text(), [*stems, "07_more"])


def test_links_between_notebooks_lead_somewhere():
    for path in paths():
        for text in prose(read(path)):
            for target in re.findall(r"\]\((\w+\.ipynb)\)", text):
                assert (FOLDER / target).exists(), f"{path.name} links {target}"


# Planted errors


def test_a_wrong_stored_output_is_caught(tmp_path):
    fresh = executed(small("print('p = 0.2543, 16 modes')", "6 * 7"), tmp_path)
    assert_same_outputs(fresh, deepcopy(fresh))
    for wrong in ("p = 0.2593, 16 modes", "p = 0.2543, 17 modes", "p = 0.2543, 16 nodes", "p = 0.2543", ""):
        planted = deepcopy(fresh)
        planted.cells[0].outputs[0].text = wrong
        with pytest.raises(AssertionError, match="another output"):
            assert_same_outputs(planted, fresh)
    planted = deepcopy(fresh)
    planted.cells[1].outputs = []
    with pytest.raises(AssertionError, match="another output"):
        assert_same_outputs(planted, fresh)
    planted = deepcopy(fresh)
    planted.cells[1].source = "6 * 8"
    with pytest.raises(AssertionError, match="another source"):
        assert_same_outputs(planted, fresh)


@every_notebook
def test_every_stored_output_counts(path):
    """Each text that is stored, changed by a few per cent or by a word, is told apart; a figure that is gone, too."""
    stored = read(path)
    for number, cell in enumerate(stored.cells):
        for place, output in enumerate(cell.get("outputs", [])):
            planted = deepcopy(stored)
            other = planted.cells[number].outputs[place]
            if output.output_type == "stream":
                other.text = spoiled(output.text)
            elif "image/png" in output.data:
                del other.data["image/png"]
            else:
                kind = "text/latex" if "text/latex" in output.data else "text/plain"
                other.data[kind] = spoiled(output.data[kind])
            with pytest.raises(AssertionError, match=f"cell {number} has another"):
                assert_same_outputs(planted, stored)


def spoiled(text: str) -> str:
    """Return a text with its last number 3 % larger, or with a word more where it holds none."""
    numbers = list(re.finditer(r"\d+\.\d+|\d+", text))
    if not numbers:
        return text + " not"
    last = numbers[-1]
    value = f"{float(last[0]) * 1.03 + 10.0 ** -len(last[0].partition('.')[2]):.{len(last[0].partition('.')[2])}f}"
    return text[: last.start()] + value + text[last.end() :]


def test_rounding_is_no_difference_and_a_figure_in_other_ink_is():
    assert same_text("loss -0.251194; p = [0.254 1.2e-03]", "loss -0.251195;  p = [0.254 1.2e-03]")
    for other in ("loss -0.251214; p = [0.254 1.2e-03]", "loss -0.251194; p = [0.255 1.2e-03]",
                  "loss -0.251194; p = [0.254 1.3e-03]", "loss 0.251194; p = [0.254 1.2e-03]"):  # fmt: skip
        assert not same_text("loss -0.251194; p = [0.254 1.2e-03]", other), other
    stored = read(paths()[0])
    drawn = [
        output for cell in stored.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})
    ]
    planted = deepcopy(stored)
    for cell in planted.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = drawn[-1].data["image/png"]
    with pytest.raises(AssertionError, match="another figure"):
        assert_same_outputs(planted, stored)


def test_an_error_and_a_user_of_private_names_are_caught(tmp_path):
    with pytest.raises(CellExecutionError):
        executed(small("import symscape as ss", "ss.landscape(ss.NTXent())"), tmp_path)
    for program in (
        "import symscape.landscape.plan",
        "from symscape.figures.style import BLUE",
        "ss.nothing",
        "land._plan",
    ):
        with pytest.raises(AssertionError):
            assert_program_is_public(program)


@pytest.mark.parametrize(
    "text", ["Call `ss.nothing()`.", "Call `figures.nothing`.", "See `tests/nothing.py`.", "It has `nothing`."]
)
def test_prose_that_names_what_is_not_there_is_caught(text):
    notebook = deepcopy(read(paths()[0]))
    notebook.cells[0].source = text
    with pytest.raises(AssertionError):
        assert_prose_is_public(notebook)


@pytest.mark.parametrize("said", ["/tmp/x.py", "<Axes at 0x7f3a5c2b10>", "took 3.1 ms", "UserWarning: no"])
def test_traces_of_a_machine_are_caught(said):
    notebook = deepcopy(read(paths()[0]))
    assert_presentable(notebook)
    code(notebook)[1].outputs = [nbformat.v4.new_output("stream", name="stdout", text=said)]
    with pytest.raises(AssertionError, match="holds"):
        assert_presentable(notebook)


def test_a_kernel_sees_no_settings_of_the_user(tmp_path):
    """A startup file of IPython in the user's own folder would change what a notebook says."""
    fresh = executed(small("import os", "print(os.environ['IPYTHONDIR'], os.environ['TMPDIR'])"), tmp_path)
    assert all(Path(text).is_relative_to(tmp_path) for text in texts(fresh.cells[1])[0].split())
