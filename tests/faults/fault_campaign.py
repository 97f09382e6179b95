"""``make faults``: every command killed at every write, on a full disk, twice at once; counts, and what went wrong.

    python tests/faults/fault_campaign.py [--anew] [--every N] [--kinds kill,full] [--twice N] [--damage] [COMMAND ...]

``--anew`` starts all processes anew, as a user does, instead of forking them; it takes seconds a fault, not tenths, and
has one kind more, "kill-main", a SIGKILL to the command's own process while a process that it started writes.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1 + up]) for up in (0, 1)]

import fault_commands  # noqa: E402
from fault_driver import Driver, campaign  # noqa: E402


def put_to_all(driver, command, given):
    """Put a command to all that was asked for, say what came of it, and return how much was wrong."""
    failed, started = 0, time.perf_counter()

    def say(what, wrong):
        nonlocal failed, started
        for each in wrong:
            print("WRONG", command.name, *each)
        seconds, started = time.perf_counter() - started, time.perf_counter()
        print(f"{command.name}: {what}; {len(wrong)} wrong; {seconds:.0f} s", flush=True)
        failed += len(wrong)

    for kind in filter(None, given.kinds.split(",")):
        counts, wrong = campaign(driver, [command], [kind], given.every)
        codes = {key[3]: count for key, count in counts.items() if len(key) == 4}
        calls = len(driver.whole(command)[1])
        say(f"{kind} at {counts[command.name, kind]} of {calls} writes, exit codes {codes}", wrong)
    codes, wrong = Counter(), []
    for _ in range(given.twice):
        found, both = driver.put_twice(command)
        codes[str(both)] += 1
        wrong += [("twice", each) for each in found]
    say(f"twice at once {given.twice} times, exit codes {dict(codes)}", wrong)
    if given.damage:
        wrong, damaged = driver.damage(command)
        say(f"{damaged.total()} damaged files, exit codes {dict(damaged)}", [("damage", each) for each in wrong])
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commands", nargs="*", help="names of commands (all)")
    parser.add_argument("--kinds", default="kill,ENOSPC,EACCES,EIO,full", help="kinds of faults")
    parser.add_argument("--every", type=int, default=1, help="put a fault at every N-th write only (1)")
    parser.add_argument("--twice", type=int, default=5, help="times that each command is begun twice at once (5)")
    parser.add_argument("--damage", action="store_true", help="also damage each file that a command made")
    parser.add_argument("--anew", action="store_true", help="start processes anew")
    given = parser.parse_args()
    commands = [each for each in fault_commands.COMMANDS if not given.commands or each.name in given.commands]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        driver = Driver(Path(folder) / "faults", anew=given.anew)
        for command in commands:
            failed += put_to_all(driver, command, given)
        driver.close()
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
