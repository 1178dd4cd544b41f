import dataclasses

import pytest
import torch
import torch.distributed

from train.distributed import World, distributed_world
from train.errors import UserError

VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@pytest.fixture(autouse=True)
def _outside_torchrun(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def without_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def with_gpus(monkeypatch, count):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)


def test_a_single_process_has_no_process_group(monkeypatch):
    without_gpu(monkeypatch)
    with distributed_world("auto") as world:
        assert world == World(0, 1, torch.device("cpu"))
        assert world.is_main
        assert not torch.distributed.is_initialized()
        world.barrier()


def test_a_world_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        World(0, 1, torch.device("cpu")).rank = 1  # pyright: ignore[reportAttributeAccessIssue]


def test_only_rank_0_is_main():
    assert not World(1, 2, torch.device("cpu")).is_main


def test_a_group_is_left_even_after_an_error(monkeypatch):
    calls = []
    monkeypatch.setattr(
        torch.distributed, "init_process_group", lambda *a, **k: calls.append((a[0], k["device_id"]))
    )
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: calls.append("left"))
    for name, value in zip(VARIABLES, ("1", "1", "2", "localhost", "1234"), strict=True):
        monkeypatch.setenv(name, value)
    with pytest.raises(KeyError), distributed_world("cpu"):
        raise KeyError
    assert calls == [("gloo", None), "left"]
    with_gpus(monkeypatch, 2)
    with distributed_world("auto") as world:
        assert world == World(1, 2, torch.device("cuda", 1))
    assert calls[2:] == [("nccl", torch.device("cuda", 1)), "left"]


def test_a_barrier_whose_fellow_died_says_so_in_one_line(monkeypatch):
    def barrier():
        raise RuntimeError("Connection closed by peer\n[127.0.0.1]:1234")

    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "barrier", barrier)
    with pytest.raises(UserError, match="process 0 of 2 stops because another one did; see that one's message"):
        World(0, 2, torch.device("cpu")).barrier()


def test_what_the_main_process_makes_is_told_to_all_and_made_once(monkeypatch):
    sent = []

    def broadcast(box, src):
        sent.append((box[0], src))
        box[0] = {4: 1}

    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "broadcast_object_list", broadcast)
    cpu = torch.device("cpu")
    assert World(0, 2, cpu).told_by_main(lambda: {4: 1}) == {4: 1}
    assert World(1, 2, cpu).told_by_main(lambda: pytest.fail("made again")) == {4: 1}
    assert sent == [({4: 1}, 0), (None, 0)]
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: False)
    assert World(0, 1, cpu).told_by_main(lambda: 5) == 5


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("gpu", "unknown device 'gpu'; give auto, cpu, cuda"),
        ("meta", "unsupported device 'meta'"),
        ("cuda", "device 'cuda' needs a GPU, and PyTorch finds none; give auto or cpu"),
    ],
)
def test_devices_that_are_not_there(monkeypatch, device, message):
    without_gpu(monkeypatch)
    with pytest.raises(UserError, match=message), distributed_world(device):
        pass


@pytest.mark.parametrize(
    ("device", "local_rank", "message"),
    [
        ("auto", "2", r"no cuda:2, only 2 GPU\(s\) here; start torchrun with --nproc-per-node 2"),
        ("cuda:1", "0", "device 'cuda:1' is one device for 3 processes; give auto, cuda or cpu"),
    ],
)
def test_more_processes_than_gpus(monkeypatch, device, local_rank, message):
    with_gpus(monkeypatch, 2)
    for name, value in zip(VARIABLES, (local_rank, local_rank, "3", "localhost", "1234"), strict=True):
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=message), distributed_world(device):
        pass


def test_a_gpu_by_number(monkeypatch):
    with_gpus(monkeypatch, 2)
    with distributed_world("cuda:1") as world:
        assert world.device == torch.device("cuda", 1)
    with pytest.raises(UserError, match=r"no cuda:5, only 2 GPU\(s\) here"), distributed_world("cuda:5"):
        pass


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE is 2 but RANK is not set; start with torchrun"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE is 'two', no number"),
        ({"WORLD_SIZE": "2", "RANK": "2"}, "RANK=2, LOCAL_RANK=0 and WORLD_SIZE=2 do not fit together"),
        ({"WORLD_SIZE": "0"}, "do not fit together"),
    ],
)
def test_incomplete_variables(monkeypatch, variables, message):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=message), distributed_world("cpu"):
        pass
