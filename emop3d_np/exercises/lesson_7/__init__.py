"""Lesson 7."""

TITLE = "What is done with the gradients"
TEACHES = (
    "A memory of past gradients, looking ahead, steps that fit their noise, decay, and a rate that rises and falls."
)
NAMES = (
    "speed_limits",
    "momentum_step",
    "valley",
    "nesterov_step",
    "adam_step",
    "decoupled_decay",
    "rate_of_step",
    "moving_average",
)
