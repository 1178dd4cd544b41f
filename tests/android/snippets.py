"""The Kotlin that deploy/android/README.md shows must be the Kotlin that is compiled."""

import re
from pathlib import Path

from train.errors import UserError

_BLOCK = re.compile(r"^```kotlin\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def check_snippets(project: Path) -> int:
    """Compare the README's Kotlin blocks with the files in snippets/.

    Returns:
        How many files the README quotes.

    Raises:
        UserError: a file is not quoted word for word, or there is no file or README.
    """
    readme, sources = project / "README.md", sorted((project / "snippets").glob("*.kt"))
    if not readme.is_file() or not sources:
        raise UserError(f"{project} has no README.md or no snippets/*.kt")
    blocks = {block.strip() for block in _BLOCK.findall(readme.read_text("utf-8"))}
    for source in sources:
        if source.read_text("utf-8").strip() not in blocks:
            raise UserError(
                f"{readme} does not quote {source.name} as it is; copy the file into a ```kotlin block"
            )
    return len(sources)
