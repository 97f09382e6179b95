"""What a training is made of beside the loop in run.py, from its settings to its end; and folds, and sweeps."""
