"""Figures as files and as axes: each format, whole or not at all, the user's axes and settings, and no matplotlib."""

import subprocess
import sys
from dataclasses import replace

import matplotlib as mpl
import pytest
import typer
from matplotlib.figure import Figure

import symscape as ss
from symscape import figures
from symscape.cli.figures import figure_command
from symscape.figures import catalogue
from symscape.figures.catalogue import FIGURES, find_figure, save_figure

MAGIC = {"png": b"\x89PNG\r\n", "svg": b"<?xml", "pdf": b"%PDF-"}
PANELS = {"figure-1": 5, "figure-1-augmentation": 5, "phase-augmentation": 3, "phase-normalisation": 3, "spectra": 6}


def command(*words):
    """Run `figure` as a command; return what it raises, or None."""
    app = typer.Typer()
    app.command("figure")(figure_command)
    try:
        app(list(words), standalone_mode=False)
    except ss.SymscapeError as error:
        return error
    return None


def sketch(axes=None):
    """A figure that is quick to draw."""
    ax = Figure().subplots() if axes is None else axes[0]
    ax.plot([0, 1], [0, 1])
    return (ax,)


@pytest.fixture
def quick(monkeypatch):
    """The figure `growth` drawn quickly; returns the calls made of it."""
    calls = []

    def draw():
        calls.append("drawn")
        return sketch()

    change_draw(monkeypatch, draw)
    return calls


def change_draw(monkeypatch, draw):
    """Let `growth` be drawn by another function."""
    found = tuple(replace(f, draw=draw) if f.name == "growth" else f for f in FIGURES)
    monkeypatch.setattr(catalogue, "FIGURES", found)


# Files


@pytest.mark.parametrize("form", MAGIC)
def test_a_figure_is_written_in_each_format_and_anew_with_the_same_bytes(form, tmp_path, capsys):
    """`figure NAME -o FILE` writes png, svg and pdf; the same figure makes the same file."""
    paths = [tmp_path / f"{name}.{form.upper() if name == 'b' else form}" for name in "ab"]
    for path in paths:
        assert command("Growth", "-o", str(path)) is None
    contents = [path.read_bytes() for path in paths]
    assert contents[0].startswith(MAGIC[form]) and contents[0] == contents[1]
    assert capsys.readouterr().out.count("wrote ") == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_dots_per_inch(tmp_path, quick):
    """--dpi changes the pixels of a png; what is no sensible number is refused before anything is drawn."""
    sizes = []
    for dpi in ("100", "200"):
        assert command("growth", "-o", str(tmp_path / "a.png"), "--dpi", dpi) is None
        header = (tmp_path / "a.png").read_bytes()[16:24]
        sizes.append(int.from_bytes(header[:4], "big"))
    assert sizes[1] == 2 * sizes[0]
    quick.clear()
    assert "dots per inch" in str(command("growth", "-o", str(tmp_path / "b.png"), "--dpi", "3"))
    assert not quick and not (tmp_path / "b.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("grwoth", "-o", "{}/a.pdf"), "did you mean 'growth'"),
        (("phase", "-o", "{}/a.pdf"), "did you mean 'phase-"),
        (("???", "-o", "{}/a.pdf"), "known: figure-1, "),
        (("growth", "-o", "{}/a.jpg"), "unknown format 'jpg'; the formats are png, svg, pdf: for instance a.pdf"),
        (("growth", "-o", "{}/a"), "no ending"),
        (("growth", "-o", "{}/nowhere/a.pdf"), "cannot write here: No such file or directory"),
        (("growth", "-o", "{}/folder.pdf"), "it is a folder"),
        (("growth", "-o", "{}/file.pdf/a.pdf"), "cannot write here: Not a directory"),
        (("growth",), "for instance -o growth.pdf"),
        ((), "give the name of one: figure-1, "),
        (("growth", "--list"), "--list stands alone"),
    ],
)
def test_bad_input_is_refused_before_any_work(words, message, tmp_path, quick):
    """Unknown names, formats and places are told, with the next step, before anything is drawn or written."""
    (tmp_path / "folder.pdf").mkdir()
    (tmp_path / "file.pdf").write_text("kept")
    before = sorted(tmp_path.rglob("*"))
    assert message in str(command(*(word.format(tmp_path) for word in words)))
    assert not quick and sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("failure", [ValueError("planted"), KeyboardInterrupt()])
def test_a_file_is_written_whole_or_not_at_all(failure, tmp_path, monkeypatch):
    """Where drawing fails, or is interrupted, the file that was there stays, and nothing else is left."""

    def draw():
        raise failure

    change_draw(monkeypatch, draw)
    old = tmp_path / "a.pdf"
    old.write_text("old")
    with pytest.raises(type(failure)):
        save_figure("growth", old)
    assert old.read_text() == "old" and list(tmp_path.iterdir()) == [old]


def test_a_file_that_exists_is_replaced(tmp_path, quick):
    """A figure takes the place of an older file, readable by others."""
    path = tmp_path / "a.svg"
    path.write_text("old")
    assert save_figure("growth", path) == path
    assert path.read_bytes().startswith(MAGIC["svg"]) and path.stat().st_mode & 0o777 == 0o644


def test_the_list_names_every_figure(capsys):
    """`figure --list` prints a line for each; names are found without case and hyphens."""
    assert command("--list") is None
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed] == [figure.name for figure in FIGURES]
    for figure in FIGURES:
        assert find_figure(figure.name.upper().replace("-", "_")) == figure


# Axes


@pytest.mark.parametrize("name", [figure.name for figure in FIGURES])
def test_axes_that_are_given_are_drawn_in(name):
    """A figure draws in the user's axes, returns them, and makes no others; a wrong number of them is refused."""
    mine = Figure(layout="constrained")
    axes = mine.subplots(1, PANELS.get(name, 2), squeeze=False)
    found = find_figure(name).draw(axes=axes)
    assert list(found) == list(axes.ravel()) == mine.axes
    assert all(ax.has_data() for ax in found)
    with pytest.raises(ss.InputError, match="axes"):
        find_figure(name).draw(axes=found[:-1])


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: figures.landscape_cut(ax=ax, gamma=0.2),
        lambda ax: figures.landscape_plane(ax=ax, gamma=0.2),
        figures.kept_on_the_shell,
        figures.series_cut,
        figures.growth_of_modes,
        lambda ax: figures.predicted_against_r(ss.SpectralContrastive(), ax=ax),
        lambda ax: figures.phase_diagram(ss.SpectralContrastive(), ax=ax),
        lambda ax: figures.class_phase_diagram(ss.SpectralContrastive(), ax=ax),
    ],
)
def test_one_panel_in_axes_that_are_given(draw):
    """ax= is drawn in and returned, beside a panel of the user's own."""
    mine = Figure(layout="constrained")
    left, right = mine.subplots(1, 2)
    assert draw(ax=right) is right
    assert mine.axes == [left, right] and right.has_data() and not left.has_data()


@pytest.mark.parametrize("wrong", [3, "axes", None])
def test_what_is_no_axes_is_refused(wrong):
    """Axes are axes of matplotlib."""
    with pytest.raises(ss.InputError, match="axes of matplotlib"):
        figures.growth(axes=(wrong, wrong))


def test_settings_of_the_user_are_left_alone(tmp_path):
    """Drawing and saving change no setting of matplotlib."""
    before = dict(mpl.rcParams)
    figures.growth()
    save_figure("growth", tmp_path / "a.png")
    assert dict(mpl.rcParams) == before


def run(code):
    """Run code in a fresh interpreter; return its output."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_pyplot_is_not_touched():
    """No figure imports pyplot, the place of matplotlib's global state; a module that does is seen."""
    code = "import sys; from symscape.figures import growth; growth(); print('matplotlib.pyplot' in sys.modules)"
    assert run(code) == "False"
    assert run("import matplotlib.pyplot; " + code) == "True"


def test_matplotlib_is_loaded_when_a_figure_is_drawn():
    """Neither symscape nor its figures load matplotlib when they are imported."""
    code = "import sys, symscape, symscape.figures, symscape.cli.figures; print('matplotlib' in sys.modules)"
    assert run(code) == "False"


def test_without_matplotlib_the_extra_is_named(tmp_path):
    """Where matplotlib is not installed the error says how to install it, and no file is made."""
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import symscape as ss; from symscape.figures import growth, save_figure\n"
        f"for draw in (growth, lambda: save_figure('growth', {str(tmp_path / 'a.pdf')!r})):\n"
        "    try:\n        draw()\n    except ss.SymscapeError as error:\n        print(error)"
    )
    assert run(code).splitlines() == ["figures need matplotlib: pip install 'symscape[figures]'"] * 2
    assert not list(tmp_path.iterdir())
