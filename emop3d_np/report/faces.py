"""The drawn faces as a picture."""

from pathlib import Path

import numpy as np

from .figure import pyplot, save


def draw_faces_sheet(picture: str | Path) -> None:
    """Draw six of the drawn people, one per emotion, at five moments of their clips, as README shows them.

    Raises:
        InputError: matplotlib is missing, or the file cannot be written.
    """
    from ..datasets import faces

    plt = pyplot()
    people = range(len(faces.EMOTIONS))
    clips = faces.draw_faces(labels=people, identities=people)[..., 0]
    moments = np.linspace(0, clips.shape[1] - 1, 5).round().astype(int)
    figure, axes = plt.subplots(len(moments), len(people), figsize=(9, 7.8), layout="constrained")
    for column, (clip, emotion) in enumerate(zip(clips, faces.EMOTIONS, strict=True)):
        for row, moment in enumerate(moments):
            axes[row, column].imshow(clip[moment], cmap="gray", vmin=0, vmax=255)
            axes[row, column].set(xticks=[], yticks=[])
        axes[0, column].set_title(emotion)
    for row, moment in enumerate(moments):
        axes[row, 0].set_ylabel(f"frame {moment + 1}")
    save(figure, picture)
