"""Write a network's last maps, which its dense layer is given, for other classifiers (3DPyraNet-F)."""

import argparse

from ..errors import InputError
from .shared_arguments import add_clips

EXAMPLE = "features train_dir/20261126-120000 clips features --classify other_clips"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The network, the clips, the folder, a linear classifier."""
    add = parser.add_argument
    add("checkpoint", metavar="RUN", help="folder of a run (its best network, where it has one), or a checkpoint")
    add_clips(parser, part="train", metavar="DATA")
    add(
        "out",
        metavar="OUT",
        help="folder for features.npy (n, p), standardised as the dense layer is given them, labels.npy, classes.txt, "
        "and groups.npy where the data say who is seen",
    )
    add(
        "--classify",
        metavar="VAL",
        help="also train ridge regression on the features, and judge it and the network on these other clips (of a "
        "MedMNIST set the validation split)",
    )
    add("--classify_labels", metavar="LABELS", help="their labels, where VAL is an .npy or a folder of parts")


def run(given: argparse.Namespace) -> None:
    """Write the files, and say which."""
    from ..training.features import classify, write_features
    from ..training.metrics import in_words

    if given.classify_labels and not given.classify:
        raise InputError(f"--classify_labels {given.classify_labels}: --classify, the clips they belong to, is missing")
    clips, written = write_features(given.checkpoint, given.clips, given.out, given.labels, given.part)
    print(f"{given.clips}, {len(clips)} clips: written: {', '.join(map(str, written))}")
    if given.classify:
        found = classify(given.checkpoint, clips, written[0], given.classify, given.classify_labels)
        print(f"{given.classify}, {found['clips']} clips:")
        print(f"  the network: {in_words(found['network'])}")
        print(f"  ridge regression on its features: {in_words(found['linear'])} (penalty {found['penalty']:g})")
