"""Exercises: a course of eight lessons, whose answers are judged, and the mistakes in them named.

from emop3d_np import exercises
print(exercises.find("chain_of_two").task)
verdict = exercises.check("chain_of_two", text_of_my_file)
print(verdict.right, verdict.words)

An exercise is a file of ``lesson_1`` to ``lesson_8``; ``course.py`` says how it is written and reads it, ``running.py``
runs what a student wrote, ``judging.py`` holds what the judges of all exercises share.  NumPy is all that they need.
"""

from .course import Exercise, Lesson, all_of, find, lessons
from .running import Verdict, check

__all__ = ["Exercise", "Lesson", "Verdict", "all_of", "check", "find", "lessons"]
