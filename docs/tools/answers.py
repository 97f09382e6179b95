"""Draw README's picture: what a network answers to clips of people that it has never seen.

    python docs/tools/answers.py docs/answers.png

Trains on the drawn faces for less than a minute, then shows the first clip of each emotion among the validation clips,
right or wrong, with the probabilities of its answer, and prints how many of all validation clips are right.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import run
from emop3d_np.datasets import faces
from emop3d_np.report.figure import pyplot, save
from emop3d_np.training.ensemble import Ensemble

FLAGS = (
    "--recipe strong --feature_maps 6 --shrink 2 --rotate 5 --scale 0.05 --shear 0.05 --shift 0,0.03,0.03 "
    "--evaluate_every 10 --save_checkpoint"
)
FRAMES = (2, 5, 8, 11, 14)
RIGHT, OTHER = "#00796b", "#b0bec5"


def trained(folder):
    """The validation clips (n, d, h, w, c), their labels (n,), and the probabilities of the trained network (n, k)."""
    if run.main([*FLAGS.split(), "--save_path", str(folder)]):
        sys.exit(2)
    (of_run,) = Path(folder).iterdir()
    clips, labels, _ = faces.drawn_faces(*faces.VALIDATION_FACES)
    return clips, labels, Ensemble(of_run).probabilities(clips)


def draw(picture, clips, labels, probabilities):
    plt = pyplot()
    names = faces.EMOTIONS
    figure, axes = plt.subplots(
        len(names), len(FRAMES) + 1, figsize=(9, 7.6), layout="constrained", width_ratios=[1] * len(FRAMES) + [2]
    )
    for k, row in enumerate(axes):
        n = int(np.flatnonzero(labels == k)[0])
        for panel, frame in zip(row, FRAMES, strict=False):
            panel.imshow(clips[n, frame, ..., 0], cmap="gray", vmin=0, vmax=255)
            panel.set(xticks=[], yticks=[])
            if not k:
                panel.set_title(f"frame {frame + 1}", fontsize="medium")
        row[0].set_ylabel(names[k])
        bars = row[-1]
        bars.barh(names, probabilities[n], color=[RIGHT if each == k else OTHER for each in range(len(names))])
        bars.set(xlim=(0, 1), xticks=[])
        bars.invert_yaxis()
        bars.tick_params(length=0, labelsize="small")
        for spine in bars.spines.values():
            spine.set_visible(False)
    axes[0, -1].set_title("probability", fontsize="medium")
    save(figure, picture)


def main():
    with tempfile.TemporaryDirectory() as folder:
        clips, labels, probabilities = trained(folder)
    draw(sys.argv[1], clips, labels, probabilities)
    right = int((probabilities.argmax(axis=1) == labels).sum())
    print(f"{right} of {len(clips)} clips right, {100 * right / len(clips):.1f} %")


if __name__ == "__main__":
    main()
