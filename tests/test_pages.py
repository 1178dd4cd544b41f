"""The pages: links and anchors lead somewhere, every block is known code, and the first page stays short."""

import ast
import importlib.metadata
import re
import shlex
import textwrap
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from help_texts import HELP, PAGES, SCRIPTS, help_file, help_of

from train import cli
from train.commands import ROOT

README = ROOT / "README.md"
LINK = re.compile(r'\]\(([^()\s]+)\)|\bsrc="([^"]+)"')
FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# Blocks that show a format, by their beginning: nothing to type.
FORMATS = ("model=", '{"format": ')
QUOTED = {
    "kotlin": ROOT / "deploy/android/example/app/src/main/kotlin/com/example/tinygan/ImageActivity.kt",
    "swift": ROOT / "deploy/ios/Sources/tinygan/Draw.swift",
}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """As the forge makes them of headings."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found[anchor] = found.get(anchor, -1) + 1
    return {f"{name}-{k}" if k else name for name, last in found.items() for k in range(last + 1)}


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Language and text of every fenced block."""
    for indent, language, text in FENCED.findall(page.read_text(encoding="utf-8")):
        yield language, textwrap.dedent(text) if indent else text


def command_lines(page: Path) -> list[str]:
    """What the page tells people to type, without what it says beside it."""
    found = []
    for language, text in blocks(page):
        if language or text.startswith(FORMATS):
            continue
        for line in re.sub(r"\\\n *", "", text).splitlines():
            found.append(re.split(r" {2,}(?=[^#])", line)[0].strip())
    return [line for line in found if line]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_and_anchors_lead_somewhere(page):
    for target in ("".join(groups) for groups in LINK.findall(prose(page))):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / unquote(path)).resolve() if path else page
        assert found.exists(), target
        assert found.is_relative_to(ROOT), target
        if anchor:
            assert anchor in anchors(found), f"{target}: there are {sorted(anchors(found))}"


def test_every_page_is_reached_from_the_first():
    reached, todo = set(), [README]
    while todo:
        page = todo.pop()
        if page in reached:
            continue
        reached.add(page)
        targets = ("".join(groups).partition("#")[0] for groups in LINK.findall(prose(page)))
        todo += [path for t in targets if t.endswith(".md") and (path := (page.parent / t).resolve()).is_file()]
    assert set(PAGES) == reached


def test_a_broken_link_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    page = tmp_path / "page.md"
    for text in ("[a](none.md)", "[a](page.md#nowhere)", "# There\n[a](#nowhere)", '<img src="none.png">'):
        page.write_text(text)
        with pytest.raises(AssertionError):
            test_links_and_anchors_lead_somewhere(page)
    page.write_text("# It's *there*: now\n[a](#its-there-now)\n[a](page.md)\n```\n[a](none.md)\n```\n")
    test_links_and_anchors_lead_somewhere(page)


def test_the_first_page_is_short():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 180
    tables: list[list[str]] = []
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("|"):
            tables += [] if before.startswith("|") else [[]]
            tables[-1].append(line)
    assert len(tables) <= 3
    for header, _rule, *rows in tables:
        assert len(rows) <= 8 and header.count("|") - 1 <= 6


@pytest.mark.parametrize(
    "folder", ["train", "compress", "deploy", "deploy/android", "deploy/ios", "deploy/web", "benchmarks"]
)
def test_every_stage_begins_with_what_it_takes_and_leaves(folder):
    begins = (ROOT / folder / "README.md").read_text(encoding="utf-8").split("\n## ")[0]
    assert begins.startswith("# ")
    assert re.search(r"\b[Tt]akes\b.*\b[Ll]eaves\b", begins, re.DOTALL)


class ParsedError(Exception):
    """The flags were read; nothing else is to happen."""


@pytest.fixture
def parse_alone(monkeypatch):
    """Scripts read their command line and stop."""
    read = cli._one_line_errors

    def stop(arguments: Sequence[str], reader):
        read(arguments, reader)
        raise ParsedError

    monkeypatch.setattr(cli, "_one_line_errors", stop)


def check_python(words: list[str]) -> None:
    """A script of ours takes its arguments."""
    script, *arguments = [word for word in words if word != "-m"]
    module = script.removesuffix(".py").replace("/", ".")
    if module.split(".")[0] not in ("train", "compress", "deploy", "benchmarks"):
        assert (ROOT / script).is_file(), script
        return
    assert module in SCRIPTS, script
    with pytest.raises(ParsedError):
        importlib.import_module(module).main(arguments)


def check_command(line: str) -> None:
    """Raise unless a line of a block is a command that is there."""
    words = shlex.split(line, comments=True)
    if not words or "…" in line:
        return
    match words[0]:
        case "make":
            assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text(encoding="utf-8"), line
        case "python" if words[1:3] != ["-m", "pip"]:
            check_python(words[1:])
        case "torchrun":
            check_python(words[next(i for i, word in enumerate(words) if word.endswith(".py")) :])
        case "pip" | "python":
            extras = set(re.findall(r"[\w-]+", "".join(re.findall(r"\[(.*)\]", line))))
            assert extras <= project()["optional-dependencies"].keys(), line
        case "swift":
            assert words[1:3] == ["run", "tinygan"]
            sources = (ROOT / "deploy/ios/Sources/tinygan").glob("*.swift")
            assert any(f'"{words[3]}"' in path.read_text(encoding="utf-8") for path in sources), line
        case "cd":
            assert (ROOT / words[1]).is_dir(), line
        case "adb":
            assert "io.github.tinygan.edge" in line
        case ".":
            assert words[1:] == [".venv/bin/activate"], line
        case _:
            assert words[0] in ("xcodegen", "open"), f"no check for {line}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_is_known(page, parse_alone):
    for line in command_lines(page):
        check_command(line)
    for language, text in blocks(page):
        assert language in ("", "python", *QUOTED), language
        if language == "python":
            ast.parse(text)


@pytest.mark.parametrize(
    "line",
    [
        "make nothing",
        "python train/main.py --no-such-flag",
        "python train/pack.py photos",
        "torchrun --nproc_per_node=8 train/none.py",
        "pip install -e '.[none]'",
        "curl somewhere",
    ],
)
def test_a_command_that_is_not_there_is_noticed(line, parse_alone):
    with pytest.raises((AssertionError, cli.UserError)):
        check_command(line)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_what_is_there(path, parse_alone):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["name"] and workflow["permissions"] == {"contents": "read"}
    assert workflow[True]  # YAML 1.1 reads the key `on` so
    for job in workflow["jobs"].values():
        assert re.fullmatch(r"(ubuntu|macos)-[\d.]+", job["runs-on"]) and job["timeout-minutes"] <= 360
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            assert re.fullmatch(r"[\w-]+/[\w/.-]+@v\d+", step.get("uses", "a/b@v1"))
            assert (ROOT / step.get("working-directory", ".")).is_dir()
            given = step.get("run") or step.get("with", {}).get("script", "")
            for line in given.replace("make .venv", "make $(VENV)").replace(".venv/bin/", "").splitlines():
                if line.startswith(("make ", "python ", "swift ")):
                    check_command(line)


def test_what_has_not_run_says_so_in_both_places():
    marked = [path.read_text(encoding="utf-8").startswith("# Not yet run: ") for path in WORKFLOWS]
    assert len(marked) == 4
    assert any(marked) == ("**Not yet run:** the workflows" in README.read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", QUOTED)
def test_the_first_page_quotes_what_is_compiled(language):
    (text,) = [text for name, text in blocks(README) if name == language]
    source = [line.strip() for line in QUOTED[language].read_text(encoding="utf-8").splitlines()]
    lines = [line.strip() for line in text.splitlines()]
    assert lines in [source[k : k + len(lines)] for k in range(len(source))]


def test_the_first_pages_five_commands_are_those_of_the_walk():
    (walk,) = [
        text
        for _, text in blocks(ROOT / "train" / "YOUR_OWN_GENERATOR.md")
        if "packs" in text or "pack.py" in text
    ]
    assert walk.count("\n") == 5
    assert walk in [text for _, text in blocks(README)]


def test_there_is_a_text_for_every_script():
    assert {path.name for path in HELP.iterdir()} == {help_file(module).name for module in SCRIPTS}


@pytest.mark.skipif(
    importlib.metadata.version("tyro") != pins()["tyro"], reason="the texts are those of the pinned tyro"
)
@pytest.mark.parametrize("module", SCRIPTS)
def test_the_texts_of_the_flags_are_current(module):
    assert help_file(module).read_text(encoding="utf-8") == help_of(module), "write them with: make help-texts"


def test_versions_are_one():
    version = project()["version"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == version and cited["license"] == project()["license"]
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f'versionName = "{version}"' in (ROOT / "deploy/android/gradle/libs.versions.toml").read_text(
        encoding="utf-8"
    )
    assert f'executorch:{version}")' in (ROOT / "deploy/android/README.md").read_text(encoding="utf-8")
    ios = yaml.safe_load((ROOT / "deploy/ios/App/project.yml").read_text(encoding="utf-8"))
    assert ios["settings"]["base"]["MARKETING_VERSION"] == version


def test_commits_are_checked_by_the_pinned_ruff():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (ruff,) = hooks["repos"]
    assert ruff["rev"] == f"v{pins()['ruff']}"


def test_make_help_names_every_target():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    for target in phony.split():
        assert re.search(rf"^# .+\n{target}:", makefile, re.MULTILINE), target
