"""The short table that ``cuda_day.py`` ends with, and the figures of a page, from its JSON.

    python bench/cuda_table.py day.json [--page docs/cuda.md]

Without ``--page`` the table is printed.
"""

import argparse
import json
from pathlib import Path

import tables


def summary(day):
    """The findings of a day in lines; a part that is missing or failed takes one."""
    lines = [""]
    for name, found in day["parts"].items():
        if "skipped" in found:
            lines.append(f"{name}: left out, {found['skipped']}")
            continue
        try:
            lines += [*OF_PART[name](found), ""]
        except (KeyError, TypeError, IndexError, ValueError):
            if "failed" not in found:
                raise
        if "failed" in found:
            lines += [f"{name}: FAILED after {found['seconds']:.0f} s: {found['failed']}", ""]
    parts = ", ".join(f"{name} {found.get('seconds', 0):.0f}" for name, found in day["parts"].items())
    return "\n".join([*lines, f"seconds: {parts}"])


def of_versions(found):
    versions = {name: version for name, version in found["packages"].items() if version}
    told = found["nvidia-smi"]
    driver = told["driver_version"] if isinstance(told, dict) else "unknown"
    yield f"{found['card'].get('name')}, driver {driver}; " + ", ".join(f"{n} {v}" for n, v in versions.items())


def of_ceilings(found):
    copy, kernel_copy = found["copy_bytes_per_second"], found["kernel_copy_bytes_per_second"]
    yield (
        f"copy {copy / 1e9:,.0f} GB/s (by a kernel {kernel_copy / 1e9:,.0f}), "
        f"float32 {found['operations_per_second'] / 1e12:.1f} Tflop/s"
    )


def of_right(found):
    rows = found["rows"]
    worst = {dtype: max(row["error"] for row in rows if row["dtype"] == dtype) for dtype in found["allowed"]}
    errors = ", ".join(f"{dtype} to {error:.1g}" for dtype, error in worst.items())
    count = sum(row["right"] for row in rows)
    yield f"gradients: {count} of {len(rows)} comparisons right ({errors}); seed {found['seed']}"


def of_kernels(found):
    yield f"{'kernel':<28} {'launches':>8} {'time, us':>10} {'bound, us':>10} {'GB/s':>8} {'of the copy':>11}"
    for name, row in found["kernels"].items():
        yield (
            f"{name:<28} {row['launches']:>8} {1e6 * row['seconds']:>10.1f} {1e6 * row['bound_seconds']:>10.1f} "
            f"{row['bytes_per_second'] / 1e9:>8,.0f} {100 * row['share']:>9.0f} %"
        )
    bytes_, bound = (sum(row[name] for row in found["kernels"].values()) for name in ("bytes", "bound_seconds"))
    yield (
        f"{found['launches']} launches at batch {found['batch']}: {1e3 * found['seconds_together']:.3f} ms in a row, "
        f"{1e3 * found['seconds_by_events']:.3f} ms one by one; {bytes_ / 1e6:,.0f} MB, bound {1e3 * bound:.3f} ms; "
        f"the host launches them in {1e3 * found['host_launch_seconds']:.3f} ms"
    )


def of_step(found):
    names = [name for name in found["rows"][0] if name != "batch" and name != "skipped"] or ["step"]
    yield f"{'batch':>5} " + " ".join(f"{name.replace('_', ' ') + ', ms':>24}" for name in names)
    for row in found["rows"]:
        if "skipped" in row:
            yield f"{row['batch']:>5} left out: {row['skipped']}"
        else:
            yield f"{row['batch']:>5} " + " ".join(f"{pair(row[name]):>24}" for name in names)
    yield f"one clip from the host to its logits, ms: {pair([each['median'] for each in found['single']])}"
    rates = (f"{name} {each['bytes_per_second'] / 1e9:.1f} GB/s" for name, each in found["upload"].items())
    yield f"upload of a batch: {', '.join(rates)}"


def pair(two):
    return " / ".join(f"{1e3 * seconds:.3f}" for seconds in two)


def of_peers(found):
    yield f"{'program':<34} {'step, ms':>10} {'forward':>10} {'one clip':>10}  times ours; error; ready after"
    for name, row in found["rows"].items():
        if "failed" in row:
            yield f"{name:<34} {row['failed'][:150]}"
            continue
        times = " ".join(f"{1e3 * row[job]['seconds']:>10.3f}" for job in ("step", "forward", "single"))
        ratios = " ".join(f"{row[job]['times_ours']:.2f}" for job in ("step", "forward", "single"))
        note = "" if row.get("right", True) else " WRONG"
        rest = f"{row['error']:.1g}{note}; {row['ready']:.0f} s on {row['device']}" if "error" in row else ""
        yield f"{name:<34} {times}  {ratios}; {rest}"


def of_repeated(found):
    yield (
        f"{found['equal_losses']} of {found['steps']} losses equal bit by bit when repeated; parameters that differ: "
        f"{', '.join(found['different_parameters']) or 'none'}"
    )


def of_demo(found):
    yield (
        f"demo: {100 * found['accuracy']:.1f} % after {found['training_seconds']:.2f} s of training, "
        f"{found['whole_seconds']:.1f} s in all"
    )


def of_sanitizer(found):
    for tool, each in found.get("tools", {}).items():
        yield f"{tool}: {each['summary']}"
    if "missing" in found:
        yield f"{found['missing']} is missing"


def of_tests(found):
    yield f"tests: {found['summary']}"


OF_PART = {name.removeprefix("of_"): of for name, of in list(globals().items()) if name.startswith("of_")}

# --- The page.


def figures(day):
    """What a page shows of a day, as text with tables."""
    parts = day["parts"]
    tools = parts["sanitizer"]["tools"]
    clean = " and ".join(sorted({each["summary"].split(": ")[-1] for each in tools.values()}))
    lines = [
        *("- " + line for part in ("ceilings", "right") for line in OF_PART[part](parts[part])),
        f"- compute-sanitizer, {', '.join(tools)}: {clean}",
        *("- " + line for part in ("repeated", "demo") for line in OF_PART[part](parts[part])),
        "",
        *kernels_table(parts["kernels"]),
        "",
        *step_table(parts["step"]),
        "",
        *peers_table(parts["peers"]),
        "",
        f"({', '.join(of_versions(parts['versions']))}; {parts['versions']['machine']['date']}. {day['notes']})",
    ]
    return "\n".join(lines)


def markdown(heads, rows):
    """Lines of a table."""
    return ["| " + " | ".join(map(str, row)) + " |" for row in (heads, ["---"] * len(heads), *rows)]


def kernels_table(found):
    rows = [
        (
            f"`{name}`",
            row["launches"],
            f"{1e6 * row['seconds']:.1f}",
            f"{1e6 * row['bound_seconds']:.1f}",
            f"{100 * row['share']:.0f} %",
        )
        for name, row in found["kernels"].items()
    ]
    bound = sum(row["bound_seconds"] for row in found["kernels"].values())
    rows.append(
        ("**all, in a row**", found["launches"], f"{1e6 * found['seconds_together']:.0f}", f"{1e6 * bound:.0f}", "")
    )
    return markdown(["kernel", "launches", "time, µs", "bytes at the rate of a copy, µs", "share of that rate"], rows)


def step_table(found):
    names = {"step": "step", "step_with_upload": "with the clips' upload", "forward": "forward"}
    rows = [(row["batch"], *(pair(row[name]) for name in names)) for row in found["rows"] if "skipped" not in row]
    clip = pair([each["median"] for each in found["single"]])
    rows.append(("one clip, host to logits", "", "", clip))
    return markdown(["clips", *(f"{name}, ms" for name in names.values())], rows)


def peers_table(found):
    rows = []
    for name, row in found["rows"].items():
        if "failed" in row:
            rows.append((name, row["failed"], "", ""))
        else:
            rows.append(
                (
                    name,
                    *(
                        f"{1e3 * row[job]['seconds']:.3f} ({row[job]['times_ours']:.2f}x)"
                        for job in ("step", "forward", "single")
                    ),
                )
            )
    return markdown(["program", f"step at batch {found['batch']}, ms", "forward, ms", "one clip, ms"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("json", type=Path, help="what cuda_day.py wrote")
    parser.add_argument("--page", type=Path, help="write the figures between the markers of this page")
    given = parser.parse_args()
    day = json.loads(given.json.read_text())
    if given.page:
        given.page.write_text(tables.put(given.page.read_text(), "measured", figures(day)))
    else:
        print(summary(day))


if __name__ == "__main__":
    main()
