"""The drawn faces as a picture."""

from pathlib import Path

from .figure import pyplot, save

FRAMES = range(3, 13)
"""The frames that are shown: one after the other, and more than a face takes from rest to rest."""


def draw_faces_sheet(picture: str | Path) -> None:
    """Draw a clip of each emotion, a row each, as README shows them.

    Two emotions that go together are shown by the same person, so that what tells them apart is the frames' order.

    Raises:
        InputError: matplotlib is missing, or the file cannot be written.
    """
    from ..datasets import faces

    plt = pyplot()
    rows = [turn for a, b in faces.PAIRS for turn in ((b, a), (a, b))]
    labels = [faces.EMOTIONS.index(emotion) for _, emotion in rows]
    clips = faces.draw_faces(labels, identities=[row // 2 for row in range(len(rows))])[..., 0]
    figure, axes = plt.subplots(len(rows), len(FRAMES), figsize=(11, 7), layout="constrained")
    for panels, clip, (before, emotion) in zip(axes, clips, rows, strict=True):
        panels[0].set_ylabel(f"{before} to\n{emotion}")
        for panel, frame in zip(panels, FRAMES, strict=True):
            panel.imshow(clip[frame], cmap="gray", vmin=0, vmax=255)
            panel.set(xticks=[], yticks=[])
    for panel, frame in zip(axes[0], FRAMES, strict=True):
        panel.set_title(f"frame {frame + 1}", fontsize="medium")
    save(figure, picture)
