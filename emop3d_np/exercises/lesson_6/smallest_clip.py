"""The smallest clip

Predict, by going down the pyramid from its end. The default windows are 3 frames by 4 rows by 4 columns with strides
of 1 (`L1WS` and `L5WS`); the pool takes runs of 3 frames and blocks of 2 x 2 (`L3P`), and an odd last row is dropped.
What is the smallest clip of which one unit is left in the maps of `L5WS`?

- `FRAMES`: how many frames it has.
- `ROWS`: how many rows (and columns).
- `ROWS_OF_TWO`: how many rows it takes for *two* rows in the maps of `L5WS`.

The page: [The pyramid](pyramid.md#the-sizes-by-hand).
"""

HINTS = (
    "Go upwards: how many rows must enter `L5WS` for one to come out? How many must enter the pool for that many?",
    "Frames: 1, then 3 before `L5WS`, then 2 more for each of the two layers before it. Rows: 1, then 4 before "
    "`L5WS`, then "
    "twice as many before the pool.",
    "Rows before `L1WS`: 3 more than the 8 that must enter the pool. For two rows after `L5WS` begin with 5.",
)

# --- answer
#: begin
#| FRAMES = None
#| ROWS = None
#| ROWS_OF_TWO = None
FRAMES = 7
ROWS = 11
ROWS_OF_TWO = 13
#: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    judging.number(
        answer,
        "FRAMES",
        7,
        {
            9: "windows of 3 frames overlap; they do not lie side by side",
            5: "three layers take frames away: L1WS, the pool and L5WS",
            10: "a window of 3 takes 2 frames away, not 3",
            6: "then none is left in the end; count the one that is to be left",
        },
    )
    judging.number(
        answer,
        "ROWS",
        11,
        {
            7: "the pool halves the rows: twice as many must enter it as must leave it",
            8: "so many must enter the pool; before it L1WS takes rows away, too",
            10: "after L1WS there are 7 rows, and the pool makes 3 of them; L5WS needs 4",
            14: "a window of 4 takes 3 rows away, not 4",
            12: "the pool drops the last of them; one fewer will do",
        },
    )
    judging.number(
        answer,
        "ROWS_OF_TWO",
        13,
        {
            12: "the pool drops an odd row: it takes two more to have one more after it",
            14: "the pool drops the last of them; one fewer will do",
            22: "two neighbouring units see much the same rows; they are not side by side",
            19: "two neighbouring windows overlap: one row more before L5WS will do",
        },
    )
    return "7 frames, 11 rows (as many as one unit of L5WS sees) and 13"
