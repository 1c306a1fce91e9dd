"""The modules depend on each other in one direction, and `import symscape` stays light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import symscape

ROOT = Path(symscape.__file__).parent

#: A module imports from its own layer and from earlier ones. ``__init__`` is the public face.
LAYERS = (
    "errors",
    "algebra",
    "probability",
    "typesetting",
    "programs",
    "losses",
    "population",
    "landscape",
    "exports",
    "spectrum",
    "stationary",
    "conditions",
    "data",
    "sampling",
    "training",
    "forecast",
    "figures",
    "diagnosis",
    "__init__",
    "verification",
    "document",
    "cli",
)
HEAVY = ("typer", "rich", "matplotlib", "numpy", "scipy")


def imported_modules(node: ast.AST) -> Iterator[str]:
    """Yield the name of every imported module, inside functions too; what only type checkers see is left out."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield "." * node.level + (node.module or "")
    elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        for child in node.orelse:
            yield from imported_modules(child)
    else:
        for child in ast.iter_child_nodes(node):
            yield from imported_modules(child)


def layer(module: str) -> str:
    """Return the layer of a module of symscape; that of the package itself is its public face."""
    return [*module.split("."), "__init__"][1]


def modules() -> dict[str, str]:
    """Return the source of every module by its dotted name."""
    paths = {path.relative_to(ROOT.parent).with_suffix("").parts: path for path in sorted(ROOT.rglob("*.py"))}
    return {".".join(parts).removesuffix(".__init__"): path.read_text() for parts, path in paths.items()}


def assert_imports_point_down(module: str, source: str) -> None:
    """Assert that a module imports from its own layer and earlier ones only, by absolute names."""
    for name in imported_modules(ast.parse(source)):
        assert not name.startswith("."), f"{module}: the import of {name} is relative"
        if name.split(".")[0] == "symscape":
            assert LAYERS.index(layer(name)) <= LAYERS.index(layer(module)), f"{module} imports {name}, a later layer"


def assert_does_not_load(statement: str, names: tuple[str, ...]) -> None:
    """Assert that a fresh interpreter that runs ``statement`` has none of the modules loaded."""
    code = f"import sys; {statement}; print(*[name for name in {names!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not loaded, f"{statement} loads {loaded}"


def test_every_subpackage_has_its_place():
    """Every module belongs to one declared layer, and every layer exists."""
    assert {layer(module) for module in modules()} == set(LAYERS)


@pytest.mark.parametrize("module", modules())
def test_imports_point_one_way(module):
    """Dependencies point one way, from the command line down to the algebra."""
    assert_imports_point_down(module, modules()[module])


@pytest.mark.parametrize(
    "planted",
    [
        "from symscape.losses.loss import Loss",
        "def f():\n    import symscape.landscape.plan",
        "if True:\n    from symscape import landscape",
        "if TYPE_CHECKING:\n    pass\nelse:\n    from symscape.cli.app import main",
        "from .words import degree",
    ],
)
def test_an_import_that_points_up_is_caught(planted):
    """An algebra module that imports a later layer, in a function or relatively, does not pass."""
    with pytest.raises(AssertionError):
        assert_imports_point_down("symscape.algebra.words", planted)


def test_what_only_type_checkers_see_is_not_an_import():
    """A name imported for annotations alone makes no dependency."""
    assert_imports_point_down("symscape.algebra.words", "if TYPE_CHECKING:\n    from symscape.cli.app import main")


def test_importing_symscape_is_light():
    """`import symscape` loads neither the command line's libraries nor a plotting or numerics library."""
    assert_does_not_load("import symscape", HEAVY)
    with pytest.raises(AssertionError):
        assert_does_not_load("import symscape.cli.app", HEAVY)


def test_every_public_name_is_there():
    """Every name that the package announces resolves, those that are imported on first use too."""
    assert [name for name in symscape.__all__ if not hasattr(symscape, name)] == []
    with pytest.raises(AttributeError):
        symscape.no_such_name  # noqa: B018
