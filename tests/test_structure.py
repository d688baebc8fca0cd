"""The house: who may import whom, what files are called and how long they may grow."""

import ast
import importlib
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "walloc_data").rglob("*.py"))
AROUND = sorted(path for folder in ("benchmarks", "tests", "tools") for path in (ROOT / folder).rglob("*.py"))
ROOMS = ("codec", "entropy", "format", "order", "signals", "sources", "storage")
FOREIGN = {
    "codec": {"zstandard", "numba", "webdataset"},
    "entropy": {"torch", "webdataset"},
    "format": {"torch", "zstandard", "numba", "webdataset"},
    "order": {"torch", "zstandard", "numba", "webdataset"},
    "signals": {"torch", "zstandard", "numba", "webdataset"},
    "sources": {"torch", "zstandard", "numba"},
    "storage": {"torch", "zstandard", "numba", "webdataset"},
}


BELOW = {"sources": ("storage",)}  # what lies in files is read from wherever files are


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): ast.parse(path.read_text("utf-8")) for path in FILES}
ALL = MODULES | {module_name(path): ast.parse(path.read_text("utf-8")) for path in AROUND}
OURS = ("benchmarks", "tests", "tools", "walloc_data")


def imports(name: str) -> set[str]:
    """Modules that a module imports, wherever in it: of this repository by their full name, others by their first."""
    found = set()
    for node in ast.walk(ALL[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in ALL else str(node.module))
    return {target if target.split(".")[0] in OURS else target.split(".")[0] for target in found}


def within(*places: str) -> set[str]:
    """The modules that are these, or in them."""
    return {name for name in ALL if any(name == place or name.startswith(place + ".") for place in places)}


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_know_nothing_of_one_another(room: str) -> None:
    inside = f"walloc_data.{room}"
    names = [name for name in MODULES if name == inside or name.startswith(inside + ".")]
    assert names
    for name in names:
        own = {target for target in imports(name) if target.split(".")[0] == "walloc_data"}
        below = {"walloc_data.errors", "walloc_data.crc", "walloc_data.numbers"}
        rooms = [inside, *(f"walloc_data.{lower}" for lower in BELOW.get(room, ()))]
        assert all(any(f"{t}.".startswith(f"{each}.") for each in rooms) for t in own - below), (name, own)
        assert not imports(name) & FOREIGN[room], name


def test_errors_and_checksums_import_nothing_of_ours() -> None:
    assert imports("walloc_data.errors") == set()
    assert imports("walloc_data.crc") == {"isal", "zlib"}
    assert imports("walloc_data.numbers") == {"math", "numbers", "operator", "typing", "walloc_data.errors"}


def test_no_import_cycles() -> None:
    graph = {name: {target for target in imports(name) if target in ALL} for name in ALL}
    while leaves := {name for name, targets in graph.items() if not targets}:
        graph = {name: targets - leaves for name, targets in graph.items() if name not in leaves}
    assert graph == {}


READING = tuple(f"walloc_data.{name}" for name in ("read", "dataset", "streaming", "neighbours", "report"))
WRITING = tuple(f"walloc_data.{name}" for name in ("write", "shard", "sources"))


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        (WRITING, READING),
        (READING, WRITING),
        (("walloc_data",), ("benchmarks", "tests", "tools")),
        (("benchmarks",), ("tests", "tools")),
        (("tests",), ("tools",)),
        (("tools",), ("tests",)),
    ],
    ids=["writing", "reading", "the package", "benchmarks", "tests", "tools"],
)
def test_one_side_does_not_import_the_other(inside: tuple[str, ...], outside: tuple[str, ...]) -> None:
    other = within(*outside)
    assert {name: found for name in within(*inside) if (found := imports(name) & other)} == {}


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_file_has_a_subject_and_stays_short(path: Path) -> None:
    assert path.stem not in {"utils", "util", "helpers", "common", "base", "constants"}
    assert len(path.read_text("utf-8").splitlines()) <= 300


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__main__")])
def test_public_names_are_listed_sorted_and_there(name: str) -> None:
    module = importlib.import_module(name)
    ranks = [(not name.isupper(), not name[0].isupper(), name) for name in module.__all__]
    assert ranks == sorted(ranks)  # constants, then classes, then functions: the order that ruff keeps
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, public) for public in module.__all__)


def test_no_public_name_is_left_out() -> None:
    for name, tree in MODULES.items():
        if name.endswith("__main__"):
            continue
        listed = set(importlib.import_module(name).__all__)
        defined = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        assert {n for n in defined if not n.startswith("_")} <= listed, name


def test_the_repository_stands_alone() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    foreign = ["../" + "shared", "/" + "work/"]
    texts = {}
    for name in filter(None, listed.stdout.decode().split("\0")):
        try:
            texts[name] = (ROOT / name).read_text("utf-8")
        except (UnicodeDecodeError, FileNotFoundError):  # binary, or deleted but not yet committed
            continue
    assert "pyproject.toml" in texts
    assert [(name, word) for name, text in texts.items() for word in foreign if word in text] == []
