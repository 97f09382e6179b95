"""How large everything of ``cuda_day.py`` is: on a device, and on the simulator, where it only shows that it works."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A network whose gradients are checked, and its batch."""

    shape: tuple
    maps: int = 3
    classes: int = 6
    batch: int = 2


@dataclass(frozen=True)
class Sizes:
    """
    Attributes:
        cases: what is checked.
        network: settings of the network that is timed, other than the default.
        batch: its clips.
        batches: those of the table of batches.
        copied_bytes: of the buffer whose copy is timed.
        rounds: of additions and multiplications, for each of many threads.
        repeats: of a kernel's time.
        seconds: that one figure is measured for, about.
        steps: that are made twice.
        times: that a figure is taken, one after the other, to see how much it varies.
        peer_steps: that a peer makes in a row.
        peer_rounds: in each of which every peer has its turn.
        small_shape, small_batch: of the step under compute-sanitizer.
        demo: flags of run.py.
    """

    cases: tuple
    network: dict
    batch: int
    batches: tuple
    copied_bytes: int
    rounds: int
    repeats: int
    seconds: float
    steps: int
    times: int
    peer_steps: int
    peer_rounds: int
    small_shape: tuple
    small_batch: int
    demo: tuple


DEVICE = Sizes(
    cases=(
        Case((16, 100, 100, 1)),
        Case((11, 53, 67, 1), maps=2, classes=5, batch=9),
        Case((9, 38, 71, 2), maps=4, classes=3, batch=1),
    ),
    network={},
    batch=100,
    batches=(1, 4, 16, 64, 100, 256, 1024, 4096),
    copied_bytes=2**30,
    rounds=8192,
    repeats=20,
    seconds=0.3,
    steps=1000,
    times=2,
    peer_steps=10,
    peer_rounds=3,
    small_shape=(8, 40, 44, 2),
    small_batch=9,
    demo=("--max_steps", "12"),
)

TINY_SHAPE = (7, 13, 13, 1)

SIMULATOR = Sizes(
    cases=(Case(TINY_SHAPE, maps=1, classes=2, batch=1),),
    network={"input_shape": TINY_SHAPE, "feature_maps": 1, "num_classes": 2},
    batch=1,
    batches=(1,),
    copied_bytes=64,
    rounds=2,
    repeats=1,
    seconds=0,
    steps=2,
    times=1,
    peer_steps=1,
    peer_rounds=1,
    small_shape=TINY_SHAPE,
    small_batch=1,
    demo=(
        *("--max_steps", "1", "--batch_size", "2", "--depth_frames", "7", "--height", "16", "--width", "16"),
        *("--feature_maps", "1", "--num_classes", "6"),
    ),
)

SIZES, LONGER = (SIMULATOR, 10) if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1" else (DEVICE, 1)
"""The sizes here, and how many times as long as on a device things may take."""
