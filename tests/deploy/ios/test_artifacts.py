import copy
import dataclasses
import itertools
import json
import shutil
from pathlib import Path

import pytest
import torch
from stand_ins import save_student, trained_like_student

from compress.config import INT8_STUDENTS
from compress.deploy_form import deploy_form, one_hot
from compress.fake_quant import QuantGenerator
from compress.int8_file import save_int8
from compress.quant_config import QuantConfig
from deploy import golden
from deploy.ios import artifacts as ios
from deploy.ios.artifacts import FP16_FLOOR, INT8_FP16_FLOOR, PALETTE_FLOOR, IosExportConfig, ios_artifacts
from deploy.ios.export import main
from deploy.ios.mil_program import load_program
from deploy.manifest import read_manifest
from deploy.pipeline import export
from deploy.source import ExportSource, open_source
from deploy.verify import verify
from train.generator import GeneratorConfig
from train.snapshot import load_snapshot

pytest.importorskip("coremltools")
pytest.importorskip("executorch")

CLASS = 1
MODELS = ("fp16", "palette6", "int8", "int4")
PACKAGES = {f"student_{name}.mlpackage" for name in MODELS}
PROGRAMS = {"student_coreml_fp16.pte", "student_coreml_int8.pte"}
XNNPACK = {"student_xnnpack_fp32.pte", "student_xnnpack_int8.pte"}


def add_quantized(run: Path, *weight_bits: int) -> Path:
    """Add quantized students to a run folder."""
    generator, info = load_snapshot(run / "student.safetensors")
    config = generator.config
    random = torch.Generator().manual_seed(2)
    y = torch.arange(16) % config.num_classes
    batches = [(torch.randn(16, config.z_dim, generator=random), one_hot(y, config.num_classes)) for _ in range(2)]
    for bits in weight_bits:
        student = QuantGenerator(deploy_form(generator), QuantConfig(weight_bits=bits)).eval()
        student.calibrate(batches)
        student.freeze_ranges()
        save_int8(run / INT8_STUDENTS["int8" if bits == 8 else "int4"], student, info)
    return run


@pytest.fixture(scope="module")
def run(export_run, tmp_path_factory) -> Path:
    """A run folder with an int8 and an int4 student."""
    return add_quantized(shutil.copytree(export_run, tmp_path_factory.mktemp("runs") / "run"), 4)


@pytest.fixture(scope="module", autouse=True)
def _few_golden_images():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(golden, "COUNT", 4)
        yield


def planned(source: ExportSource, *files: str, **flags):
    found = {artifact.file: artifact for artifact in ios_artifacts(source, IosExportConfig(**flags))}
    return [found[file] for file in files]


def state(source: ExportSource) -> dict[str, torch.Tensor]:
    models = {"float": source.form, **source.quantized}
    return {f"{m} {name}": x.clone() for m, model in models.items() for name, x in model.state_dict().items()}


@dataclasses.dataclass
class Exported:
    folder: Path
    source: ExportSource

    @property
    def entries(self) -> dict[str, dict]:
        return {entry["file"]: entry for entry in read_manifest(self.folder)["artifacts"]}


def export_all(source: ExportSource, folder: Path, *files: str) -> Exported:
    before = state(source)
    assert export(planned(source, *files), source, folder) == []
    after = state(source)
    assert all(torch.equal(x.nan_to_num(), after[name].nan_to_num()) for name, x in before.items())
    return Exported(folder, source)


@pytest.fixture(scope="module")
def one_class(run, tmp_path_factory) -> Exported:
    """Forms of one class, which convert in less time; the live students stay as they are."""
    files = ("student_palette6.mlpackage", "student_int8.mlpackage", *sorted(PROGRAMS))
    return export_all(open_source(run, CLASS), tmp_path_factory.mktemp("one class"), *files)


@pytest.fixture(scope="module")
def by_script(run, tmp_path_factory) -> Path:
    """The fp16 package of all classes, made by the script."""
    folder = tmp_path_factory.mktemp("all classes")
    flags = ["--author", "A. Author", "--license", "MIT", "--model-version", "7.1"]
    main(["--run", str(run), "--out", str(folder), "--only", "student_fp16.mlpackage", *flags])
    return folder


def left(folder: Path) -> set[str]:
    names = {path.name for path in folder.iterdir() if not path.name.startswith("golden")}
    return names - {"manifest.json"}


def test_what_is_planned_follows_from_the_students_that_there_are(run, export_run):
    artifacts = {artifact.file: artifact for artifact in ios_artifacts(open_source(run), IosExportConfig())}
    assert artifacts.keys() == PACKAGES | PROGRAMS | XNNPACK
    assert {a.reference for a in artifacts.values()} == {"float", "int8", "int4"}
    assert all("ios" in artifact.platforms for artifact in artifacts.values())
    for name, artifact in artifacts.items():
        spec = artifact.output
        picture = name.endswith(".mlpackage")
        assert (spec.dtype, spec.shape) == (("uint8", (32, 32, 3)) if picture else ("float32", (1, 3, 32, 32)))
    without_int4 = {artifact.file for artifact in ios_artifacts(open_source(export_run), IosExportConfig())}
    assert without_int4 == artifacts.keys() - {"student_int4.mlpackage"}


def test_packages_and_programs_pass_the_gate(one_class):
    assert left(one_class.folder) == {"student_palette6.mlpackage", "student_int8.mlpackage", *PROGRAMS}
    entries = one_class.entries
    for entry in entries.values():
        reference = "int8" if "int8" in entry["file"] else "float"
        assert entry["parity"]["reference"] == entry["student"] == reference
        assert entry["parity"]["psnr"] >= entry["parity"]["floor"] and entry["parity"]["images"] == 4
        assert [spec["name"] for spec in entry["inputs"]] == ["z"]
        assert "the MIL evaluator" in entry["parity"]["runner"]
    assert {file: entry["parity"]["floor"] for file, entry in entries.items()} == {
        "student_palette6.mlpackage": PALETTE_FLOOR,
        "student_int8.mlpackage": INT8_FP16_FLOOR,
        "student_coreml_fp16.pte": FP16_FLOOR,
        "student_coreml_int8.pte": INT8_FP16_FLOOR,
    }
    for program in PROGRAMS:
        assert entries[program]["checks"] == {"delegates": ["CoreMLBackend"]}
        assert entries[program]["outside_delegate"] == {}
        assert entries[program]["outputs"][0]["range"] == [-1.0, 1.0]
    package = entries["student_int8.mlpackage"]
    assert package["outputs"] == [{"name": "image", "shape": [32, 32, 3], "dtype": "uint8", "range": [0, 255]}]
    assert package["tools"].keys() == {"torch", "coremltools"}


def test_the_fp32_twin_of_a_quantized_package_is_the_student_exactly(one_class):
    assert one_class.entries["student_int8.mlpackage"]["checks"] == {"fp32_twin_max_difference": 0.0}


def test_the_script_writes_what_it_is_told_into_the_package(by_script):
    import coremltools as ct

    (entry,) = read_manifest(by_script)["artifacts"]
    assert entry["options"] == {"author": "A. Author", "license": "MIT", "version": "7.1"}
    assert entry["parity"]["psnr"] >= FP16_FLOOR
    assert entry["parity"]["max_difference"] < 1.01 / 127.5  # one level
    assert [spec["shape"] for spec in entry["inputs"]] == [[1, 8], [1, 3]]
    model = ct.models.MLModel(str(by_script / "student_fp16.mlpackage"), skip_model_load=True)
    assert (model.author, model.license, model.version) == ("A. Author", "MIT", "7.1")
    assert model.short_description.endswith("pictures of 3 classes from a latent. Made from: a test.")
    metadata = model.user_defined_metadata
    assert json.loads(metadata["classes"]) == {"0": "class 0", "1": "class 1", "2": "class 2"}
    assert (metadata["truncation"], metadata["precision"]) == ("0.5", "fp16 weights and activations")
    described = model.get_spec().description
    assert [feature.name for feature in described.input] == ["z", "class_weights"]
    assert all(feature.shortDescription for feature in (*described.input, *described.output))
    assert described.output[0].type.imageType.width == 32


def test_every_weight_larger_than_its_palette_has_one_but_for_depthwise_ones(one_class):
    weights = load_program(one_class.folder / "student_palette6.mlpackage").weights()
    depthwise = {weight.name for weight in weights if weight.values.ndim == 4 and weight.values.shape[1] == 1}
    assert len(depthwise) == 9
    assert {weight.storage for weight in weights if weight.name in depthwise} == {"const"}
    large = [weight for weight in weights if weight.values.size > 64 and weight.name not in depthwise]
    assert len(large) == 7
    for weight in large:
        assert (weight.storage, len(weight.palette)) == ("constexpr_lut_to_dense", 64)


def test_a_package_of_one_class_names_its_class(one_class):
    import coremltools as ct

    model = ct.models.MLModel(str(one_class.folder / "student_int8.mlpackage"), skip_model_load=True)
    assert "of the class class 1 from a latent" in model.short_description
    assert json.loads(model.user_defined_metadata["classes"]) == {"1": "class 1"}


def test_verify_passes_and_catches_one_byte(one_class, tmp_path, capsys):
    folder = shutil.copytree(one_class.folder, tmp_path / "artifacts")
    assert verify(folder) == []
    out = capsys.readouterr().out
    assert "student_int8.mlpackage" in out and "(the MIL evaluator, on the package inside)" in out
    (weights,) = (folder / "student_int8.mlpackage").rglob("weight.bin")
    flip_byte(weights, weights.stat().st_size // 2)
    (problem,) = verify(folder, run=False)
    assert problem.startswith("student_int8.mlpackage: the content has the SHA-256 ")


def flip_byte(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 0x01
    path.write_bytes(content)


def rejected(artifacts, source: ExportSource, folder: Path) -> str:
    """The reason why the only artifact was thrown away."""
    (failure,) = export(artifacts, source, folder)
    assert left(folder) == set() and read_manifest(folder)["artifacts"] == []
    return failure


def test_one_level_that_is_not_the_students_is_enough(one_class, tmp_path, monkeypatch):
    source = one_class.source
    name = min(source.quantized["int8"].operations())
    other = one_class.source.quantized["int8"].operations()[name].levels().numpy().copy()
    content = other.tobytes()
    other.flat[0] += 1 if other.flat[0] < 127 else -1

    def write(student, path, *rest, **options):
        shutil.copytree(one_class.folder / "student_int8.mlpackage", path)
        (weights,) = path.rglob("weight.bin")
        stored = weights.read_bytes()
        assert stored.count(content) == 1
        weights.write_bytes(stored.replace(content, other.tobytes()))

    monkeypatch.setattr(ios, "convert_quantized", write)
    failure = rejected(planned(source, "student_int8.mlpackage"), source, tmp_path / "artifacts")
    assert f"its weights or grids are not the student's: the levels of {name} differ" in failure


def test_a_twin_that_is_not_identical_is_thrown_away(one_class, tmp_path, monkeypatch):
    def write(student, path, *rest, **options):
        # The twin is not in fp32.
        shutil.copytree(one_class.folder / "student_int8.mlpackage", path)

    monkeypatch.setattr(ios, "convert_quantized", write)
    failure = rejected(
        planned(one_class.source, "student_int8.mlpackage"), one_class.source, tmp_path / "artifacts"
    )
    assert "dB from the int8 student's, below the floor of inf dB" in failure


def test_between_grids_fp32_gives_the_students_own_picture_and_is_the_remedy(one_class, tmp_path, monkeypatch):
    monkeypatch.setattr(ios, "INT8_FP16_FLOOR", 200.0)  # a student that fp16 changes too much
    source, file = one_class.source, "student_int8.mlpackage"
    failure = rejected(planned(source, file), source, tmp_path / "half")
    assert failure.endswith("export it with --between-grids fp32")
    assert export(planned(source, file, between_grids="fp32"), source, tmp_path / "single") == []
    (entry,) = read_manifest(tmp_path / "single")["artifacts"]
    assert entry["parity"]["psnr"] is None and entry["options"]["between_grids"] == "fp32"
    (program,) = planned(source, "student_coreml_int8.pte", between_grids="fp32")
    assert program.options == {"between_grids": "fp32"} and not program.remedy


def spoilt(source: ExportSource, change) -> ExportSource:
    form = copy.deepcopy(source.form)
    with torch.no_grad():
        change(form)
    return dataclasses.replace(source, form=form)


def swap_colours(form) -> None:
    for parameter in (form.to_rgb.operation.weight, form.to_rgb.operation.bias):
        parameter.copy_(parameter.flip(0))


def perturb_weight(form) -> None:
    form.to_rgb.operation.weight[1] *= 1.05


@pytest.mark.parametrize("change", [swap_colours, pytest.param(perturb_weight, marks=pytest.mark.slow)])
def test_images_of_another_student_do_not_pass(one_class, tmp_path, change):
    other = planned(spoilt(one_class.source, change), "student_fp16.mlpackage")
    failure = rejected(other, one_class.source, tmp_path / "artifacts")
    assert "dB from the float student's, below the floor of 55 dB (the MIL evaluator)" in failure


@pytest.mark.slow
def test_all_classes_in_every_precision(run, tmp_path):
    exported = export_all(open_source(run), tmp_path / "artifacts", *sorted(PACKAGES | PROGRAMS))
    entries = exported.entries
    assert entries.keys() == PACKAGES | PROGRAMS
    for name in ("int8", "int4"):
        assert entries[f"student_{name}.mlpackage"]["checks"] == {"fp32_twin_max_difference": 0.0}
    assert all(len(entry["inputs"]) == 2 for entry in entries.values())
    assert verify(exported.folder) == []


@pytest.mark.slow
def test_sizes_of_a_student_as_large_as_the_papers(tmp_path):
    config = GeneratorConfig("dw", 32, 128, num_classes=398, z_dim=128, class_embedding_dim=128)
    run = tmp_path / "run"
    save_student(run / "student.safetensors", trained_like_student(config))
    add_quantized(run, 8, 4)
    exported = export_all(open_source(run), run / "artifacts", *sorted(PACKAGES | PROGRAMS))
    size = {file: entry["bytes"] / 1e6 for file, entry in exported.entries.items()}
    assert size["student_fp16.mlpackage"] <= 6.3 and size["student_coreml_fp16.pte"] <= 6.3
    assert size["student_int8.mlpackage"] <= 3.7 and size["student_coreml_int8.pte"] <= 3.7
    order = [size[f"student_{name}.mlpackage"] for name in ("int4", "palette6", "int8", "fp16")]
    assert all(smaller < larger for smaller, larger in itertools.pairwise(order))
