"""A run's resumable files as one archive in parts, to take from one machine to another.

Each part begins with a line of JSON, its place and the SHA-256 of what follows; what follows is a piece of a
.tar.xz. Pairs are not packed, since the teacher makes them again, nor are states of finished runs.
"""

import hashlib
import io
import json
import lzma
import os
import shutil
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import IO, Any

import torch

from benchmarks.animals64.settings import INT8, STUDENT, TEACHER, AnimalsConfig
from benchmarks.animals64.stages import int8_is_done, pairs_are_needed
from benchmarks.animals64.table import PICTURE, weights
from compress.config import INT8_FILE, QAT_FOLDER
from compress.finetune import finished_steps
from train.biggan import CONFIG_FILE as TEACHER_CONFIG
from train.build import build_discriminator, build_network
from train.checkpoint import DISCRIMINATOR_FILE, TEACHER_FOLDER
from train.config import TrainConfig
from train.errors import UserError
from train.files import write_atomically
from train.loop import STATE_FILE, load_state
from train.run import CONFIG_FILE, FINISHED_FILE, has_ended
from train.snapshot import STUDENT_FILE

_MIB = 2**20
_HEAD_BYTES = 512  # more than the line of JSON in front of each part
# Floats repeat every four bytes; told so, LZMA saves a sixth of them, where it would otherwise save a tenth.
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 0, "lc": 0, "lp": 2, "pb": 2}]


def state_mib(run: TrainConfig) -> float:
    """Return the most that a run's state takes in a pack, without what the next step overwrites."""
    with torch.device("meta"):
        generator = build_network(run.generator)
        discriminator = build_discriminator(run.discriminator, run.generator)
    moments = 1 if run.optimizer.beta1 == 0 else 2
    own, critic = (
        sum(tensor.numel() * tensor.element_size() for tensor in module.state_dict().values())
        for module in (generator, discriminator)
    )
    parameters = sum(p.numel() for module in (generator, discriminator) for p in module.parameters())
    return (2 * own + critic + 4 * moments * parameters) / _MIB


def check_state_fits(config: AnimalsConfig) -> None:
    """Raise a UserError, before the time is spent, if the teacher's state could not be carried away."""
    size, limit = state_mib(config.teacher()), config.pack_limit_mib
    if limit and size > limit and not has_ended(config.folder / TEACHER, config.teacher()):
        raise UserError(
            f"the state of a teacher of {config.channels_teacher} channels may take {size:.0f} MiB, more than "
            f"--pack-limit-mib {limit:g}; give fewer --channels-teacher, or --pack-limit-mib 0 if it stays here"
        )


def pack(config: AnimalsConfig, folder: Path) -> None:
    """Write the runs' files into parts in `folder`, replacing those of an earlier call once all are there.

    Raises:
        UserError: there is nothing to pack yet.
    """
    files = files_to_pack(config)
    if not files:
        raise UserError(f"{config.folder} holds nothing to pack yet; run a stage first")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as packed:
        with (
            lzma.open(packed, "wb", check=lzma.CHECK_CRC64, filters=_FILTERS) as compressed,
            tarfile.open(fileobj=compressed, mode="w|") as archive,
        ):
            names = {path: Path(name) for name, path in _outputs(config).items()}
            for path in files:
                _add(archive, path, names.get(path) or path.relative_to(config.folder))
        total = packed.tell()
        parts = _write_parts(packed, total, folder, max(1, int(config.part_mib * _MIB) - _HEAD_BYTES))
    for stale in set(folder.glob("animals64-*.part")) - parts:
        stale.unlink()
    print(f"packed {len(files)} files into {len(parts)} parts, {total / _MIB:.1f} MiB, in {folder}", flush=True)
    if 0 < config.pack_limit_mib < total / _MIB:
        print(f"warning: that is more than --pack-limit-mib {config.pack_limit_mib:g}; --lean leaves out more")


def files_to_pack(config: AnimalsConfig) -> list[Path]:
    """Return the files that going on elsewhere needs; with `lean`, only what stages that train need."""
    done = {name: has_ended(config.folder / name, run) for name, run in config.runs().items()}
    done[INT8] = int8_is_done(config)
    folders = {name: config.folder / name for name in done} | {INT8: config.qat().folder}
    results = {name: [path] for name, path in weights(config).items()}
    results[TEACHER].append(results[TEACHER][0].with_name(TEACHER_CONFIG))
    results[STUDENT].append(folders[STUDENT] / DISCRIMINATOR_FILE)
    needed = {TEACHER: pairs_are_needed(config), STUDENT: not done[INT8]}
    files = []
    for name, folder in folders.items():
        files += [folder / CONFIG_FILE, folder / "stats.jsonl", folder / FINISHED_FILE]
        if not config.lean:
            files += sorted((folder / "samples").glob("step-*.png"))[-1:]
        if not done[name]:
            files.append(folder / STATE_FILE)
        elif needed.get(name) or not config.lean:
            files += results[name]
    files += _outputs(config).values()
    return [path for path in files if path.is_file()]


def _outputs(config: AnimalsConfig) -> dict[str, Path]:
    """Return what the runs come to by its names in an archive; the table need not lie beside the runs."""
    table = {"table.json": config.out, "table.md": config.out.with_suffix(".md")}
    return table | {PICTURE: config.folder / PICTURE}


def _add(archive: tarfile.TarFile, path: Path, name: Path) -> None:
    content = _state_bytes(path) if path.name == STATE_FILE else path.read_bytes()
    member = tarfile.TarInfo(PurePosixPath(name).as_posix())
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _state_bytes(path: Path) -> bytes:
    """Return a state without the first moments of Adam that its next step overwrites: beta1 is 0."""
    state = load_state(path)
    for optimizer in (state["generator_optimizer"], state["discriminator_optimizer"]):
        for group in optimizer["param_groups"]:
            for index in group["params"] if group["betas"][0] == 0 else ():
                if index in optimizer["state"]:
                    optimizer["state"][index]["exp_avg"].zero_()
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def _write_parts(packed: IO[bytes], total: int, folder: Path, part_bytes: int) -> set[Path]:
    packed.seek(0)
    digest = hashlib.sha256()
    while block := packed.read(_MIB):
        digest.update(block)
    packed.seek(0)
    whole, count, parts = digest.hexdigest(), -(-total // part_bytes), set()
    for number in range(1, count + 1):
        content = packed.read(part_bytes)
        head = {"archive": whole, "part": number, "parts": count, "sha256": hashlib.sha256(content).hexdigest()}
        # The archive's hash is in the name: an earlier archive stays whole until this one is.
        path = folder / f"animals64-{whole[:8]}-{number:02d}-of-{count:02d}.part"
        body = json.dumps(head).encode() + b"\n" + content
        write_atomically(path, lambda temporary, body=body: temporary.write_bytes(body))
        parts.add(path)
    return parts


def unpack(config: AnimalsConfig, folder: Path) -> None:
    """Restore what `pack` wrote into `folder`; a run that got further here than in the archive is left alone.

    Raises:
        UserError: a part is missing or changed; nothing is restored then.
    """
    compressed = _read_parts(folder)
    config.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=config.folder, prefix=".unpack-") as temporary:
        try:
            with tarfile.open(fileobj=io.BytesIO(compressed), mode="r:xz") as archive:
                archive.extractall(temporary, filter="data")
        except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
            raise UserError(f"the parts in {folder} are no archive of --pack ({error}); pack again") from None
        unpacked = Path(temporary)
        for run in sorted(path for path in unpacked.iterdir() if path.is_dir()):
            # The int8 student lies inside the float student's folder, and is a run of its own.
            for source in (run, run / QAT_FOLDER):
                if source.is_dir():
                    _restore(source, config.folder / source.relative_to(unpacked))
        for name, target in _outputs(config).items():
            if (unpacked / name).is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(unpacked / name, target)  # which may be on another disk


def _restore(source: Path, target: Path) -> None:
    if _progress(target) > _progress(source):
        print(f"{target} got further than the archive; it stays as it is", flush=True)
        return
    if (source / FINISHED_FILE).is_file() and not (target / FINISHED_FILE).is_file():
        # What the finished run does not bring must not be taken for its own.
        for name in (STUDENT_FILE, DISCRIMINATOR_FILE, INT8_FILE, STATE_FILE):
            (target / name).unlink(missing_ok=True)
        shutil.rmtree(target / TEACHER_FOLDER, ignore_errors=True)
    inner = source / QAT_FOLDER
    files = [path for path in source.rglob("*") if path.is_file() and inner not in path.parents]
    # The marker of a finished run comes last, as when it was made.
    for path in sorted(files, key=lambda path: path.name == FINISHED_FILE):
        destination = target / path.relative_to(source)
        destination.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, destination)


def _progress(folder: Path) -> float:
    """Return the steps that a run has behind it; a finished one has more than any other."""
    return float("inf") if (folder / FINISHED_FILE).is_file() else finished_steps(folder)


def _read_parts(folder: Path) -> bytes:
    """Return the archive, every byte checked."""
    parts = [_read_part(path) for path in sorted(folder.glob("animals64-*.part"))]
    if not parts:
        raise UserError(f"no animals64-*.part in {folder}; give the folder that --pack wrote")
    if len({head["archive"] for head, _ in parts}) > 1:
        raise UserError(f"{folder} holds parts of several archives; leave those of the one that is wanted")
    first, contents = parts[0][0], {head["part"]: content for head, content in parts}
    missing = [number for number in range(1, first["parts"] + 1) if number not in contents]
    if missing:
        raise UserError(f"part {missing[0]} of {first['parts']} is missing in {folder}; copy it there")
    archive = b"".join(contents[number] for number in sorted(contents))
    if hashlib.sha256(archive).hexdigest() != first["archive"]:
        raise UserError(f"the parts in {folder} are not what was packed; copy them again")
    return archive


def _read_part(path: Path) -> tuple[dict[str, Any], bytes]:
    line, _, content = path.read_bytes().partition(b"\n")
    try:
        head = json.loads(line)
        intact = (
            hashlib.sha256(content).hexdigest() == head["sha256"] and {"archive", "part", "parts"} <= head.keys()
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        intact, head = False, {}
    if not intact:
        raise UserError(f"{path} was changed or cut off; copy it again")
    return head, content
