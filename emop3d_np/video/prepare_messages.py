"""What ``prepare`` says: what it refuses, why a recording gave no clip, and its summary."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from ..datasets.subjects import canonical, spelling_notes
from ..errors import InputError

Row: TypeAlias = dict[str, Any]
"""A row of ``report.csv`` or ``index.csv``, by column."""

DECODER_BROKE_DOWN = "the decoder broke down on it"
"""Why a recording gave no clip: the process that read it died."""

NO_GUARD = (
    "the processes that find faces could not start: each imports the script that calls prepare(), which must be a file "
    "and call it only below the line: if __name__ == '__main__':"
)
"""Why no process came to life."""


def require_clips(depth_frames: int, overlap: int, dtype: str) -> None:
    """Refuse clips that cannot be cut.

    Args:
        depth_frames: frames per clip.
        overlap: frames that neighbouring clips share.
        dtype: of the clips.

    Raises:
        InputError: clips cannot share so many frames, or the type is neither uint8 nor float32.
    """
    if not 0 <= overlap < depth_frames:
        raise InputError(f"--overlap is {overlap}; clips of {depth_frames} frames can share 0 to {depth_frames - 1}")
    if dtype not in ("uint8", "float32"):
        raise InputError(f"--dtype is {dtype!r}; it must be uint8 or float32")


def cannot_be_written(out: Path, error: OSError) -> InputError:
    """The error for a folder that could not be written to."""
    return InputError(f"{out}: cannot be written: {error.strerror or error}")


def no_clip_at_all(rows: Sequence[Row], out: Path) -> InputError:
    """The error where all ``rows`` of the report are of recordings that gave no clip."""
    reasons = "; ".join(f"{row['video']}: {row['skipped']}" for row in rows[:3])
    return InputError(f"none of {len(rows)} recordings gave a clip ({reasons}); see {out / 'report.csv'}")


def why_no_clip(result: Row, depth: int) -> str:
    """Why a recording, as its face's description tells of it, gave no clip of ``depth`` frames."""
    longest = max((count for _, count in result["runs"]), default=0)
    if not result["frames"]:
        return "no frame lies between its start and end"
    if not longest:
        return f"no face in any of its {result['frames']} frames"
    return f"too short: a clip needs {depth} frames, the longest run with a face has {longest}"


def summary(rows: Sequence[Row], out: str | Path) -> str:
    """The report in words: what became clips, what was lost, what was skipped and why.

    Args:
        rows: as :func:`prepare` returns them.
        out: folder that they were written to.
    """
    used = [row for row in rows if row["clips"]]
    skipped = [row for row in rows if not row["clips"]]
    noted = [row for row in used if row["notes"]]
    frames, lost = (sum(row[name] for row in used) for name in ("frames", "lost"))
    lines = [
        f"{sum(row['clips'] for row in used)} clips of {len(used)} recordings, "
        f"{len({canonical(row['subject']) for row in used})} subjects, in {out}",
        f"frames without a face: {lost} of {frames}, {100 * lost / frames:.1f} %",
    ]
    width = max(len(row["label"]) for row in used)
    for label in sorted({row["label"] for row in used}):
        of_label = [row for row in used if row["label"] == label]
        lines.append(
            f"  {label:<{width}}  {sum(row['clips'] for row in of_label):>6} clips, {len(of_label)} recordings"
        )
    lines += [f"note: {note}" for note in spelling_notes({row["subject"] for row in used})]
    worst = sorted((row for row in used if row["lost"]), key=lambda row: -float(row["lost_share"]))
    lines += [f"lost {100 * float(row['lost_share']):.1f} %: {row['video']}" for row in worst[:5]]
    lines += [f"note: {row['video']}: {row['notes']}" for row in noted]
    lines += [f"skipped: {row['video']}: {row['skipped']}" for row in skipped]
    lines.append(f"{len(noted) + len(skipped)} warnings; every recording stands in {Path(out) / 'report.csv'}")
    return "\n".join(lines)
