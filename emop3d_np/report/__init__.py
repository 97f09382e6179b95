"""Pictures: of a run, of a test, of the drawn faces, of clips as training sees them, of a video's answers.

They need matplotlib, the extra ``plots``.
"""

from .augmented import draw_augmented
from .evaluation import draw_evaluation
from .faces import draw_faces_sheet
from .runs import draw_run
from .timeline import draw_timeline

__all__ = ["draw_augmented", "draw_evaluation", "draw_faces_sheet", "draw_run", "draw_timeline"]
