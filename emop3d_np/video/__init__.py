"""From videos to clips to train on (``prepare``), and from a video to its emotions (``predict``)."""
