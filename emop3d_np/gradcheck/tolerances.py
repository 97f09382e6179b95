"""Every number that decides whether a gradient is right, each with its reason.

How much is looked at in the given time is decided in :mod:`.effort`; here is what is then called right.  A *last place*
is the distance between neighbouring numbers, relative to their size: 2.2e-16 in float64, 1.2e-7 in float32.
"""

import numpy as np

DOUBLE = float(np.finfo(np.float64).eps)
"""Last place of float64."""
SINGLE = float(np.finfo(np.float32).eps)
"""Last place of float32."""

# --- What a right gradient may be off by.  All of it adds up: the relative part, last places of the largest gradient,
# --- the rounding of the inputs, and the error of the numeric side.

FLOAT64_RTOL = 1e-9
"""Relative error of float64 gradients, unless ``check`` is given an ``rtol``: well above the rounding of long sums,
well below the smallest mistake one makes in a formula."""
COARSE_RTOL_ULPS = 2
"""Relative error of gradients in coarser numbers than float64: GRADIENT_ULPS, and so many last places times the root of
the number of outputs, as the rounding of that many terms adds up."""
GRADIENT_ULPS = 64
"""Last places of the largest gradient of an input that every gradient of it may be off by: sums cancel."""
COARSE_GRADIENT_ULPS = 4
"""In half precision 64 last places would be a sixteenth of the value; there the root of one over the last place,
divided by this, takes their place: 8."""
OUTPUT_ULPS = 4
"""Last places of the outputs that an element moves, taken for rounding of its gradient: where a function levels off,
its gradient is a difference of terms such as 1 - y^2, each as large as the output.  A unit of the input counts as the
length over which it levels off, ..."""
LONGEST = 1e4
"""... or the input over this, if that is longer."""
NUMERIC_ERRORS = 3
"""So many times the bound of the numeric slope's error is allowed: the bound is an estimate."""
GLANCE_ERRORS = 2
"""The same for a first look at an element; one that fails it is only looked at again."""
GLANCE_SHARE = 1e-5
"""A first look settles that an element is right only if the numeric error is below this share of the slope: else a
wrong gradient might hide in it."""

UNEVEN_FACTOR, FINE_GRADIENT = 1.1, 2.0**-30
"""Multiplied by this, which is no power of two, an incoming gradient has the gradient of float64 within this part of
the largest; where it has not, backward computes in coarser numbers."""

# --- The rounding of the inputs: what one last place of them changes in the gradient is measured by nudging them.

INPUT_NUDGES = 4
"""Times that all inputs are nudged to measure it."""
SPREAD_LIMIT = 4
"""The change counts up to the largest gradient times so many roots of a last place: beyond that the nudged inputs lie
on the other side of a kink, and say nothing about rounding."""
SPREAD_OF_ELEMENT = 16
"""So many times the measured change is allowed for one element: the largest of many is met, the usual one measured."""
SPREAD_OF_ROOT, SPREAD_OF_SUM = 8, 4
"""For a direction: times the root of the sum of squares over its elements, for errors that are independent, or times
the plain sum, for errors with one cause and one sign; the larger of the two."""
SPREAD_OF_ANSWER = 8
"""So many times the measured change is allowed for each answer in the test of linearity, and each element of a tie."""

# --- Rules

REPEAT_ULPS = 1e3
"""Two calls of forward that differ by no more last places of the largest output are taken for rounding, as of threads
that add in any order; more, and forward is random."""
DISTURBANCE = 2.0**-3
"""Part of themselves that inputs move by in the call between two equal questions."""
LINEAR_FACTOR = 4096
"""The incoming gradient is multiplied and divided by this power of two: exact, and far from the usual size."""
OVERFLOW_SHARE = 2.0**-6
"""The factor is smaller where a gradient times it would exceed this share of the largest number."""
SMALLEST_NORMALS = 1e4
"""A multiple of the smallest normal number below which numbers have lost too many places to be linear."""
MOSTLY_UNMOVABLE = 0.5
"""An input is called unmovable if this share of its judged elements, and one more, cannot be moved."""

# --- Which numbers forward computes in

SAME_FUNCTION = 1e-2
"""Given float64 instead of coarser inputs, forward's outputs may change by this part of the largest and it is still
taken to be the same function."""
LEAST_OUTPUT = 1e-30
"""The largest output is taken to be at least this."""
FINE_MOVE, PLAIN_MOVE = 2.0**-38, 2.0**-20
"""Arithmetic in float64 answers a move by the first of these as it answers one by the second; that in float32 rounds
the first away, or makes steps of it."""
MOVE_NOISE = 8
"""Last places of float64, of all outputs together, that the answer to a move may be off by."""
MOVE_FACTOR = 64
"""Answers to the two moves whose ratio is off by more than this factor are not those of one arithmetic."""
NOISE_POWER = 0.57
"""Inputs are moved in equal steps of the last place to this power, 2^-30 in float64, to measure how forward rounds:
their third differences hold no slope nor curvature any more, only rounding."""
COARSER_STEPS = 2.0**10
"""The same with steps so many times as long: a factor such as 1 - exp(-x^2) stands still for short ones."""
NOISE_POINTS = 7
"""Values in a row, to each side."""
NOISE_GROWTH = 1.2
"""Fourth differences of rounding are at least so many times the third; those of a smooth function are less."""
NOISE_SPREAD = 2
"""Standard deviations of rounding that count as its size."""
LARGEST_NOISE = 1e-3
"""Rounding of more than this part of an output is not inferred from other outputs."""

# --- Steps, all relative to the size of what is moved

FIRST_POWER, STEP_POWER, LAST_POWER = 2, 3, 6
"""Powers of two: steps begin at 2^-2, shrink by a factor of 2^3, and end where 2^6 last places are reached."""
FEWEST_STEPS = 3
"""So many steps are taken even where half precision has not the places for them: one alone tells no slope's error."""
TIE_POWER = 1.5
"""Values that tie when rounded to float32 lie up to a rounding apart; steps in float64 stay above the last place of the
coarser numbers to this power, so as not to look between them."""
START_POWER = 1 / 3
"""One difference is taken at about this power of the last place, where rounding and curvature balance."""
GLANCES = (1, 64, 512)
"""Steps of a first look at an element, as multiples of that one: larger ones where rounding hides a small slope."""
SMALL_VALUE_POWER, MOST_MORE_STEPS = 15, 60
"""An element below 2^-15 of the size of its array gets steps of its own size too, at most so many more."""
KINK_STEP = -3
"""Which of the steps tells the slopes at the two sides of a kink: a small one, not the smallest."""

# --- Slopes by differences

DIFFERENCE_NOISE = 4
"""Rounding of a difference, in units of the rounding of one value."""
DIRECTION_NOISE = 3
"""Standard deviations of the outputs' rounding, taken together, that a slope along a direction may be off by."""
STILL_ULPS = 4
"""An output that stands still while others move is rounded to this many last places of the largest output, as is a sum
with something large."""
TICK_ULPS = 64
"""A function that is straight at one step and bent at the next longer one by no more than so many last places of its
outputs, or of what is moved, has ticked over by a rounding."""
TICK_ORDER = 3
"""Bends of a smooth function grow with the step to a smaller power than this."""
CURVATURE = 4
"""Error of a difference by curvature, in units of the second difference: of what the changes up and down add up to."""
EXTRAPOLATIONS = 3
"""Orders of Richardson's extrapolation that are tried, the plain difference among them."""
FINEST_STEPS = 4
"""So many of the smallest steps show how an output is rounded."""
STEADY_BEND = 0.05
"""Bends at the smallest steps that differ by no more than this share are those of a jump, not of rounding."""
KINK_ERRORS, KINK_SHARE = 3, 1e-7
"""One-sided slopes make a kink if they lie further apart than this many of their errors, and than this share of their
sizes."""
JUMP_NOISE, JUMP_SHARE = 64, 1e-9
"""A jump is higher than this many roundings, and than this share of the slope beside it."""
JUMP_STEADY = 0.25
"""A jump has the same height at two steps, within this share."""
BENT_SHARE, BENT_NOISE = 1e-3, 4
"""The two sides of one step differ by curvature alone up to this share of the slopes, and this many times the rounding;
beyond, there may be a kink, and all steps are taken."""
SAME_SLOPE = 1e-6
"""Two numeric slopes of one thing, or a slope and the sum of its parts, agree within this share of their sizes."""
SLOPE_NOISE = 16
"""Added to SAME_SLOPE where the slopes are differences by one step: so many roundings of one value, over the step."""
SLOPE_ERRORS = 8
"""Added to SAME_SLOPE where the slopes come with bounds: so many of these.  Elements whose slopes differ by more from
that of both together are tied."""
GROWN_STEPS = 4
"""Where rounding hides a slope even at the longest step, so many longer ones are tried at a time, up to a part of 1."""
TINY = 2.0**-20
"""Where an output stands still though values smaller than this are moved, longer steps are tried, too."""
DIVERGING = 1.03, 7.5
"""A slope that grows by such factors from step to step, at the finest ones, is not finite; a jump's grows by 8."""
UNDECIDED_SHARE, UNDECIDED_NOISE = 0.1, 16
"""A slope is not decided if its error is beyond this share of it, and beyond so many roundings over the step."""
DIRECTION_SHARE, LARGE_SHARE = 1e-7, 1e-4
"""A single step settles that a direction is right if its error is below this share of the slope, and below the second
where it is a slope of so many outputs that some always are at a kink.  One missing element of 10^7 is 3e-4."""

# --- The complex step

COMPLEX_STEP = 1e-30
"""So small that its square vanishes beside any number."""
COMPLEX_LEFT = 1e-20
"""Share of the largest gradient: an imaginary part of no more is what a complex step left behind in a layer."""
COMPLEX_REAL = 1e-9
"""The real parts of the outputs must be what they are without it, within this part of the largest."""
COMPLEX_MEDIAN = 1e-7
"""Beside SAME_SLOPE of its own size: share of the usual slope by which differences and the complex step may part."""
COMPLEX_OUTPUTS = 0.9
"""Share of the outputs at which they must agree: a kink or strong curvature parts some, an absolute value or a cast
parts most."""
COMPLEX_ERROR = 1e-13
"""Relative error of a complex step's slope, once confirmed."""

# --- A second look at what was found wrong

NEARLY = 1e-5
"""Gradients that are off by no more than this part of themselves may be right, and forward not exact."""
JUMP_REACH, JUMP_POINTS, JUMP_ORDER, JUMP_HALVINGS = 0.125, 65, 6, 36
"""Jumps of forward are looked for this far to both sides, relative to the inputs' values, among so many points, by
differences of this order; the interval with the largest is halved so often."""
BESIDE = 1e-3
"""How far beside a kink the whole check is done once more, relative to the inputs' sizes."""
AROUND_POWER, SAMPLES_BESIDE = 0.57, 16
"""Gradients around a point are taken at so many others, moved by the last place to this power."""
AROUND_SLACK, AROUND_WIDTH = 1e-6, 1.5
"""On a kink a gradient may be off the middle of those around it by so many times half of what they span, of which few
samples see a part only, and by this share of the largest.  Gradients that span less do not jump."""

# --- What is likely wrong, in words: a mistake is named where it gives what backward gives

CAUSE_RTOL, CAUSE_ULPS = 1e-7, 64
"""Two gradients are the same within this part of the largest, or so many last places of the coarsest numbers."""
CAUSE_LEAVES = 1e-2
"""What is named must explain the error but for this part: a small mistake is not explained by what is nearly right."""
CAUSE_SLOPE_ERROR = 1e-8
"""Slopes whose error is above this part of the largest are taken by all steps."""
CAUSE_FACTOR = 1e-6
"""A factor is taken for a number within this share."""
CAUSE_ZERO = 1e-9
"""A slope below this part of the largest is none."""
CAUSE_LEAST, CAUSE_GROUP = 3, 3
"""Fewer elements, or elements in a group, agree with anything."""
CAUSE_PLAIN = 4
"""Roots of numbers up to this, and n over n - 1, are factors like 2 that anything may have."""
CAUSE_OF_EPSILON = 1e-2
"""What an epsilon beside a variance may change, relative to the whole."""
CAUSE_DIRECTIONS = 6
"""Random directions along which a gradient at another point must be right."""

# --- A port's vectors beside ours, relative to the largest value of an array

PORT_RTOL = {8: 1e-8, 4: 2e-3, 2: 5e-2}
"""Allowed difference by the size of the port's numbers, in bytes: rounding grows through six layers."""
PORT_LEAST = 1e-12
"""Arrays whose largest value is below this are compared as if it were this."""
PORT_FACTOR = 1e-6
"""A factor between a port's values and ours is recognised within this share."""
PORT_PLACE = 1e-6
"""A value further off than this part of the largest counts as wrong when wrong places are described."""
PORT_FEW = 0.5
"""Below this share of wrong values, the mistake is one of places, not of the operation."""
