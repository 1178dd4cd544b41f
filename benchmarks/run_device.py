"""What the compressed model costs, how fast it is and what it still can do: `python benchmarks/run_device.py`.

Writes results.json, from which report.md, report.html and the pages' tables are made.
"""

import sys

from benchmarks.changes import print_changes
from benchmarks.model import Model, open_model, open_unexported
from benchmarks.report import write_report
from benchmarks.results import RESULTS_FILE, Results
from benchmarks.settings import BenchmarkConfig
from benchmarks.summary import summary
from deploy.manifest import MANIFEST_FILE
from train.cli import parse, run_script
from train.errors import UserError
from train.files import check_writable


def main(arguments: list[str]) -> None:
    """Measure what is asked for and not measured yet, and write the report."""
    config = parse(BenchmarkConfig, arguments, __doc__ or "")
    path = config.folder / RESULTS_FILE
    if config.compare is not None:
        print_changes(path, config.compare)
        return
    check_writable(config.folder, "--out")
    model = _open(config)
    results = Results(path, model.description)
    if config.target == "android":
        from benchmarks.phones.android import measure_android

        failures = measure_android(model, config, results)
    elif config.target == "ios":
        from benchmarks.phones.ios import measure_ios

        failures = measure_ios(model, config, results)
    elif config.profile:
        from benchmarks.operators import profile_artifacts

        profile_artifacts(model, config)
        return
    else:
        failures = _measure_here(model, config, results)
    report = write_report(path, config.folder)
    if (found := summary(results.content)) is not None:
        print(found.table().markdown())
    print(f"report: {report}")
    if failures:
        for failure in failures:
            print(f"error: {failure}", file=sys.stderr)
        sys.exit(1)


def _open(config: BenchmarkConfig) -> Model:
    """Open what was exported; or, where speed is not asked for, a student of which nothing was."""
    exported = (config.artifacts_folder / MANIFEST_FILE).is_file()
    if exported or config.profile or config.target != "host" or "latency" in config.parts:
        return open_model(config.run, config.artifacts_folder, config.only)
    if config.only:
        raise UserError(
            f"--only chooses among artifacts, and {config.run} has none; leave it out, or export first"
        )
    print(f"nothing was exported of {config.run}; its students alone are measured", flush=True)
    return open_unexported(config.run)


def _measure_here(model: Model, config: BenchmarkConfig, results: Results) -> list[str]:
    """Measure on this machine; return a sentence for each thing that was asked for and failed."""
    failures: list[str] = []
    if config.truncations:
        from benchmarks.truncations import check_trade_off

        check_trade_off(model)  # before the hours that the rest may take
    unrunnable = [reason for artifact in model.artifacts if (reason := model.runs_here(artifact))]
    if config.only and len(unrunnable) == len(model.artifacts) and config.parts != ("cost",):
        failures += unrunnable  # nothing of what was asked for by name
    if "cost" in config.parts:
        from benchmarks.costs import measure_costs

        measure_costs(model, config, results)
    if "latency" in config.parts:
        from benchmarks.host import measure_host

        failures += measure_host(model, config, results)
        if not config.only:
            from benchmarks.frontier import measure_frontier

            measure_frontier(config, results)
    if "quality" in config.parts:
        from benchmarks.scoring import measure_quality

        failures += measure_quality(model, config, results)
    if config.truncations:
        from benchmarks.truncations import measure_truncations

        measure_truncations(model, config, results)
    return failures


if __name__ == "__main__":
    run_script(main)
