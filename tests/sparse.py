"""Sets of clips that are large, and take no place on the disk."""

import numpy as np

from emop3d_np.datasets import parts


def prepared_sparse(folder, count, per_file, shape):
    """A prepared folder of so many clips, which are black and take no place on the disk; a thousand of each person."""
    (folder / "Training").mkdir(parents=True)
    for number in range(count // per_file):
        with open(folder / "Training" / parts.part_name(number), "wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (per_file, *shape)}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + per_file * int(np.prod(shape)))
    parts.index(folder / "Training")
    np.save(folder / "labels.npy", np.arange(count) % 3)
    (folder / "classes.txt").write_text("a\nb\nc\n")
    with open(folder / "index.csv", "w") as file:
        file.write("clip,source,first_frame,subject,label\n")
        for clip in range(count):
            file.write(f"{clip},year/{clip // 10_000}/session/{clip // 10}.mp4,0,person {clip // 1000},{clip % 3}\n")
    return folder
