"""Train EmoP3D: ``python run.py [--flag value ...]``; ``python run.py --help`` lists the flags.

The settings, the data, one straight loop; everything it calls is in ``emop3d_np``.
"""

import sys
import time
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from emop3d_np.errors import InputError, exit_code
from emop3d_np.training import settings as flags


def train(given):
    import numpy as np
    from tqdm import tqdm

    from emop3d_np import datasets
    from emop3d_np.training import checkpoint, runs
    from emop3d_np.training.metrics import Tally

    # --- Settings: the flags given, over those of the resumed run, over the defaults.
    resumed = None
    if given.get("resume"):
        path = Path(given["resume"])
        path = path / given.get("checkpoint_name", flags.defaults()["checkpoint_name"]) if path.is_dir() else path
        resumed = checkpoint.load(path)
    settings = flags.merge(resumed.settings if resumed else {}, given)
    runs.use_threads(settings.threads)
    print(flags.table(settings))

    # --- Network and data.
    net = runs.build_network(settings)
    print(runs.layer_table(net))
    training, validation = datasets.load_sets(settings)
    runs.require_batch(settings, training)
    print(f"training on {training.name}, {len(training)} clips", end="")
    print(f"; validating on {validation.name}, {len(validation)} clips" if validation else "; no validation set")
    if settings.check_values:
        for clips in filter(None, (training, validation)):
            clips.check_finite(partial(tqdm, desc=f"checking {clips.name}", unit="clip"))

    # --- The schedule, in steps.
    steps_per_epoch = len(training) // settings.batch_size
    last_step = max(1, round(settings.max_steps * steps_per_epoch))
    evaluate_every = max(1, round(settings.evaluate_every * steps_per_epoch))
    milestones = {max(1, round(epoch * steps_per_epoch)) for epoch in settings.test_milestones or []} | {last_step}
    optimizer = runs.build_optimizer(settings, steps_per_epoch)
    tally, patience = Tally(), runs.Patience(settings.patience)
    if settings.patience and not validation:
        raise InputError(f"--patience {settings.patience} needs a validation set: give --val_path, --val_labels_path")

    # --- Where the run was, if it is resumed.
    if resumed:
        runs.restore(resumed, net, optimizer, tally, patience, len(training))
        run = runs.RunFolder(path.parent, path.name)
        run.rewind(optimizer.step)
        print(f"resumed {path} at step {optimizer.step}")
        if optimizer.step >= last_step or patience.over:
            print(f"nothing is left to do: the run ends at step {last_step}; --max_steps makes it longer")
            return 0
    else:
        name = f"fold-{settings.fold:02}" if settings.folds else None
        run = runs.RunFolder.create(settings.save_path, settings.checkpoint_name, name)
    run.write_settings(settings)
    print(f"the run's folder: {run.path}")

    print("compiling the kernels: up to a minute the first time, read from disk the next", flush=True)
    started = time.perf_counter()
    augmentation = datasets.Augmentation.of(settings)
    runs.compile_kernels(net, training, augmentation, partial(tqdm, desc="compiling", unit="kernel", leave=False))
    print(f"kernels ready after {time.perf_counter() - started:.1f} s")

    def save(path=None):
        run.save(runs.snapshot(settings, net, optimizer, tally, patience, len(training), steps_per_epoch), path)

    @contextmanager
    def training_kept():
        """Data that turns out to be bad ends the run, but not without saving what was trained."""
        try:
            yield
        except InputError as error:
            save()
            raise InputError(f"{error}; {run.words_to_resume()}") from None

    # --- The loop.
    first_only = settings.overfit_one_batch
    order = (
        datasets.batch_indices(len(training), settings.batch_size, settings.seed, 0 if first_only else step)
        for step in range(optimizer.step, last_step)
    )
    changes = (partial(augmentation.apply, step=step) for step in range(optimizer.step, last_step) if augmentation)
    batches = training.batches(order, net.kernels, net.dtype, settings.normalize, changes)
    decay, gradients, validated = settings.weight_decay or 0.0, None, {}
    started = time.perf_counter()
    with (
        closing(batches),
        runs.Interrupt() as interrupt,
        np.errstate(over="ignore", invalid="ignore"),  # require_finite says it better
        tqdm(total=last_step, initial=optimizer.step, desc="training", unit="step", dynamic_ncols=True) as bar,
    ):
        while optimizer.step < last_step and not interrupt.requested:
            with training_kept():
                x, labels = next(batches)
            rate = optimizer.rate
            loss, gradients, logits = net.training_pass(x, labels, decay, gradients=gradients)
            runs.require_finite(net, x, loss, gradients, optimizer.step + 1, run)
            optimizer.update(net.parameters, gradients)
            tally.add(loss, logits, labels)
            step = optimizer.step
            epoch = step / steps_per_epoch
            bar.update()
            bar.set_postfix(loss=f"{tally.loss:.3f}", accuracy=f"{100 * tally.accuracy:.1f}%", **validated)

            if step % evaluate_every == 0 or step == last_step:
                row = {"step": step, "epoch": epoch, "learning_rate": rate, "seconds": time.perf_counter() - started}
                row |= {"train_loss": tally.loss, "train_accuracy": tally.accuracy}
                line = f"epoch {epoch:6.2f}  training loss {tally.loss:.4f} accuracy {100 * tally.accuracy:5.1f} %"
                if validation:
                    with training_kept():
                        result = runs.evaluate(net, validation, settings, settings.evaluate_clips)
                    row |= {"val_loss": result.loss, "val_accuracy": result.accuracy}
                    line += f"  validation loss {result.loss:.4f} accuracy {100 * result.accuracy:5.1f} %"
                    validated = {"validation": f"{100 * result.accuracy:.1f}%"}
                run.append("history.jsonl", row)
                tqdm.write(line)
                tally = Tally()
                if validation and patience.improved(result.loss) and settings.patience:
                    save(run.best)
                if settings.save_checkpoint:
                    save()
                if patience.over:
                    tqdm.write(f"no lower validation loss for {patience.waited} evaluations; the best is in {run.best}")
                    last_step = step
                    milestones.add(step)

            if validation and step in milestones:
                with training_kept():
                    result = runs.evaluate(net, validation, settings)
                run.append("tests.jsonl", {"step": step, "epoch": epoch, **result.as_dict()})
                tqdm.write(f"test after {epoch:g} epochs, {result.clips} clips:\n{result}")
                tqdm.write(f"validation accuracy {100 * result.accuracy:.1f} %")
        stopped = interrupt.requested and optimizer.step < last_step
        if stopped:
            save()

    if stopped:
        print(f"stopped at step {optimizer.step} of {last_step}; {run.words_to_resume()}")
        return 130
    print(f"done; results are in {run.path}")
    return 0


def run(arguments):
    given = flags.parse(arguments)
    if given.get("folds") or given.get("fold") or given.get("fold_jobs", 1) > 1:
        from emop3d_np.training.crossvalidation import cross_validate

        return cross_validate(train, given)
    return train(given)


def main(arguments=None):
    """Run, and turn what can go wrong into one line and exit code 2 (130 after Ctrl-C)."""
    return exit_code("run.py", lambda: run(sys.argv[1:] if arguments is None else arguments), "lower --batch_size")


if __name__ == "__main__":
    sys.exit(main())
