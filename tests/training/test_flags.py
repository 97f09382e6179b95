"""The flags: how they are read, what they stand for, where they are shown."""

from pathlib import Path

import pytest

import run
from emop3d_np.training import flags

ROOT = Path(__file__).resolve().parents[2]


def test_booleans_and_lists():
    given = flags.parse(
        ["--use_nesterov", "--normalize", "False", "--save_checkpoint=yes", "--test_milestones", "1,2.5"]
    )
    assert given == {"use_nesterov": True, "normalize": False, "save_checkpoint": True, "test_milestones": [1, 2.5]}
    assert flags.merge(given).normalize is False
    assert flags.parse(["--weight_decay", "None"]) == {"weight_decay": None}


def test_recipes_are_flags_that_given_ones_override():
    assert flags.merge({"recipe": "original"}) == flags.merge() == flags.Settings(**flags.defaults())
    for name, text in flags.RECIPES.items():
        recipe = flags.parse(text.split())
        assert vars(flags.merge({"recipe": name})) == flags.defaults() | recipe | {"recipe": name}
        assert not recipe.keys() - set(flags.VARIED), "a recipe says nothing of data, folders and machines"
    (first, *_) = strong = flags.parse(flags.RECIPES["strong"].split())
    own = {name: flags.defaults()[name] for name in (first, "seed")}
    for layers in ([{"recipe": "strong"}, own], [own | {"recipe": "strong"}], [own, {"recipe": "strong"}]):
        assert vars(flags.merge(*layers)) == flags.defaults() | strong | own | {"recipe": "strong"}
    assert flags.merge({"recipe": "of another version"}).feature_maps == flags.defaults()["feature_maps"]


def test_the_original_flags_keep_their_defaults():
    expected = {
        "evaluate_every": 1,
        "test_milestones": [15, 25, 50],
        "save_checkpoint": False,
        "checkpoint_name": "3dpyranet.ckpt",
        "train_path": None,
        "train_labels_path": None,
        "val_path": None,
        "val_labels_path": None,
        "save_path": "train_dir",
        "batch_size": 100,
        "depth_frames": 16,
        "height": 100,
        "width": 100,
        "in_channels": 1,
        "num_classes": 6,
        "feature_maps": 3,
        "learning_rate": 0.00015,
        "decay_steps": 15,
        "decay_rate": 0.1,
        "max_steps": 50,
        "weight_decay": None,
        "optimizer": "MOMENTUM",
        "use_nesterov": False,
        "normalize": True,
    }
    assert expected.items() <= flags.defaults().items()


def test_help_lists_every_flag(capsys):
    with pytest.raises(SystemExit) as end:
        run.main(["--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert all(f"--{name} " in out for name in flags.defaults())


def test_the_page_of_flags_holds_their_table():
    page = ROOT / "docs" / "reference" / "flags.md"
    assert flags.markdown() in page.read_text(), f"{page} is behind: run `make pages`"
