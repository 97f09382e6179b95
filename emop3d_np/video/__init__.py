"""From videos to clips, and from a video to an answer: decoding, faces, layouts of collections, both commands."""
