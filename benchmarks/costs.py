"""What every form of the model costs: the section "cost" of the results."""

import copy
from typing import Any

import torch
from torch import nn

from benchmarks.baselines import Baseline, baselines
from benchmarks.cost import Cost, biggan_deep_128, measure_cost, published_rows
from benchmarks.model import Model, teacher_spec
from benchmarks.results import Results
from benchmarks.settings import BenchmarkConfig
from benchmarks.torch_forms import use_authors_order
from compress.deploy_form import deploy_form, one_hot
from compress.one_class import specialise
from deploy.package_files import file_size
from train.snapshot import STUDENT_FILE, load_snapshot
from train.teacher import Teacher, open_teacher

FLOAT_BYTES = 4
PROTOCOL = (
    "one image; multiply-accumulates of convolutions, Linears and matrix products, FLOPs twice as many; "
    "activations: the most numbers alive at a time when the operations run one after the other in torch, weights "
    "left out, times 4 bytes in float and 1 byte in int8"
)


class _AsModule(nn.Module):
    def __init__(self, teacher: Teacher) -> None:
        super().__init__()
        self.teacher = teacher

    def forward(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return self.teacher(z, y)


def measure_costs(model: Model, config: BenchmarkConfig, results: Results) -> None:
    """Count teacher, float student, deploy form, int8 and every artifact; published rows beside them."""
    rows = _forms(model, config)
    rows |= {f"artifact/{a['file']}": {"name": a["file"], "bytes": a["bytes"]} for a in model.artifacts}
    rows["counted/BigGAN-deep-128"] = {"name": "BigGAN-deep-128, counted", **biggan_deep_128().row(FLOAT_BYTES)}
    rows |= {f"counted/{name}": _count_baseline(name, counted) for name, counted in baselines().items()}
    rows |= {f"published/{name}": {"name": f"{name}, published", **row} for name, row in published_rows().items()}
    for key, row in rows.items():
        results.put("cost", key, {}, row)
        print(_line(row), flush=True)
    left_out = [f"the float student was not counted: {why}"] if (why := model.replaced.get("float")) else []
    for sentence in left_out:
        print(sentence, flush=True)
    if not config.only:
        results.keep_only("cost", "", list(rows))
    results.say("cost", protocol=PROTOCOL, left_out=left_out)


def _forms(model: Model, config: BenchmarkConfig) -> dict[str, dict[str, Any]]:
    z, y = torch.zeros(1, model.manifest["model"]["z_dim"]), torch.tensor([min(model.classes)])
    rows: dict[str, dict[str, Any]] = {}
    if spec := teacher_spec(model, config.teacher):
        teacher = open_teacher(spec, model.truncation)
        if teacher.parameters is not None:  # nobody can count inside a file of another library
            rows["teacher"] = {"name": f"teacher ({teacher.name})", **_count_teacher(teacher, z, y)}
    if "float" in model.replaced:
        return rows
    # A run without a student file is refused in one line.
    file = model.students.get("float", model.run / STUDENT_FILE)
    student, info = load_snapshot(file)
    size = {"bytes": file_size(file)}
    authors = measure_cost(use_authors_order(copy.deepcopy(student)), z, y)
    rows["student"] = {"name": "float student, authors' order", **authors.row(FLOAT_BYTES), **size}
    form = deploy_form(student)
    deployed = measure_cost(form, z, one_hot(y, info.generator.num_classes))
    if model.one_class:
        form = specialise(form, model.manifest["model"]["class"])
        deployed = measure_cost(form, z)
    rows["deploy"] = {"name": "float student, deploy form", **deployed.row(FLOAT_BYTES)}
    if "int8" in model.students or "int8" in model.manifest["model"]["sha256"]:
        rows["int8"] = {"name": "int8 student", **deployed.row(1)}
    return rows


def _count_teacher(teacher: Teacher, z: torch.Tensor, y: torch.Tensor) -> dict[str, Any]:
    counted: Cost = measure_cost(_AsModule(teacher), z, y)
    row = counted.row(FLOAT_BYTES)
    row["parameters"] = teacher.parameters
    return row


def _count_baseline(name: str, counted: Baseline) -> dict[str, Any]:
    row = counted.generator.row(FLOAT_BYTES)
    total = {"parameters_with_discriminator": row["parameters"] + counted.discriminator_parameters}
    note = {"note": f"{name}: {counted.note}."} if counted.note else {}
    return {"name": f"{name}, counted", **row, **total, **note}


def _line(row: dict[str, Any]) -> str:
    parts = [f"{row['name']:<34}"]
    if "parameters" in row:
        parts.append(
            f"{row['parameters'] / 1e6:8.3f} M parameters, {row['multiply_accumulates'] / 1e6:9.2f} M MACs"
        )
    if "bytes" in row:
        parts.append(f"{row['bytes'] / 1e6:7.2f} MB")
    return " ".join(parts)
