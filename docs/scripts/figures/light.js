// What normalisation does to a map, and to a gradient; kernels/reference/standardize.py. The map and the pattern of the
// gradient are in light_data.js, which docs/tools/moving.py writes.

"use strict";

movingFigure("light", "Brightness and contrast before and after normalisation, and what becomes of a gradient", (figure) => {
  const { side, face, pattern } = movingData.light, EPSILON = 1e-8;
  const FACE = bytes(face, true), PATTERN = bytes(pattern).map((byte) => byte / 50);
  const light = figure.slider("Brightness added to the map: ", { min: -100, max: 100, step: 5, value: 0 });
  const contrast = figure.slider("Contrast of the map, times: ", { min: 0, max: 2, step: 0.05, value: 1, says: (n) => n.toFixed(2) });
  const constant = figure.slider("Constant in the gradient: ", { min: -2, max: 2, step: 0.1, value: 0.9, says: (n) => said(n, 1) });
  const along = figure.slider("Part along y in the gradient: ", { min: -2, max: 2, step: 0.1, value: 0.8, says: (n) => said(n, 1) });
  figure.button("Back to the start", () => {
    [light.value, contrast.value, constant.value, along.value] = [0, 1, 0.9, 0.8];
  });
  figure.size(400, 282);
  const first = normalised(FACE).y;

  /** The map with mean 0 and variance 1, and the scale, 1 / sigma. */
  function normalised(x) {
    const centred = x.map((value) => value - x[0]), mean = sum(centred) / x.length;
    const from = centred.map((value) => value - mean);
    const scale = 1 / Math.sqrt(sum(from.map((value) => value * value)) / x.length + EPSILON);
    return { y: from.map((value) => value * scale), scale };
  }

  return () => {
    const x = FACE.map((value) => Number(contrast.value) * value + Number(light.value));
    const { y, scale } = normalised(x);
    // The gradient is put together from y as it is at the start, so that the sliders of the map leave it alone.
    const dy = PATTERN.map((value, q) => Number(constant.value) + Number(along.value) * first[q] + value);
    const mean = sum(dy) / dy.length, share = sum(dy.map((value, q) => value * y[q])) / dy.length;
    const passes = dy.map((value, q) => value - mean - y[q] * share);
    const dx = passes.map((value) => scale * value);
    const moved = Math.max(...y.map((value, q) => Math.abs(value - first[q])));
    const length = Math.sqrt(sum(dx.map((value) => value * value)));
    draw(x, y, dy, mean, y.map((value) => value * share), passes);

    const flat = Number(contrast.value) === 0;
    figure.words.textContent = (flat ? "The map is constant: y is 0 everywhere, and nothing can be brought back. "
      : `The deviation of x is ${said(1 / scale, 1)}; y has moved by ${moved < 1e-6 ? "less than a millionth" : moved.toExponential(0)}. `)
      + `Of dy the mean, ${said(mean, 2)}, and the part along y, ${said(share, 2)}, are taken off; `
      + (flat ? "what passes is divided by the root of \u03b5 alone." : `what passes is divided by the deviation, and dx is ${length.toPrecision(3)} long.`);
    return { y, dx, mean, share, scale };
  };

  function draw(x, y, dy, mean, alongY, passes) {
    figure.picture.textContent = "";
    const map = (values, colour, left, top, size, title) => {
      figure.write(left, top - 7, title);
      figure.image(values, side, side, colour, left, top, size);
    };
    map(x, grey, 4, 24, 124, "x, the map");
    map(y, (value) => grey(128 + 50 * value), 138, 24, 124, "y, normalised");
    bars(x, y);
    const colour = signed(4);
    map(dy, colour, 4, 184, 86, "dy =");
    map(dy.map(() => mean), colour, 107, 184, 86, "its mean +");
    map(alongY, colour, 210, 184, 86, "along y +");
    map(passes, colour, 313, 184, 86, "what passes");
  }

  /** How often each value is there, of x and of y: brightness moves the first, contrast widens it, y stays. */
  function bars(x, y) {
    const counted = (values, least, most) => {
      const counts = Array(20).fill(0);
      for (const value of values) counts[Math.max(0, Math.min(19, Math.floor(20 * (value - least) / (most - least))))]++;
      return counts;
    };
    for (const [values, least, most, top, title] of [[x, -100, 355, 24, "values of x"], [y, -3, 3, 96, "values of y"]]) {
      figure.write(272, top - 7, title);
      shape(figure.picture, "rect", { x: 272, y: top, width: 127, height: 52, class: "paper" });
      counted(values, least, most).forEach((count, bar) => {
        const height = 50 * Math.sqrt(count / values.length);
        if (count) shape(figure.picture, "rect", { x: 274 + 6.2 * bar, y: top + 51 - height, width: 5.2, height, class: "one" });
      });
    }
  }
});
