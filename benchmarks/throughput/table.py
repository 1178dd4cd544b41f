"""The table of a throughput report."""

from collections.abc import Callable
from typing import Any

from benchmarks.tables import Table, number, spread, table_of_columns

Row = dict[str, Any]


def throughput_table(report: dict[str, Any]) -> Table:
    """Return a line for each row; columns without a figure are left out."""
    rows, images = report["rows"], report["images"]
    several = len({row["batch_size"] for row in rows}) > 1
    columns: dict[str, Callable[[Row], str]] = {
        "loop": lambda row: _name(row, several),
        "batch": lambda row: str(row["batch_size"]),
        "images/s": lambda row: number(row, "images_per_second", 1, 1),
        "ms per iteration": lambda row: row.get("left_out") or spread(row["milliseconds"], 1),
        "ratio": lambda row: spread(row.get("ratio"), 2),
        "gain": lambda row: spread(row.get("gain"), 2),
        "by FLOP": lambda row: number(row, "gain_by_flops", 1, 2),
        "GFLOP": lambda row: number(row, "flops_per_iteration", 1e-9, 1),
        "of FLOP/s": lambda row: _share(row, "share_of_flops"),
        "GB": lambda row: number(row, "bytes_per_iteration", 1e-9, 2),
        "of bytes/s": lambda row: _share(row, "share_of_bytes"),
        "peak memory, GB": lambda row: number(row, "peak_memory_bytes", 1e-9, 2),
        f"hours for {images:,} images": lambda row: number(row, "hours", 1, 3),
    }
    table = table_of_columns(f"Training throughput, {report['preset']}", columns, rows, _notes(report))
    assert table is not None
    return table


def profile_table(profile: dict[str, Any]) -> Table:
    """Return a line for each operation of a report's profile."""
    cells = [
        [
            f"`{row['operation']}`",
            f"{row['share']:.1%}",
            f"{row['milliseconds']:,.2f}",
            f"{row['calls']:g}",
        ]
        for row in profile["operations"]
    ]
    note = (
        f'Where the time of the loop "{profile["name"]}" goes at batch {profile["batch_size"]}: the operations '
        f"that take the most in themselves, by torch.profiler over {profile['iterations']} iterations; it makes "
        "all of them slower, those of many calls the most."
    )
    headers = ["operation", "of the time", "ms per iteration", "calls per iteration"]
    return Table(f"Profile at batch {profile['batch_size']}", headers, cells, [note])


def _notes(report: dict[str, Any]) -> list[str]:
    machine, protocol = report["machine"], report["protocol"]
    device = machine.get("device_name", machine["cpu"])
    limits = "; ".join(
        f"{name} {limit['flops_per_second'] / 1e12:,.3g} TFLOP/s, {limit['bytes_per_second'] / 1e9:,.3g} GB/s"
        for name, limit in report["attainable"].items()
    )
    where = f"{device}, {machine['threads']} CPU thread{'s' if machine['threads'] > 1 else ''}"
    return [
        f"{where}, torch {machine['torch']}; {protocol['rounds']} rounds in turns of at least "
        f"{protocol['seconds']:g} s each after {protocol['warmup']} untimed iterations; median (lowest–highest) "
        f"of the rounds; ratio: to the released recipe within a round. Attainable here: {limits}.",
        *(f"*{name}*: {text}." for name, text in report["definitions"].items()),
    ]


def _name(row: Row, several: bool) -> str:
    return f"**{row['name']}**, the fastest batch" if several and row.get("fastest") else row["name"]


def _share(row: Row, key: str) -> str:
    value = row.get(key)
    return "–" if value is None else f"{value:.1%}"
