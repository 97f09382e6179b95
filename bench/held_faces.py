"""Write a stand-in for a small set of real faces: single pictures of many people, each held for all frames of a clip.

    python bench/held_faces.py OUT [--seed 1]
    python bench/baselines.py OUT/train --val_path OUT/val
    python run.py --train_path OUT/train --val_path OUT/val --height 48 --width 48 --evaluate_clips 2000 --recipe small

The pictures are drawn, 48 x 48, each at the height of an emotion; people at rest look like others' expressions, heads
are placed loosely, and some expressions are weak.  309 clips of 118 people train, about as many as a published set has,
and 1,236 of 472 others validate, more than one could have of real people, so that settings can be told apart.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from pens_fold import write

from emop3d_np.datasets.clips import ClipSet
from emop3d_np.datasets.faces import DEGREES, EMOTIONS, draw_faces

CLIPS = {"anger": 45, "disgust": 59, "fear": 25, "happiness": 69, "sadness": 28, "surprise": 83}
"""How many clips of each emotion train: those of the Extended Cohn-Kanade set (Lucey et al., CVPRW 2010, table 3)."""
PARTS = {"train": (1, 0, 118), "val": (4, 118, 472)}
"""Times :data:`CLIPS`, the number of the first person, and how many people there are."""
SIDE, FRAMES = 48, 16
TAKE = {
    "period": (1.4, 1.7),
    "phase": (0, 0.06),
    "intensity": (0.4, 1),
    "x": (-2, 2),
    "y": (-2, 2),
    "roll": (-0.08, 0.08),
}
"""What differs from the hard set: the last frame tells the emotion, which may be weaker, and heads are placed worse."""


def held(times, first, people, seed):
    """A ClipSet of pictures, each the last frame of a drawn clip, held for all frames."""
    shares = [CLIPS[emotion] * times for emotion in EMOTIONS]
    labels = np.random.default_rng((seed, first)).permutation(np.repeat(np.arange(len(EMOTIONS)), shares))
    numbers = np.arange(len(labels))
    shown = first + numbers % people
    clips = draw_faces(labels, shown, seed, (FRAMES, 2 * SIDE, 2 * SIDE, 1), takes=numbers, degree="held")
    last = clips[:, -1].reshape(-1, SIDE, 2, SIDE, 2).mean(axis=(2, 4)).round().astype(np.uint8)
    pictures = np.repeat(last[:, np.newaxis, ..., np.newaxis], FRAMES, axis=1)
    index = {"source": numbers, "first_frame": np.zeros_like(numbers), "subject": shown}
    return ClipSet("held pictures", pictures, labels, EMOTIONS, None, index)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=0, help="of the people")
    given = parser.parse_args()
    hard = DEGREES["hard"]
    DEGREES["held"] = replace(hard, take=hard.take | TAKE)
    for part, people in PARTS.items():
        clips = held(*people, given.seed)
        write(Path(given.out) / part, clips, np.arange(len(clips)))
        print(f"{part}: {len(clips)} clips of {people[-1]} people")


if __name__ == "__main__":
    main()
