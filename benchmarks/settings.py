"""What run_device.py can be told."""

import dataclasses
from pathlib import Path
from typing import Literal

from benchmarks.quality.features import Preprocessing
from train.errors import UserError

Part = Literal["cost", "latency", "quality"]
_LEAST = {
    "rounds": 1,
    "warmup": 0,
    "iterations": 1,
    "images": 1,
    "intra_samples": 2,
    "kid_subset_size": 2,
    "repeats": 1,
}


@dataclasses.dataclass(frozen=True)
class BenchmarkConfig:
    """What to measure, of which run, and where."""

    run: Path = Path("runs/digits")
    """Run folder; its artifacts folder has what the exports left. A student's snapshot with --parts quality."""
    artifacts: Path | None = None
    """Folder with a manifest.json; <run>/artifacts by default."""
    out: Path | None = None
    """Where results.json, report.md and report.html go; <run>/benchmark by default."""
    target: Literal["host", "android", "ios"] = "host"
    """host: the runtimes of this machine; android: a phone over adb; ios: an iPhone at a Mac."""
    parts: tuple[Part, ...] = ("cost", "latency", "quality")
    """What to measure; phones measure latency only."""
    only: tuple[str, ...] = ()
    """Artifacts to time and score: patterns of file names, such as *_int8.*; all by default."""
    again: bool = False
    """Measure again what results.json has already."""
    compare: Path | None = None
    """Measure nothing: print what is better or worse than in this other results.json, or the folder with it."""

    threads: tuple[int, ...] = ()
    """Thread counts; by default 1 and the number of cores of the machine, or of the phone's big ones."""
    rounds: int = 20
    """Visits to each candidate, in turns; on Android a start has --rounds times --iterations timed runs, and on
    iOS this does nothing."""
    warmup: int = 2
    """Untimed runs at each visit, or on Android at each start, on iOS at each turn."""
    iterations: int = 10
    """Timed runs at each visit, on iOS at each turn; on Android a factor of --rounds."""
    compiled: bool = True
    """Time the float student under torch.compile too, which takes half a minute to compile."""
    profile: bool = False
    """Print the hottest operations of each artifact here, on one thread, and write them to profile.json; nothing
    else is measured."""

    images: int | None = None
    """Latents that every model draws; by default 2,000, or 50 of each class where that is more."""
    seed: int = 2**63
    """Of the first latent; the others follow. Training has seeds below 2^63."""
    teacher: str | None = None
    """Teacher to compare with; by default the run's own, '' for none."""
    reference: str | None = None
    """Real images: digits, a folder with a folder per class, or a pack (.npz); by default the run's own."""
    damaged: int | None = None
    """How many of them may be left out because they cannot be read; by default as many as the run left out."""
    inception: Path | None = None
    """inception-2015-12-05.pt, for FID, KID and Inception Score; by default that of clean-fid's cache, if any."""
    download: bool = False
    """Fetch that file into clean-fid's cache if it is not there."""
    preprocessing: tuple[Preprocessing, ...] = ("legacy_tensorflow", "clean")
    """Protocols of FID: how images are resized for the Inception."""
    intra_samples: int | None = None
    """Images per class for the intra-class distance; as many as all classes have by default."""
    kid_subset_size: int | None = None
    """Images per subset of KID; a tenth of them by default, at most 1,000."""
    truncations: tuple[float, ...] = ()
    """Draw teacher and students at these truncations too, 50 images of each class, for a plot of the trade-off."""
    lite0: bool = True
    """Measure a Fréchet distance on EfficientNet-lite0's features too, which needs no file."""
    features: Path | None = None
    """Any other feature network as TorchScript, uint8 [N, 3, H, W] → [N, D]; its name is part of the metric's."""
    classifier: Path | None = None
    """ImageNet classifier as .tflite, for the agreement with the class asked for."""
    classifier_labels: Path | None = None
    """Its labels, one per line."""
    teacher_intra_fid: Path | None = None
    """JSON of class → intra-FID of the teacher, to correlate with."""
    device: str = "auto"
    """Of the float models that draw and of the feature networks: auto, cpu or cuda."""

    serial: str | None = None
    """Android: the phone, as `adb devices` names it; needed when there are several."""
    executor_runner: str | None = None
    """Android: ExecuTorch's executor_runner for the phone's ABI, path or URL."""
    executor_runner_sha256: str | None = None
    """Its SHA-256; needed with a URL."""
    benchmark_model: str | None = None
    """Android: TFLite's benchmark_model for the phone's ABI, path or URL."""
    benchmark_model_sha256: str | None = None
    """Its SHA-256; needed with a URL."""
    development_team: str | None = None
    """iOS: Apple team that signs coremltools' runner on the iPhone; see Xcode, Settings, Accounts."""
    repeats: int = 5
    """Android and iOS: how often each measurement is started anew."""

    def __post_init__(self) -> None:
        for name, smallest in _LEAST.items():
            if (value := getattr(self, name)) is not None and value < smallest:
                raise UserError(f"--{name.replace('_', '-')} {value} is too few; give at least {smallest}")
        if any(threads < 1 for threads in self.threads):
            raise UserError(f"--threads {' '.join(map(str, self.threads))}: give at least 1")
        if not all(0 < truncation <= 1 for truncation in self.truncations):
            raise UserError(f"--truncations {' '.join(map(str, self.truncations))}: give values in (0, 1]")
        if self.profile and self.target != "host":
            raise UserError(f"--profile is for this machine's runtimes; drop --target {self.target}")
        if self.profile and set(self.threads) - {1}:
            stated = " ".join(map(str, self.threads))
            raise UserError(f"--profile times operations on one thread; drop --threads {stated}")

    @property
    def artifacts_folder(self) -> Path:
        """Where the exports are."""
        return self.artifacts or self.run / "artifacts"

    @property
    def folder(self) -> Path:
        """Where the results go."""
        beside = self.run.with_name(f"{self.run.stem}-benchmark") if self.run.is_file() else self.run / "benchmark"
        return self.out or beside
