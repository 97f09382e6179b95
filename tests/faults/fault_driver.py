"""Puts commands to faults: what is done before and after, and what must hold then."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import fault_commands
import numpy as np
from fault_injection import ENVIRONMENT, Plan
from fault_server import PATIENCE, group_of

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
UNFINISHED = re.compile(r"unfinished|\.writer")
"""Names of files that no command may leave behind, but a killed one."""


def make_inputs(folder, faces):
    """What the commands read: clips, a prepared folder, an archive of strokes, videos, and a trained run."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, count in (("train", 16), ("val", 6)):
        np.save(folder / f"{part}.npy", rng.integers(0, 255, (count, 8, 14, 14, 1), np.uint8))
        np.save(folder / f"{part}_labels.npy", np.arange(count) % 3)
    prepared = folder / "prepared"
    prepared.mkdir()
    np.save(prepared / "Training.npy", rng.integers(0, 255, (16, 8, 14, 14, 1), np.uint8))
    np.save(prepared / "labels.npy", np.arange(16) % 2)
    (prepared / "classes.txt").write_text("still\nmoved\n")
    rows = [f"{clip},v{clip // 2}.mp4,0,s{clip // 4},{clip % 2}" for clip in range(16)]
    (prepared / "index.csv").write_text("\n".join(["clip,source,first_frame,subject,label", *rows, ""]))
    with zipfile.ZipFile(folder / "letters.zip", "w") as archive:
        for alphabet, drawer in (("Alpha", 1), ("Alpha", 2), ("Beta", 1)):
            archive.writestr(f"top/{alphabet}/character01/0001_{drawer:02}.txt", "START\n10,-20,0\n70,-60,900\nBREAK\n")
    if faces:
        from videos import moving_face, write

        for number in range(2):
            write(folder / f"videos/{'AB'[number]}/{number}/x.mp4", moving_face(9, seed=number), "libx264")


@dataclass
class Outcome:
    """What a command did.

    Attributes:
        code, left: as of ``fault_server``.
        printed: its output.
        calls: how many calls counted.
    """

    code: int
    left: int
    printed: str
    calls: list[str] = field(default_factory=list)


class Driver:
    """Runs commands in a folder, undisturbed or with a fault.

    Args:
        folder: to be made.
        faces: whether the extra of that name is there.
        anew: True starts every command, and every process of it, anew, as a user does; default False, they are forks of
            a server that has imported everything.
    """

    def __init__(self, folder, faces=True, anew=False):
        self.folder, self.anew = Path(folder), anew
        self._cases, self._whole, self._server = 0, {}, None
        make_inputs(self.folder / "inputs", faces)
        (self.folder / "tmp").mkdir()
        self._environment = os.environ | {"TMPDIR": str(self.folder / "tmp"), "TQDM_DISABLE": "1", "MPLBACKEND": "agg"}
        self._environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._environment |= {"PYTHONPATH": os.pathsep.join(map(str, (HERE / "site", ROOT, HERE)))}
        if not anew:
            command = [sys.executable, HERE / "fault_server.py"]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            self._server = subprocess.Popen(command, env=self._environment, **pipes)
            assert self._server.stdout.readline() == "ready\n"
        trained = self.case()
        done = self.do(trained, ["run", *(each for each in fault_commands.FOLDS if not each.startswith("--folds"))])
        assert done.code == 0, done.printed
        (made,) = (trained / "out").iterdir()
        shutil.move(made, self.folder / "inputs" / "run")

    def close(self):
        if self._server:
            self._server.stdin.close()
            self._server.wait()
            self._server.stdout.close()

    def case(self):
        """A new folder."""
        self._cases += 1
        place = self.folder / f"case-{self._cases}"
        place.mkdir()
        return place

    def drop(self, place):
        """Remove what there is of a case."""
        shutil.rmtree(place)
        for path in self.folder.glob(f"{place.name}.*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def do(self, place, arguments, kind="", at=0):
        """Do a command in ``place``; returns its Outcome."""
        state = self.folder / f"{place.name}.state"
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir()
        (outcome,) = self.do_together(place, arguments, 1, Plan(str(place), str(state), kind, at))
        calls = (state / "calls").read_text().splitlines() if (state / "calls").exists() else []
        return replace(outcome, calls=calls)

    def do_together(self, place, arguments, times, plan=None):
        """Begin a command several times at once in ``place``; returns the Outcome of each."""
        plan = plan or Plan("", "")
        if self.anew:
            answers = self._do_anew(place, arguments, times, plan)
        else:
            asked = {"place": str(place), "arguments": arguments, "plan": asdict(plan), "times": times}
            self._server.stdin.write(json.dumps(asked) + "\n")
            self._server.stdin.flush()
            answers = json.loads(self._server.stdout.readline())
        printed = [self.folder / f"{place.name}.printed-{number}" for number in range(times)]
        return [
            Outcome(**answer, printed=path.read_text(errors="replace"))
            for answer, path in zip(answers, printed, strict=True)
        ]

    def _do_anew(self, place, arguments, times, plan):
        kind, *rest = arguments
        command = [sys.executable, *([str(ROOT / "run.py")] if kind == "run" else ["-m", "emop3d_np"]), *rest]
        environment = self._environment | ({ENVIRONMENT: str(plan)} if plan.state else {})
        begun = []
        for number in range(times):
            with open(self.folder / f"{place.name}.printed-{number}", "wb") as printed:
                how = {"stdin": subprocess.DEVNULL, "stdout": printed, "stderr": printed, "start_new_session": True}
                begun.append(subprocess.Popen(command, cwd=place, env=environment, **how))
        return [wait_for(process) for process in begun]

    def whole(self, command):
        """What an undisturbed command makes, and its calls."""
        if command.name not in self._whole:
            place = self.case()
            done = self.do(place, command.arguments)
            assert done.code == 0, done.printed
            assert not done.left
            assert not unfinished(place)
            self._whole[command.name] = command.result(place), done.calls
            self.drop(place)
        return self._whole[command.name]

    def put_to(self, command, kind, at):
        """One fault, and the command once more; returns what is wrong, in words, and the first Outcome."""
        result, _ = self.whole(command)
        place = self.case()
        first = self.do(place, command.arguments, kind, at)
        wrong = self._wrong_after_fault(place, first, kind)
        wrong += self._wrong_after_repeat(place, command)
        rescue = re.search(r"--resume (\S+/tmp/\S+) goes on", first.printed)
        if rescue:
            wrong += self._wrong_with(rescue[1], result)
        self.drop(place)
        return wrong, first

    def put_twice(self, command):
        """The command twice at once; returns what is wrong, and the exit codes."""
        place = self.case()
        arguments = command.arguments
        if command.again(place, []) == []:  # it goes on with something, so let there be something
            calls = self.whole(command)[1]
            self.do(place, arguments, "kill", 2 * len(calls) // 3)
            arguments = command.again(place, arguments)
        both = self.do_together(place, arguments, 2)
        codes = sorted(each.code for each in both)
        wrong = [f"ended with {codes}"] if codes not in ([0, 0], [0, 2]) else []
        for each in both:
            if each.left or (each.code == 2 and not re.search("is being written by|exists already", each.printed)):
                wrong.append(f"{each.left} processes left, {each.printed[-600:]}")
        wrong += differing(command.result(place), self.whole(command)[0])
        self.drop(place)
        return wrong, codes

    def damage(self, command):
        """Each file that the command made, damaged in each way, and the command once more.

        Returns what is wrong, and how often the damage was refused, and mended.
        """
        result, _ = self.whole(command)
        whole = self.case()
        self.do(whole, command.arguments)
        wrong, counts = [], Counter()
        for path in sorted(path for path in whole.rglob("*") if path.is_file() and path.name != "output.txt"):
            for way, change in DAMAGES.items():
                place = self.case()
                shutil.copytree(whole, place, dirs_exist_ok=True)
                damaged = place / path.relative_to(whole)
                damaged.write_bytes(change(damaged.read_bytes()))
                done = self.do(place, command.again(place, command.arguments))
                what = f"{path.relative_to(whole)} {way}"
                if "Traceback" in done.printed or done.code not in (0, 2) or done.left:
                    wrong.append(f"{what}: {done.code}, {done.printed[-600:]}")
                if done.code == 0:
                    found = differing(command.result(place), result)
                    wrong += [f"{what}: {each}" for each in found if not UNGUARDED.search(each)]
                counts[done.code] += 1
                self.drop(place)
        return wrong, counts

    def _wrong_after_repeat(self, place, command):
        second = self.do(place, command.again(place, command.arguments))
        if second.code or second.left:
            return [f"the repeat ended with {second.code}, {second.left} left: {second.printed[-600:]}"]
        return differing(command.result(place), self.whole(command)[0])

    def _wrong_after_fault(self, place, outcome, kind):
        wrong = []
        last = outcome.printed.strip().splitlines()[-1:] or [""]
        if outcome.left:
            wrong.append(f"{outcome.left} processes live on")
        if "Traceback" in outcome.printed:
            wrong.append(f"a traceback: {outcome.printed[-900:]}")
        if kind in ("kill", "kill-main"):
            if outcome.code not in (-9, 0, 2):
                wrong.append(f"exit code {outcome.code}: {outcome.printed[-600:]}")
            return wrong
        if outcome.code not in (0, 2) or (outcome.code == 2 and ": error: " not in last[0]):
            wrong.append(f"exit code {outcome.code}, {last[0]}")
        if any(f" {each} " in " ".join(outcome.calls[-1:]) for each in ("remove", "unlink", "rmdir")):
            return wrong  # what could not be removed is there
        return wrong + [f"left after an error: {name}" for name in unfinished(place)]

    def _wrong_with(self, rescue, result):
        """A checkpoint that was saved elsewhere leads to the same parameters."""
        done = self.do(self.folder / "tmp", ["run", "--resume", rescue])
        if done.code:
            return [f"the rescued run ended with {done.code}: {done.printed[-600:]}"]
        (own,) = (name for name in result if name.endswith("3dpyranet.ckpt") and "best" not in name)
        same = fault_commands.canonical(Path(rescue)) == result[own]
        return [] if same else [f"the rescued run {rescue} differs"]


DAMAGES = {
    "header": lambda content: content[:9] + bytes([content[9] ^ 16]) + content[10:] if len(content) > 9 else b"",
    "middle": lambda content: _flipped(content, len(content) // 2),
    "tail": lambda content: _flipped(content, len(content) - 3),
    "truncated": lambda content: content[: len(content) * 2 // 3],
    "emptied": lambda _: b"",
}
"""What may become of a file."""

UNGUARDED = re.compile(r"history\.jsonl|tests\.jsonl|settings\.json|record\.json|\.md: |sweep\.json|best-")
"""Files that are logs and words: they have no checksum, or are not read when the command is repeated."""


def _flipped(content, at):
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :] if 0 <= at < len(content) else b""


def wait_for(process):
    """The exit code of a process that leads a group, and how many of the group live on."""
    process.wait()
    deadline = time.monotonic() + PATIENCE
    while (left := group_of(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.02)
    for each in left:
        os.kill(each, signal.SIGKILL)
    return {"code": process.returncode, "left": len(left)}


def unfinished(place):
    return sorted(str(path.relative_to(place)) for path in place.rglob("*") if UNFINISHED.search(path.name))


def differing(found, expected):
    """Names of what is missing, too much, or different."""
    return [
        f"{name}: {'missing' if name not in found else 'too much' if name not in expected else 'differs'}"
        for name in sorted({*found, *expected})
        if found.get(name) != expected.get(name)
    ]


def campaign(driver, commands, kinds, every=1):
    """Every kind of fault at every ``every``-th call of every command; returns counts and what was wrong."""
    counts, wrong = Counter(), []
    for command in commands:
        _, calls = driver.whole(command)
        for kind in kinds:
            for at in range(1, len(calls) + 1, every):
                found, first = driver.put_to(command, kind, at)
                counts[command.name, kind] += 1
                counts[command.name, kind, "code", first.code] += 1
                for each in found:
                    wrong.append((command.name, kind, f"at {at} of {len(calls)} ({calls[at - 1]})", each))
    return counts, wrong
