"""What messages tell people to type exists: every command, and every flag, in every string of the product."""

import ast
import functools
import importlib.util
import re
from pathlib import Path

import pytest
from help_texts import FLAG, PAGES, SCRIPTS, SOURCES, flags_of

from train.commands import ROOT

COMMAND = re.compile(
    r"(?:python (?:-m )?|torchrun (?:--\S+ )*(?:-- )?)((?:train|compress|deploy|benchmarks)[\w./]*)([^;(\n`]*)"
)
FOREIGN = {
    *("--flag", "--help"),
    *("--editable", "--no-deps", "--only-binary", "--platform"),  # pip
    *("--fetch-retries", "--ignore-scripts", "--loglevel", "--no-audit", "--no-fund", "--version"),  # npm
    *("--ei", "--es", "--pid"),  # adb
    *("--nproc-per-node", "--enable", "--no-as-needed"),  # torchrun, TFLite (--enable_op_profiling), a linker
}


@functools.cache
def all_flags() -> frozenset[str]:
    return frozenset().union(*map(flags_of, SCRIPTS), FOREIGN)


def strings(path: Path) -> list[str]:
    """Every string of a module, with … for what it fills in; a flag that is partly filled in is left out."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    joined = [node for node in nodes if isinstance(node, ast.JoinedStr)]
    parts = {id(part) for node in joined for part in node.values}
    found = ["".join(str(p.value) if isinstance(p, ast.Constant) else "…" for p in n.values) for n in joined]
    found += [
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts
    ]
    return [re.sub(r"--[\w.-]*…", "…", text) for text in found]


def handmade(path: Path) -> list[str]:
    """Commands of ours that a module puts together itself, so that a path with a space falls apart."""
    joined = [
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.JoinedStr)
    ]
    filled = ["".join(p.value if isinstance(p, ast.Constant) else "…" for p in node.values) for node in joined]
    return [rest for text in filled for _, rest in COMMAND.findall(text) if "…" in rest]


def commands(path: Path) -> list[tuple[str, list[str]]]:
    """Module and flags of every command of ours that a module's strings name."""
    found = []
    for text in strings(path):
        for script, rest in COMMAND.findall(text):
            module = script.rstrip(".").removesuffix(".py").replace("/", ".")
            found.append((module, FLAG.findall(rest)))
    return found


def test_there_is_something_to_check():
    assert len(SCRIPTS) > 15
    assert sum(len(commands(path)) for path in SOURCES) > 25
    assert "--run" in flags_of("compress.qat") and "--data.teacher" in flags_of("train.main")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_message_names_is_there(path):
    for module, flags in commands(path):
        assert importlib.util.find_spec(module) is not None, module
        if module in SCRIPTS:
            assert set(flags) <= flags_of(module) | FOREIGN, f"{module}: {set(flags) - flags_of(module)}"
    assert not handmade(path), f"write it with train.commands.typed: {handmade(path)}"
    unknown = {flag for text in strings(path) for flag in FLAG.findall(text)} - all_flags()
    assert not unknown, f"{path.name} names flags that no script has: {sorted(unknown)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page):
    for script, rest in COMMAND.findall(page.read_text(encoding="utf-8").replace("\\\n", " ")):
        module = script.rstrip(".").removesuffix(".py").replace("/", ".")
        assert importlib.util.find_spec(module) is not None, script
        if module in SCRIPTS:
            flags = set(FLAG.findall(rest.split("#")[0]))
            assert flags <= flags_of(module) | FOREIGN, f"{script}: {flags - flags_of(module)}"
