"""What a training is made of beside the loop in run.py: settings, runs, evaluation, folds, sweeps."""
