// Where a maximum's gradient goes: blocks of a map, and overlapping runs of frames; kernels/reference/max_pool.py.

"use strict";

movingFigure("maximum", "Where the gradient of a maximum goes", (figure) => {
  const SPACE = "In space: blocks of 2 \u00d7 2", FRAMES = "Over frames: runs of three";
  const EXAMPLES = {
    [SPACE]: [3, 1, 4, 4, 9, 2, 5, 4, 0, 9, 7, 7, 1, 8, 9, 6, 7, 2, 3, 9],
    [FRAMES]: [2, 1, 3, 5, 5, 4, 1, 2],
  };
  const COLUMNS = { [SPACE]: 5, [FRAMES]: 8 }, CELL = 46;
  const values = Object.fromEntries(Object.entries(EXAMPLES).map(([way, all]) => [way, [...all]]));
  const at = { [SPACE]: 6, [FRAMES]: 3 };
  const way = figure.choice("Maximum", [SPACE, FRAMES]);
  const value = figure.slider("Value of the chosen cell: ", { min: 0, max: 9, value: 4 });
  element(figure.controls, "p", {}, "Press a cell, or go there by the arrow keys and write a digit.");
  figure.button("Back to the example", () => values[way()].splice(0, 20, ...EXAMPLES[way()]));
  figure.picture.setAttribute("role", "group");
  // Before the figure draws anew, which sets the slider to the value of the cell.
  value.addEventListener("input", () => change(Number(value.value)), { capture: true });

  // Cells are buttons: a press chooses one, arrows go on to the next, digits write.
  figure.picture.addEventListener("click", (event) => choose(Number(event.target.closest("[data-cell]")?.dataset.cell ?? at[way()])));
  figure.picture.addEventListener("keydown", (event) => {
    const columns = COLUMNS[way()], cell = at[way()];
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
    if (/^[0-9]$/.test(event.key)) change(Number(event.key));
    else if (!(event.key in steps)) return;
    else {
      const next = cell + steps[event.key];
      const sideways = Math.abs(steps[event.key]) === 1;
      const inside = next >= 0 && next < values[way()].length && (!sideways || Math.floor(next / columns) === Math.floor(cell / columns));
      choose(inside ? next : cell);
    }
    event.preventDefault();
    figure.draw();
    figure.picture.querySelector("[tabindex='0']").focus();
  });

  function choose(cell) {
    const focused = figure.picture.contains(document.activeElement);
    at[way()] = cell;
    figure.draw();
    if (focused) figure.picture.querySelector("[tabindex='0']").focus();
  }

  function change(number) {
    values[way()][at[way()]] = number;
  }

  /** Of every output: the cells it looks at, in their order, and the gradient that comes in. */
  function looks() {
    return way() === SPACE
      ? [0, 2, 10, 12].map((corner, out) => ({ cells: [corner, corner + 1, corner + 5, corner + 6], gradient: out + 1 }))
      : [0, 1, 2, 3, 4, 5].map((first) => ({ cells: [first, first + 1, first + 2], gradient: 1 }));
  }

  return () => {
    const x = values[way()], dx = x.map(() => 0);
    value.value = x[at[way()]];
    value.says();
    const outputs = looks().map(({ cells, gradient }) => {
      // The first of equals wins: a later one has to be larger.
      const winner = cells.reduce((best, cell) => (x[cell] > x[best] ? cell : best));
      dx[winner] += gradient;
      return { cells, gradient, winner, m: x[winner] };
    });
    const numbers = { m: outputs.map(({ m }) => m), dx, winners: outputs.map(({ winner }) => winner) };
    draw(x, dx, outputs);
    tell(x, dx, outputs);
    return numbers;
  };

  function named(cell) {
    return way() === SPACE ? `row ${Math.floor(cell / 5)}, column ${cell % 5}` : `frame ${cell}`;
  }

  function tell(x, dx, outputs) {
    const cell = at[way()], what = way() === SPACE ? "block" : "run";
    const seen = outputs.filter(({ cells }) => cells.includes(cell));
    const won = seen.filter(({ winner }) => winner === cell).length;
    const tie = seen.some(({ cells, m }) => cells.filter((each) => x[each] === m).length > 1);
    const [name, ...rest] = named(cell);
    figure.words.textContent = `${name.toUpperCase()}${rest.join("")} is ${x[cell]}. `
      + (seen.length === 0 ? "No block looks at it, so it receives 0."
        : `It wins ${won} of ${seen.length} ${what}${seen.length > 1 ? "s" : ""} that look${seen.length > 1 ? "" : "s"} at it and receives ${dx[cell]}.`)
      + (tie ? " Where values are equal, the first wins." : "")
      + ` All that comes in, ${sum(outputs.map(({ gradient }) => gradient))}, goes out: ${sum(dx)}.`;
  }

  function draw(x, dx, outputs) {
    const { picture } = figure, space = way() === SPACE, numbers = [];
    figure.size(400, space ? 228 : 252);
    picture.textContent = "";
    const cellAt = (cell) => (space ? [10 + CELL * (cell % 5), 34 + CELL * Math.floor(cell / 5)] : [16 + CELL * cell, 172]);
    const outAt = (out) => (space ? [300 + CELL * (out % 2), 80 + CELL * Math.floor(out / 2)] : [16 + CELL * (out + 1), 34]);
    figure.write(10, 20, space ? "x; below each: what it receives" : "m, the largest of three; below: what comes in");
    figure.write(space ? 390 : 16, space ? 196 : 244, space ? "m; below: dm" : "x, eight frames; below: what each receives", { "text-anchor": space ? "end" : "start" });

    /** The paper of a cell; its numbers, the value large, the gradient small below, are written last. */
    const box = (parent, [left, top], look, pairs, ink = "") => {
      shape(parent, "rect", { x: left, y: top, width: CELL - 2, height: CELL - 2, rx: 3, class: look });
      numbers.push({ x: left + CELL / 2 - 1, top, pairs, ink, hidden: parent !== picture });
    };
    x.forEach((number, cell) => {
      const wins = outputs.some(({ winner }) => winner === cell), chosen = cell === at[way()];
      const label = `${named(cell)}: ${number}, receives ${dx[cell]}`;
      const group = shape(picture, "g", {
        role: "button", tabindex: chosen ? 0 : -1, "aria-label": label, "aria-pressed": chosen, "data-cell": cell, class: "cell",
      });
      box(group, cellAt(cell), wins ? "wins" : "paper", { x: number, dx: dx[cell] });
    });
    if (space) {
      for (const corner of [0, 2, 10, 12]) {
        const [left, top] = cellAt(corner);
        shape(picture, "rect", { x: left - 1, y: top - 1, width: 2 * CELL, height: 2 * CELL, class: "line ink" });
      }
    }
    const [left, top] = cellAt(at[way()]);
    shape(picture, "rect", { x: left + 2, y: top + 2, width: CELL - 6, height: CELL - 6, rx: 3, class: "line two frame" });
    // From the middle of what is drawn next.
    outputs.forEach(({ winner }, out) => {
      const [[x0, y0], [x1, y1]] = [outAt(out), cellAt(winner)], half = CELL / 2 - 1;
      const to = space ? [x1 + CELL - 8, y1 + 8] : [x1 + half, y1];
      shape(picture, "line", { x1: x0 + half, y1: y0 + half, x2: to[0], y2: to[1], class: "line two" });
      shape(picture, "circle", { cx: to[0], cy: to[1], r: 4, class: "two" });
    });
    outputs.forEach(({ m, gradient }, out) => box(picture, outAt(out), "one", { m, dm: gradient }, "on-one"));
    for (const { x: middle, top: above, pairs, ink, hidden } of numbers) {
      Object.entries(pairs).forEach(([shows, number], small) => shape(picture, "text", {
        x: middle, y: above + (small ? 38 : 20), "text-anchor": "middle", "data-shows": shows, "aria-hidden": hidden,
        class: `${small ? "" : "large"} ${ink || (small && number ? "received" : "")}`,
      }, number));
    }
  }
});
