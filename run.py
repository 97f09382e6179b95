"""Train EmoP3D: ``python run.py [--flag value ...]``; ``python run.py --help`` lists the flags.

The settings, the data, one straight loop; everything it calls is in ``emop3d_np``.
"""

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

from emop3d_np import launchers
from emop3d_np.children import end_with_stdin
from emop3d_np.errors import InputError, exit_code
from emop3d_np.training import flags


def train(given: dict[str, Any]) -> int:
    """Train one run with the settings ``given``, by name; returns the exit code: 0, or 130 after Ctrl-C."""
    with ExitStack() as held:  # the run's folder, which nobody else may write to until then
        return _train(given, held)


# Long: a training is read here from top to bottom in one sitting, which its user asked for.
def _train(given: dict[str, Any], held: ExitStack) -> int:
    import numpy as np
    from tqdm import tqdm

    from emop3d_np import datasets
    from emop3d_np.locks import only_writer
    from emop3d_np.optimizers import MovingAverage
    from emop3d_np.training import building, checkpoint, ranks, resuming, stopping
    from emop3d_np.training.evaluation import evaluate_network
    from emop3d_np.training.metrics import Tally, in_words
    from emop3d_np.training.runs import FollowedRun, RunFolder

    # --- Settings: the flags given, over those of the resumed run, over the recipe's, over the defaults.
    here = ranks.here()  # among the processes that train this one network, where mpiexec started several
    resumed = None
    if given.get("resume"):
        path = Path(given["resume"])
        path = path / given.get("checkpoint_name", flags.defaults()["checkpoint_name"]) if path.is_dir() else path
        resumed = here.first_says(partial(checkpoint.load, path))
    settings = resuming.merge_resumed(resumed, given) if resumed else flags.merge(given)
    building.use_machine(settings)
    print(flags.table(settings))

    # --- Network and data.
    net = building.build_network(settings)
    averaged = building.build_network(settings) if settings.average else None
    print(building.layer_table(net))
    training, validation = datasets.load_sets(settings)
    share = here.share(settings.batch_size)  # of every batch, that this process computes; None: all of it
    own = share.own if share else slice(0, settings.batch_size)
    building.require_batch(settings, training, own.stop - own.start)
    print(f"training on {training.name}, {len(training)} clips", end="")
    print(f"; validating on {validation.name}, {len(validation)} clips" if validation else "; no validation set")
    data = datasets.describe(training, validation)
    here.require_same_data(data)
    unlike = datasets.differences(validation.record if validation else None, training.record)
    if unlike:
        print(f"note: the validation clips were cut out unlike the training clips: {', '.join(unlike)}")
    if settings.check_values:
        for clips in filter(None, (training, validation)):
            clips.check_finite(partial(tqdm, desc=f"checking {clips.name}", unit="clip"), here.some(len(clips)))

    # --- The schedule, in steps.
    steps_per_epoch = len(training) // settings.batch_size
    last_step = building.count_steps(settings.max_steps, steps_per_epoch)
    print(building.note_on_length(settings, last_step), end="")
    evaluate_every = building.count_steps(settings.evaluate_every, steps_per_epoch)
    milestones = {building.count_steps(each, steps_per_epoch) for each in settings.test_milestones or []} | {last_step}
    decay = building.build_decay(settings, net)
    optimizer = building.build_optimizer(settings, steps_per_epoch, decay)
    penalty = {} if settings.optimizer == "ADAMW" else decay  # that one decays the weights itself
    average = MovingAverage(averaged.parameters, settings.average) if averaged else None
    judged = [("val", "validation", net)]
    if averaged:  # it comes last, since the last result is what patience looks at
        judged.append(("averaged_val", "averaged", averaged))
    tally, patience = Tally(), stopping.Patience(settings.patience)
    if settings.patience and not validation:
        raise InputError(f"--patience {settings.patience} needs a validation set: give --val_path, --val_labels_path")

    # --- Where the run was, if it is resumed.
    due = None  # the learning rate of a step that was made, but whose evaluation failed: it comes first
    if resumed:
        resuming.restore(resumed, net, optimizer, tally, patience, data, averaged)
        due = resumed.progress.get("due")
        folder, checkpoint_name = path.parent, path.name
        older = "" if resumed.data else "; being of an older version, it does not tell whether the clips are the same"
        print(f"resumed {path} at step {optimizer.step}{older}")
    else:
        name, checkpoint_name = f"fold-{settings.fold:02}" if settings.folds else None, settings.checkpoint_name
        folder = here.first_says(lambda: RunFolder.create(settings.save_path, checkpoint_name, name).path)
    run = (RunFolder if here.first else FollowedRun)(folder, checkpoint_name)
    run.require_apart(settings)
    if here.first:
        held.enter_context(only_writer(run.path))
    if due is None and (optimizer.step >= last_step or patience.over):
        print(f"nothing is left to do: the run ends at step {last_step}; --max_steps makes it longer")
        return 0
    run.rewind(optimizer.step - (due is not None))
    run.write_settings(settings, training.record)
    print(f"the run's folder: {run.path}")

    print("compiling the kernels: up to a minute the first time, read from disk the next", flush=True)
    started = time.perf_counter()
    augmentation = datasets.Augmentation.of(settings)
    with here.one_after_another():
        building.compile_kernels(net, training, augmentation, partial(tqdm, desc="compiling", leave=False))
    print(f"kernels ready after {time.perf_counter() - started:.1f} s")

    def save(path: Path | None = None, due: float | None = None) -> None:
        state = settings, net, optimizer, tally, patience, data, steps_per_epoch, averaged
        run.save(resuming.snapshot(*state, due=due), path)
        here.lest_killed(run.words_to_resume())

    here.lest_killed(run.words_to_resume())
    training_kept = partial(stopping.training_kept, save, run)

    # --- The loop.
    first_only = settings.overfit_one_batch
    order = (
        datasets.batch_indices(len(training), settings.batch_size, settings.seed, 0 if first_only else step)[own]
        for step in range(optimizer.step, last_step)
    )
    change = partial(augmentation.apply, own=own, count=settings.batch_size)
    changes = (partial(change, step=step) for step in range(optimizer.step, last_step) if augmentation)
    batches = training.batches(order, net.kernels, net.dtype, settings.normalize, changes)
    gradients = None
    validated: dict[str, str] = {}
    started = time.perf_counter()
    with (
        closing(batches),
        stopping.Interrupt(echo=here.echo) as interrupt,
        np.errstate(over="ignore", invalid="ignore"),  # require_finite says it better
        tqdm(total=last_step, initial=optimizer.step, desc="training", unit="step", dynamic_ncols=True) as bar,
    ):
        while due is not None or (optimizer.step < last_step and not here.asked(bool(interrupt.requested))):
            if due is None:
                rate = optimizer.rate
                with training_kept():
                    x, labels = next(batches)
                    loss, gradients, logits = net.training_pass(x, labels, penalty, False, gradients, share)
                    if share:
                        logits, labels = share.gathered(logits), share.gathered(labels)
                stopping.require_finite(net, x, loss, gradients, optimizer.step + 1, run)
                optimizer.update(net.parameters, gradients)
                if average:
                    average.update(net.parameters, optimizer.step)
                tally.add(loss, logits, labels)
                bar.update()
                bar.set_postfix(loss=f"{tally.loss:.3f}", accuracy=f"{100 * tally.accuracy:.1f}%", **validated)
            else:
                rate, due = due, None
            step = optimizer.step
            epoch = step / steps_per_epoch

            with stopping.evaluation_kept(partial(save, due=rate), run, tally, patience):
                if step % evaluate_every == 0 or step == last_step:
                    row = {"step": step, "epoch": epoch, "learning_rate": rate}
                    row |= {"seconds": time.perf_counter() - started}
                    row |= {"train_loss": tally.loss, "train_accuracy": tally.accuracy}
                    line = f"epoch {epoch:6.2f}  training loss {tally.loss:.4f} accuracy {100 * tally.accuracy:5.1f} %"
                    if validation:
                        for name, words, network in judged:  # last the one that answers
                            result = evaluate_network(network, validation, settings, settings.evaluate_clips)
                            row |= {f"{name}_loss": result.loss, f"{name}_accuracy": result.accuracy}
                            line += f"  {words} loss {result.loss:.4f} accuracy {100 * result.accuracy:5.1f} %"
                            validated[words] = f"{100 * result.accuracy:.1f}%"
                    run.append("history.jsonl", row)
                    tally.reset()
                    tqdm.write(line)
                    if validation and patience.improved(result.loss) and settings.patience:
                        save(run.best)
                    if patience.over:
                        tqdm.write(
                            f"no lower validation loss for {patience.waited} evaluations; the best is in {run.best}"
                        )
                        last_step = step
                        milestones.add(step)

                if validation and step in milestones:
                    result = evaluate_network(averaged or net, validation, settings)
                    run.append("tests.jsonl", {"step": step, "epoch": epoch, **result.as_dict()})
                    which = " of the averaged network" if averaged else ""
                    tqdm.write(f"test{which} after {epoch:g} epochs, {result.clips} clips:\n{result}")
                    tqdm.write(f"validation {in_words(result.as_dict())}")
            if settings.save_checkpoint and (step % evaluate_every == 0 or step == last_step):
                save()  # last, so that all that is logged of its step stands on disk
        stopped = here.asked(bool(interrupt.requested)) and optimizer.step < last_step
        if stopped:
            save()

    if stopped:
        interrupt.say(f"stopped at step {optimizer.step} of {last_step}; {run.words_to_resume()}")
        return 130
    print(f"done; results are in {run.path}")
    return 0


def run(arguments: Sequence[str]) -> int:
    """Train what the flags ask for: one run, or the folds of a cross-validation; returns the exit code."""
    given = flags.parse(arguments)
    of_folds = {name: given.get(name, default) != default for name, default in flags.defaults().items()}
    if any(of_folds[name] for name in ("folds", "fold", "fold_jobs", "executor")):
        from emop3d_np.training.crossvalidation import cross_validate

        return cross_validate(train, given)
    return train(given)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and turn what can go wrong into one line and exit code 2 (130 after Ctrl-C)."""
    end_with_stdin()
    given, advice = sys.argv[1:] if arguments is None else arguments, "lower --batch_size"

    def everywhere() -> int:
        if launchers.told() is None:
            return run(given)
        from emop3d_np.training.ranks import on_all_ranks

        return on_all_ranks(lambda: run(given), advice)

    return exit_code("run.py", everywhere, advice)


if __name__ == "__main__":
    sys.exit(main())
