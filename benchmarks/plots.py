"""The report's two plots: quality against latency, and quality against multiply-accumulates."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from train.commands import to_install
from train.errors import UserError
from train.files import write_atomically

# The first of these that was measured is the quality that is plotted.
_PREFERRED = ("fid", "l1_to_teacher", "psnr_to_float", "recognised")


def quality_metric(results: dict[str, Any]) -> tuple[str, str] | None:
    """Return the key and the title of the metric to plot; None where no quality was measured."""
    columns = results["notes"].get("quality", {}).get("columns", {})
    for wanted in _PREFERRED:
        for key, column in columns.items():
            if key.startswith(wanted) and any(key in row for row in results["quality"]):
                return key, column["title"]
    return None


def plots(results: dict[str, Any]) -> dict[str, bytes]:
    """Return title → PNG of each plot that there are figures for.

    Raises:
        UserError: matplotlib is not installed.
    """
    metric = quality_metric(results)
    if metric is None:
        return {}
    key, title = metric
    quality = {row["name"]: row[key] for row in results["quality"] if key in row}
    found = {}
    latency = [
        (row["latency_ms"]["p50"], quality[row["name"]], f"{row['name']}, {row['threads']} thr")
        for row in results["latency"]
        if row["key"].startswith("host/") and row["name"] in quality
    ]
    if latency:
        found["Quality against latency"] = _scatter(latency, "p50 on this machine, ms", title)
    cost = [
        (row["multiply_accumulates"] / 1e6, quality[name], row["name"])
        for row in results["cost"]
        if (name := _QUALITY_OF_COST.get(row["key"])) in quality
    ]
    if cost:
        found["Quality against multiply-accumulates"] = _scatter(cost, "MACs of one image, M", title)
    return found


_QUALITY_OF_COST = {"teacher": "teacher", "student": "float", "deploy": "float", "int8": "int8"}
"""Row of the costs → model of the quality."""


def line_plot(curves: Mapping[str, Sequence[tuple[float, float]]], path: Path, *, x: str, y: str) -> None:
    """Draw curves, name → (across, up) of each point, with their names at their ends.

    Raises:
        UserError: matplotlib is not installed.
    """
    figure, axes = _figure(x, y)
    for name, points in curves.items():
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3)
        axes.annotate(name, points[-1], xytext=(4, 0), textcoords="offset points", va="center")
    write_atomically(path, lambda temporary: temporary.write_bytes(_png(figure)))


def _scatter(points: Sequence[tuple[float, float, str]], x: str, y: str) -> bytes:
    figure, axes = _figure(x, y)
    for index, (across, up, label) in enumerate(points):
        axes.plot([across], [up], "osD^v<>pX"[index % 9], label=label)
    figure.legend(loc="outside right upper", fontsize=7)
    return _png(figure)


def _figure(x: str, y: str) -> tuple[Any, Any]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError(f"matplotlib is not installed; {to_install('benchmarks')}") from None
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(visible=True, alpha=0.3)
    return figure, axes


def _png(figure: Any) -> bytes:
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=110)
    return image.getvalue()
