"""When two spellings of a name are one person, so that nobody stands on both sides of a fold under two names."""

import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

_told: set[str] = set()
"""What :func:`tell` has said, so that it says it once."""


def canonical(name: str) -> str:
    """A subject's name as it is compared: without blanks around it, and in Unicode's composed form (NFC)."""
    return unicodedata.normalize("NFC", name.strip())


def spelling_notes(names: Iterable[str]) -> list[str]:
    """What to tell the user of the spellings of ``names``.

    Returns:
        A line for each name of which several spellings are taken for one person, and for all names that differ in
        capitals alone, which are taken for several.
    """
    spellings, people = defaultdict(set), defaultdict(set)
    for name in names:
        spellings[canonical(name)].add(name)
        people[canonical(name).casefold()].add(canonical(name))
    notes = [f"subjects {_listed(each)} are taken for one person" for each in spellings.values() if len(each) > 1]
    return notes + [
        f"subjects {_listed(each)} differ in capitals alone, and are taken for different people"
        for each in people.values()
        if len(each) > 1
    ]


def tell(notes: Iterable[str]) -> None:
    """Print notes on the error output, each once in a process."""
    for note in notes:
        if note not in _told:
            _told.add(note)
            print(f"note: {note}", file=sys.stderr)


def _listed(names: Iterable[str]) -> str:
    """Names with all that is not ASCII as numbers, since they may look alike."""
    return ", ".join(map(ascii, sorted(names)))
