"""report.md and report.html, made from results.json and the pictures beside it."""

import base64
from pathlib import Path
from typing import Any

from benchmarks.plots import plots
from benchmarks.results import read_results
from benchmarks.summary import summary
from benchmarks.tables import tables
from train.commands import to_install
from train.errors import UserError
from train.files import write_text

_TEMPLATE = Path(__file__).parent / "assets" / "report.html.j2"
_PICTURE = (
    "comparison.png",
    "In each group, of the same latents: the teacher's, the float student's, the int8 student's",
)
_WORST = "worst_classes.png", "The ten classes with the highest distance within the class"


def write_report(results_file: Path, folder: Path) -> Path:
    """Write report.md and the self-contained report.html.

    The page begins with what a reader who has one glance needs: the summary, the picture, the plots; all tables
    are folded away below.

    Args:
        results_file: results.json.
        folder: where they go, and where the pictures are.

    Returns:
        The path of report.html.

    Raises:
        UserError: the results are damaged, or jinja2 or matplotlib is not installed.
    """
    results = read_results(results_file)
    first, details = summary(results), tables(results)
    found = [*([first.table()] if first else []), *details]
    text = "\n".join([f"# {_title(results)}\n", *(f"## {table.title}\n\n{table.markdown()}" for table in found)])
    write_text(folder / "report.md", text)
    page = _template().render(
        title=_title(results),
        model=results["model"],
        summary=first,
        pictures=_encoded(_picture(folder, *_PICTURE) | plots(results)),
        worst=_encoded(_picture(folder, *_WORST)),
        tables=details,
    )
    path = folder / "report.html"
    write_text(path, page)
    return path


def _picture(folder: Path, file: str, title: str) -> dict[str, bytes]:
    path = folder / file
    return {title: path.read_bytes()} if path.is_file() else {}


def _encoded(pictures: dict[str, bytes]) -> dict[str, str]:
    return {title: base64.b64encode(image).decode() for title, image in pictures.items()}


def _title(results: dict[str, Any]) -> str:
    model = results["model"]
    student = f"TinyGAN-{model['architecture']}, {model['channels']} channels, {model['image_size']} px"
    return f"{student}: cost, latency, quality"


def _template() -> Any:
    try:
        import jinja2
    except ImportError:
        raise UserError(f"jinja2 is not installed; {to_install('benchmarks')}") from None
    return jinja2.Template(_TEMPLATE.read_text(encoding="utf-8"), autoescape=True)
