"""The report's plots, their labels at the points."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.quality.intra_class import correlation
from benchmarks.summary import distance_key
from compress.figures import new_figure
from train.files import write_atomically

# Where no distance was measured, the first of these is the quality that is plotted.
_PREFERRED = ("l1_to_teacher", "psnr_to_float", "recognised")
_QUALITY_OF_COST = {"teacher": "teacher", "student": "float", "deploy": "float", "int8": "int8"}
"""Row of the costs → model of the quality."""
_QUALITY_OF_LATENCY = {"torch eager": "float", "torch.compile": "float"}
_NAMED_CLASSES = 30  # of more, the labels would hide the points
_MARKERS = "osD^v<>pX"
_DPI, _FONT_SIZE = 110, 7

Point = tuple[float, float, str]
"""Across, up, label."""


def quality_metric(results: dict[str, Any]) -> tuple[str, str] | None:
    """Return the key and the title of the metric to plot; None where no quality was measured."""
    columns = results["notes"].get("quality", {}).get("columns", {})
    if key := distance_key(results):
        return key, columns[key]["title"]
    for key in _PREFERRED:
        if key in columns and any(key in row for row in results["quality"]):
            return key, columns[key]["title"]
    return None


def plots(results: dict[str, Any]) -> dict[str, bytes]:
    """Return title → PNG of each plot that there are figures for.

    Raises:
        UserError: matplotlib is not installed.
    """
    found = {}
    if (metric := quality_metric(results)) is not None:
        key, title = metric
        quality = {row["name"]: row[key] for row in results["quality"] if key in row}
        if latency := _latency_points(results, quality):
            x = "median time of one image on one thread here, ms"
            found["Quality against latency"] = _scatter({"": latency}, x, title)
        cost = [
            (row["multiply_accumulates"] / 1e6, quality[name], row["name"])
            for row in results["cost"]
            if (name := _QUALITY_OF_COST.get(row["key"], "")) in quality
        ]
        if cost:
            found["Quality against multiply-accumulates"] = _scatter({"": cost}, "MACs of one image, M", title)
    return found | _frontier_plots(results) | _intra_class_plot(results) | _truncation_plot(results)


def _latency_points(results: dict[str, Any], quality: Mapping[str, float]) -> list[Point]:
    points = []
    for row in results["latency"]:
        name: str = row["name"]
        model = "teacher" if name.startswith("teacher") else _QUALITY_OF_LATENCY.get(name, name)
        if row["key"].startswith("host/") and row["threads"] == 1 and model in quality:
            points.append((row["latency_ms"]["p50"], quality[model], name))
    return points


def _frontier_plots(results: dict[str, Any]) -> dict[str, bytes]:
    """Return what a width search found beside full and uniform widths, against both costs."""
    points = results["notes"].get("frontier", {}).get("points", [])
    axes = {"ms": "median time of one image in int8, ms", "macs": "MACs of one image, M"}
    found = {}
    for key, x in axes.items() if points else ():
        series: dict[str, list[Point]] = {}
        for point in points:
            series.setdefault(point["series"], []).append((point[key], point["l1"], point["label"]))
        title = f"Found students: distance to the teacher against {key.replace('macs', 'MACs')}"
        found[title] = _scatter(series, x, "L1 to the teacher on the search's latents", legend=True)
    return found


def _intra_class_plot(results: dict[str, Any]) -> dict[str, bytes]:
    """Return the paper's Figure 9: the distance within each class, students against the teacher."""
    note = results["notes"].get("quality", {})
    for key, models in note.get("per_class", {}).items():
        students = [name for name in models if name == "float" or "int8" in name]
        if "teacher" not in models or not students:
            continue
        teacher = models["teacher"]
        series = {}
        for name in (students[0], *students[-1:] * (len(students) > 1)):
            r = correlation(teacher, models[name])
            labelled = len(teacher) <= _NAMED_CLASSES and not series
            series[name if r is None else f"{name}, r = {r:.2f}"] = [
                (teacher[label], models[name][label], label if labelled else "") for label in teacher
            ]
        title = note["columns"][key]["title"]
        picture = _scatter(series, "the teacher's", "the student's", heading=title)
        return {"Class by class, student against teacher (the paper's Figure 9)": picture}
    return {}


def _truncation_plot(results: dict[str, Any]) -> dict[str, bytes]:
    """Return quality against diversity over the truncations that were measured."""
    note = results["notes"].get("truncations")
    if note is None:
        return {}
    figure, axes = _figure(f"{note['diversity']} (more to the right)", f"{note['distance']} (better below)")
    labels = []
    for marker, (name, points) in zip(_MARKERS, note["curves"].items(), strict=False):
        across, up = ([point[part] for point in points] for part in ("diversity", "distance"))
        axes.plot(across, up, marker=marker, markersize=4, label=name)
        labels += [(a, b, f"{point['truncation']:g}") for a, b, point in zip(across, up, points, strict=True)]
    axes.legend(fontsize=_FONT_SIZE)
    _label(figure, axes, labels)
    return {"Truncation: quality against diversity": _png(figure)}


def line_plot(curves: Mapping[str, Sequence[tuple[float, float]]], path: Path, *, x: str, y: str) -> None:
    """Draw curves, name → (across, up) of each point, with their names at their ends.

    Raises:
        UserError: matplotlib is not installed.
    """
    figure, axes = _figure(x, y)
    for points in curves.values():
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3)
    _label(figure, axes, [(*points[-1], name) for name, points in curves.items()])
    write_atomically(path, lambda temporary: temporary.write_bytes(_png(figure)))


def _scatter(
    series: Mapping[str, Sequence[Point]], x: str, y: str, *, heading: str = "", legend: bool = False
) -> bytes:
    """Draw points; a heading is of both axes, whose diagonal is drawn then."""
    figure, axes = _figure(x, y)
    for marker, (name, points) in zip(_MARKERS, series.items(), strict=False):
        axes.plot([p[0] for p in points], [p[1] for p in points], marker, markersize=5, label=name)
    every = [point for points in series.values() for point in points]
    if heading:
        axes.set_title(heading, fontsize=10)
        values = [value for point in every for value in point[:2]]
        ends = [min(values), max(values)]
        axes.plot(ends, ends, linestyle=":", color="gray", linewidth=1)
    elif max(p[0] for p in every) > 8 * min(p[0] for p in every) > 0:
        _plain_log(axes)
    if heading or legend:
        axes.legend(fontsize=_FONT_SIZE)
    axes.margins(x=0.12, y=0.12)
    _label(figure, axes, [point for point in every if point[2]])
    return _png(figure)


def _plain_log(axes: Any) -> None:
    """Make the scale across logarithmic, with numbers as people write them."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _label(figure: Any, axes: Any, points: Sequence[Point]) -> None:
    """Write labels beside their points, moved up or down to where they hide no other one."""
    figure.draw_without_rendering()  # the layout is settled
    figure.set_layout_engine("none")
    unit = figure.dpi / 72  # pixels of a point of type
    height, letter = 1.25 * _FONT_SIZE * unit, 0.58 * _FONT_SIZE * unit
    frame = axes.get_window_extent()
    places = {point: axes.transData.transform(point[:2]) for point in points}
    taken = [(x - 4, x + 4, y) for x, y in places.values()]  # left, right and middle: the points themselves
    for point in sorted(points, key=lambda point: -point[1]):
        (across, up, text), (x, y) = point, places[point]
        width = letter * len(text)
        fits = x + 6 + width < frame.x1
        left = x + 6 if fits else x - 6 - width
        shift = _free((left, left + width), y, height, taken, (frame.y0, frame.y1))
        taken.append((left, left + width, y + shift))
        axes.annotate(
            text,
            (across, up),
            xytext=((6 if fits else -6) / unit, shift / unit),
            textcoords="offset points",
            fontsize=_FONT_SIZE,
            va="center",
            ha="left" if fits else "right",
            arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": "gray"} if shift else None,
        )


def _free(
    sides: tuple[float, float],
    middle: float,
    height: float,
    taken: Sequence[tuple[float, float, float]],
    frame: tuple[float, float],
) -> float:
    """Return by how much a label has to move, up or down, for its place to be free; the nearest place counts."""
    for step in range(200):
        shift = (step + 1) // 2 * (1 if step % 2 else -1) * height / 2
        inside = frame[0] + height / 2 < middle + shift < frame[1] - height / 2
        hidden = any(
            sides[0] < other_right and other_left < sides[1] and abs(middle + shift - other) < height
            for other_left, other_right, other in taken
        )
        if not hidden and (inside or not step):
            return shift
    return 0.0


def _figure(x: str, y: str) -> tuple[Any, Any]:
    figure = new_figure(7, 4.2, dpi=_DPI)
    axes = figure.subplots()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(visible=True, alpha=0.3)
    return figure, axes


def _png(figure: Any) -> bytes:
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=_DPI)
    return image.getvalue()
