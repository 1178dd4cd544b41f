"""Fresh starts of a measuring program with every artifact, in turns: what the phone does hits all of them."""

from collections.abc import Callable
from typing import Any

from tqdm import tqdm

from benchmarks.phones.device import read_state
from benchmarks.phones.session import Session, float_reference
from benchmarks.phones.starts import Start, UnexpectedOutputError, figures

Starter = Callable[[int], Start]
"""Makes a fresh start with a number of threads."""


def measure_programs(
    session: Session,
    tool: str,
    version: str,
    artifacts: list[dict[str, Any]],
    prepare: Callable[[dict[str, Any]], Starter],
    *,
    fed: str,
) -> None:
    """Measure all artifacts that one program can run, with every number of threads.

    Rows that are there already stay; the float artifact is measured between new ones all the same, for the ratios.

    Args:
        session: phone, model and rows.
        tool: name of the program.
        version: its SHA-256.
        artifacts: of its runtime.
        prepare: brings an artifact to the phone, and returns what starts the program with it.
        fed: what the program feeds the model with.
    """
    starters: dict[str, Starter] = {}
    for threads in session.threads:
        wanted = [artifact for artifact in artifacts if session.expect(artifact, tool, version, threads)]
        if not wanted:
            print(f"{tool} with {threads} threads: measured already", flush=True)
            continue
        reference = float_reference(wanted[0], artifacts)
        together = wanted if reference is None or reference in wanted else [*wanted, reference]
        for artifact in together:
            if artifact["file"] not in starters:
                starters[artifact["file"]] = prepare(artifact)
        starts, states = _in_turns(session, tool, threads, starters, wanted=wanted, together=together)
        base = None if reference is None else reference["file"]
        for artifact in wanted:
            file = artifact["file"]
            if file not in starts:
                continue
            row = figures(starts[file], {base: starts[base]} if base in starts and base != file else {})
            row["inputs_fed"] = fed
            row["starts"] = [start.record() for start in starts[file]]
            row["phone"] = _phone(states[file])
            if status := row["phone"].get("worst_thermal_status"):
                hot = f"the phone held itself back for heat (thermal status {status} of 6); let it cool and repeat"
                row["notes"] = [*row.get("notes", []), hot]
                print(f"{file}: {hot}", flush=True)
            session.put(artifact, tool, version, threads, row)


def _in_turns(
    session: Session,
    tool: str,
    threads: int,
    starters: dict[str, Starter],
    *,
    wanted: list[dict[str, Any]],
    together: list[dict[str, Any]],
) -> tuple[dict[str, list[Start]], dict[str, list[dict[str, Any]]]]:
    """Return file → its starts, without files that fail, and file → the phone's states before and after each."""
    starts: dict[str, list[Start]] = {artifact["file"]: [] for artifact in together}
    states: dict[str, list[dict[str, Any]]] = {artifact["file"]: [] for artifact in together}
    state = read_state(session.adb)
    with tqdm(total=session.config.repeats * len(together), desc=f"{tool}, {threads} threads", leave=False) as bar:
        for turn in range(session.config.repeats):
            for artifact in reversed(together) if turn % 2 else together:
                file = artifact["file"]
                if file not in starts or not any(other["file"] in starts for other in wanted):
                    continue
                before = state
                try:
                    start = starters[file](threads)
                except UnexpectedOutputError as error:
                    del starts[file]
                    if artifact in wanted:
                        session.leave_out(artifact, tool, threads, error)
                    continue
                state = read_state(session.adb)
                starts[file].append(start)
                states[file] += [before, state]
                bar.update()
    return starts, states


def _phone(states: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the phone's state before the first start and after the last, and the worst between them."""
    described: dict[str, Any] = {"before": states[0], "after": states[-1]}
    statuses = [state["thermal_status"] for state in states if "thermal_status" in state]
    if statuses:
        described["worst_thermal_status"] = max(statuses)
    return described
