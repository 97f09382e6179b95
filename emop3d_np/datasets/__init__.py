"""Clips and labels: loading, preprocessing, windows and folds."""
