"""The code that deploy/android/README.md shows must be the code that is compiled: the files of the example."""

import re
from pathlib import Path

from train.errors import UserError

_BLOCK = re.compile(r"^```kotlin\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUOTED = (
    "settings.gradle.kts",
    "app/build.gradle.kts",
    "app/src/main/kotlin/com/example/tinygan/ImageActivity.kt",
)


def check_snippets(project: Path) -> int:
    """Compare the README's blocks of Kotlin with the files of the example.

    Returns:
        How many files the README quotes.

    Raises:
        UserError: a file is missing, or not quoted word for word.
    """
    readme = project / "README.md"
    blocks = {block.strip() for block in _BLOCK.findall(readme.read_text("utf-8"))}
    for name in QUOTED:
        source = project / "example" / name
        if not source.is_file():
            raise UserError(f"{source} is missing")
        if source.read_text("utf-8").strip() not in blocks:
            raise UserError(f"{readme} does not quote {name} as it is; copy the file into a ```kotlin block")
    return len(QUOTED)
