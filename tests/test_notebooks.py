"""Claims about the notebooks: they run as they stand, and say what is committed.

    python tests/test_notebooks.py --write [NAME ...]

executes them anew and writes their outputs; a second time changes nothing.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import matplotlib.font_manager  # builds its cache here, if it must, and not within a notebook
import nbformat
import pytest
from ipykernel.kernelspec import install
from nbclient import NotebookClient
from nbformat import NotebookNode

import sim

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PUBLIC = {"sim", "numpy", "pandas", "matplotlib"}

assert matplotlib.font_manager


def executed(path: Path, folder: Path) -> NotebookNode:
    """The notebook after an execution in a copy of what it reads, with the Python that runs this.

    Nothing of the user's own (profile, kernels) plays a part.
    """
    shutil.copytree(ROOT / "scenarios", folder / "scenarios")
    beside = shutil.ignore_patterns("pictures", ".*")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=beside)
    before = everything_in(folder)
    install(prefix=str(folder / "jupyter"))
    own = {
        "JUPYTER_PATH": str(folder / "jupyter" / "share" / "jupyter"),
        "JUPYTER_CONFIG_DIR": str(folder / "jupyter" / "config"),
        "JUPYTER_RUNTIME_DIR": str(folder / "jupyter" / "runtime"),
        "IPYTHONDIR": str(folder / "jupyter" / "ipython"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    notebook = nbformat.read(path, as_version=4)
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    with patch.dict(os.environ, own):
        NotebookClient(
            notebook,
            kernel_name="python3",
            timeout=240,
            record_timing=False,
            coalesce_streams=True,  # else what is printed comes in pieces, as time would have it
            resources={"metadata": {"path": str(folder / "notebooks")}},
        ).execute()
    left = everything_in(folder) - before
    assert not left, f"{path.name} leaves files behind: {sorted(left)}"
    # what the kernel says of itself would change with every version of Python
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def everything_in(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for part in ("scenarios", "notebooks")
        for path in (folder / part).rglob("*")
    }


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    """All outputs, each with the number of its cell."""
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            yield number, output


def said(notebook: NotebookNode) -> list[tuple[int, str, str]]:
    """What the outputs say: number of the cell, kind, text; of a picture that there is one."""
    found = []
    for number, output in outputs(notebook):
        if output.output_type == "stream":
            found.append((number, output.name, output.text))
        elif output.output_type == "error":
            found.append((number, "error", f"{output.ename}: {output.evalue}"))
        else:
            for kind, content in sorted(output.data.items()):
                found.append((number, kind, "" if kind.startswith("image/") else str(content)))
    return found


def problems_in_outputs(notebook: NotebookNode) -> list[str]:
    """Errors, warnings, paths of this machine and sizes that do not belong into a notebook."""
    found = []
    for number, kind, text in said(notebook):
        if kind in ("error", "stderr"):
            found.append(f"cell {number}: {kind}: {text}")
        for pattern in (
            r"\bWarning\b",
            r"(?<![\w.])/(home|tmp|root|work|usr|var|private)\b",
            r"\bnan\b",
        ):
            found += [f"cell {number}: {match}" for match in re.findall(pattern, text)]
    for number, output in outputs(notebook):
        for kind, content in output.get("data", {}).items():
            if kind.startswith("image/") and len(content) * 3 / 4 > 100_000:
                found.append(f"cell {number}: a picture of {len(content) * 3 // 4:,} bytes")
    return found


def imported(notebook: NotebookNode) -> set[str]:
    """Modules that the cells import; of `sim` also what is taken from it, as `sim.name`."""
    found = set()
    for cell in code_cells(notebook):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.module
                found |= (
                    {f"sim.{alias.name}" for alias in node.names}
                    if node.module == "sim"
                    else {node.module}
                )
    return found


named = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_are_notebooks() -> None:
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]


@named
def test_execution_gives_what_is_committed(path: Path, tmp_path: Path) -> None:
    # a run depends on its scenario and seed alone, so every number comes out the same anywhere;
    # after a change of the model: python tests/test_notebooks.py --write
    assert said(executed(path, tmp_path)) == said(nbformat.read(path, as_version=4))


@named
def test_outputs_are_there_and_fit_to_be_published(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    assert problems_in_outputs(notebook) == []
    assert path.stat().st_size < 500_000


@named
def test_it_opens_with_the_question_that_it_answers(path: Path) -> None:
    first = nbformat.read(path, as_version=4).cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"# [^\n]+\?\n", first.source)


@named
def test_only_the_public_interface_is_used(path: Path) -> None:
    modules = imported(nbformat.read(path, as_version=4))
    of_sim = {name.removeprefix("sim.") for name in modules if name.startswith("sim.")}
    assert of_sim <= set(sim.__all__)
    others = {name.partition(".")[0] for name in modules}
    assert others - PUBLIC <= set(sys.stdlib_module_names)


def write(paths: list[Path]) -> None:
    """Execute notebooks and write them with their outputs; none that has a problem."""
    for path in paths:
        with tempfile.TemporaryDirectory() as folder:
            notebook = executed(path, Path(folder))
        problems = problems_in_outputs(notebook)
        if problems:
            raise SystemExit("\n".join([f"{path.name} was not written:", *problems]))
        before = path.read_text(encoding="utf-8")
        nbformat.write(notebook, path)
        changed = path.read_text(encoding="utf-8") != before
        print(f"{path.name}: {'written' if changed else 'as before'}")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[:1] != ["--write"]:
        raise SystemExit(__doc__)
    chosen = [path for path in NOTEBOOKS if not arguments[1:] or path.stem in arguments[1:]]
    write(chosen)
