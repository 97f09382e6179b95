// The matrix of a box sum over a row of eight numbers: its rows add up windows, its columns are the transpose.

"use strict";

movingFigure("band", "The band matrix of a box sum, read by rows and by columns", (figure) => {
  const P = [3, 1, 4, 1, 5, 9, 2, 6], DELTA = [10, 20, 30, 40, 50, 60, 70];
  const FORWARD = "The box sum: along a row", BACKWARD = "Its transpose: down a column";
  const way = figure.choice("Read the matrix", [FORWARD, BACKWARD]);
  const window = figure.slider("Window r: ", { min: 2, max: 5, value: 3 });
  const stride = figure.slider("Stride s: ", { min: 1, max: 2, value: 1 });
  const place = figure.slider("Place: ", { min: 0, max: P.length - 1, value: 0 });
  figure.player(place, 900);
  const CELL = 38, LEFT = 12, TOP = 74;

  return () => {
    const forward = way() === FORWARD, r = Number(window.value), s = Number(stride.value);
    const outputs = Math.ceil((P.length - r + 1) / s);
    place.max = (forward ? outputs : P.length) - 1;
    place.says();
    const at = Number(place.value);
    const delta = DELTA.slice(0, outputs);
    const matrix = delta.map((_, out) => P.map((_, q) => (q >= s * out && q < s * out + r ? 1 : 0)));
    const z = matrix.map((row) => sum(row.map((one, q) => one * P[q])));
    const g = P.map((_, q) => sum(matrix.map((row, out) => row[q] * delta[out])));
    draw(forward ? P : g, forward ? z : delta, matrix, forward, at);

    const used = (forward ? matrix[at] : matrix.map((row) => row[at])).map((one, index) => (one ? index : -1)).filter((index) => index >= 0);
    const [from, to, values, result] = forward ? ["p", "z", P, z] : ["\u03b4", "g", delta, g];
    figure.words.textContent = used.length
      ? `${to}${low(at)} = ${used.map((index) => from + low(index)).join(" + ")} = ${used.map((index) => values[index]).join(" + ")}`
        + `${used.length > 1 ? ` = ${result[at]}` : ""}. `
        + (forward ? `Window ${at} covers ${used.length} numbers.` : `Number ${at} is covered by ${used.length} of the ${outputs} windows.`)
      : `g${low(at)} = 0: no window covers number ${at}.`;
    return { z, g, row: forward ? matrix[at] : matrix.map((row) => row[at]) };
  };

  function low(index) {
    return String.fromCharCode(0x2080 + index);
  }

  /** The numbers that belong to the columns above the matrix, those that belong to the rows at its right. */
  function draw(above, right, matrix, forward, at) {
    const { picture } = figure;
    picture.textContent = "";
    figure.size(400, TOP + CELL * matrix.length + 6);
    const beside = LEFT + CELL * above.length + 14;
    const cell = (x, y, number, chosen, shows) => {
      shape(picture, "rect", { x, y, width: CELL - 2, height: CELL - 2, rx: 3, class: chosen ? "one" : "paper" });
      figure.write(x + CELL / 2 - 1, y + CELL / 2 + 4, number, { "text-anchor": "middle", class: chosen ? "on-one" : "", shows });
    };
    figure.write(LEFT, 18, forward ? "p: what is summed" : "g = S\u1d40\u03b4: what each number collects");
    figure.write(beside + CELL, TOP - 9, forward ? "z = S p" : "\u03b4", { "text-anchor": "end" });
    above.forEach((number, q) => cell(LEFT + CELL * q, 26, number, forward ? matrix[at][q] : q === at, "above"));
    matrix.forEach((row, out) => {
      const y = TOP + CELL * out;
      row.forEach((one, q) => {
        const read = forward ? out === at : q === at;
        cell(LEFT + CELL * q, y, one || "\u00b7", read && one, "");
      });
      cell(beside, y, right[out], forward ? out === at : matrix[out][at], "right");
    });
    const [x, y, width, height] = forward
      ? [LEFT - 3, TOP + CELL * at - 3, CELL * above.length + 4, CELL + 4]
      : [LEFT + CELL * at - 3, TOP - 3, CELL + 4, CELL * matrix.length + 4];
    shape(picture, "rect", { x, y, width, height, rx: 4, class: "line two frame" });
  }
});
