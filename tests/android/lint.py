"""Read the Kotlin with ktlint, for its form, and with detekt, for what tends to be a mistake."""

from pathlib import Path

from tests.android.libraries import Libraries
from tests.android.tools import begin, digest, finish, is_made, java, run_tool

_SOURCES = (
    "core/src/main",
    "executorch/src/main",
    "litert/src/main",
    "app/src/main",
    "build-logic/src",
    "example/app/src",
)


def lint(project: Path, libraries: Libraries, folder: Path) -> str:
    """Check every Kotlin file with ktlint and those of the product with detekt.

    Args:
        project: the Gradle project, with .editorconfig and detekt.yml.
        libraries: both programs.
        folder: remembers what was found to be right.

    Returns:
        What was read, for the progress line.

    Raises:
        ToolError: with what they found.
    """
    files = sorted(
        p for p in project.rglob("*.kt*") if p.suffix in (".kt", ".kts") and "build" not in p.parts[:-1]
    )
    names = [path.relative_to(project).as_posix() for path in files]
    configuration = (project / ".editorconfig", project / "detekt.yml")
    key = digest(*map(str, (*libraries["ktlint"], *libraries["detekt"])), *configuration, *names, *files)
    if not is_made(folder, key):
        begin(folder)
        ktlint = java(libraries["ktlint"], "com.pinterest.ktlint.Main", "--relative", *names)
        run_tool(ktlint, "ktlint finds something", project)
        words = ["--build-upon-default-config", "--config", "detekt.yml", "--input", ",".join(_SOURCES)]
        detekt = java(libraries["detekt"], "io.gitlab.arturbosch.detekt.cli.Main", *words)
        run_tool(detekt, "detekt finds something", project)
        finish(folder, key)
    return f"ktlint and detekt find nothing in {len(files)} files"
