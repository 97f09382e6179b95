// The gradient of a drawn face's loss, after every step down the pyramid: what docs/walks/descent.py computes, kept in
// downwards_data.js, which docs/tools/moving.py writes.

"use strict";

movingFigure("downwards", "A gradient on its way down the pyramid, for a drawn face", (figure) => {
  const { clip, stages } = movingData.downwards;
  const [frames, rows, columns] = clip.shape, CLIP = bytes(clip.bytes, true);
  const GRADIENTS = stages.map((stage) => bytes(stage.bytes));
  const stage = figure.slider("Below: ", { min: 0, max: stages.length - 1, value: 0, says: (n) => stages[n].below });
  figure.player(stage, 1500);
  figure.size(400, 212);
  const WIDE = 400 / frames, PLANE = WIDE - 3;

  return () => {
    const { below, shape: sizes, share, norm, sum: largest } = stages[stage.value];
    const gradient = GRADIENTS[stage.value];
    figure.picture.textContent = "";
    figure.write(0, 14, "the clip");
    for (let d = 0; d < frames; d++) {
      figure.image(CLIP.slice(d * rows * columns, (d + 1) * rows * columns), rows, columns, grey, d * WIDE, 20, PLANE);
    }
    figure.write(0, 80, `the gradient below ${below}: ${sizes.length === 1 ? "one number per class" : sizes.join(" \u00d7 ")}`);
    if (sizes.length === 1) votes(gradient);
    else planes(gradient, sizes);
    figure.words.textContent = `Below ${below}: ${(100 * share).toFixed(1)} % of the gradient is not 0, its norm is ${brief(norm)}, `
      + `and the largest sum of a map is ${brief(largest)}.`;
    return { share: gradient.filter((value) => value).length / gradient.length, values: gradient };
  };

  function brief(number) {
    return number < 1e-12 ? "0, to rounding" : number.toPrecision(2);
  }

  /** Six numbers, one per class. */
  function votes(gradient) {
    gradient.forEach((value, k) => {
      figure.image([value], 1, 1, signed(127), 2 + 44 * k, 90, 38);
      figure.write(21 + 44 * k, 144, k, { "text-anchor": "middle" });
    });
    figure.write(2, 164, "below 0 for the true class, 3; above for all others");
  }

  /** Maps under each other, frames beside each other: each under the middle one of the clip's frames that it saw. */
  function planes(gradient, [d, h, w, maps]) {
    const colour = signed(127), from = (frames - d) / 2;
    for (let frame = 0; frame < d; frame++) {
      for (let map = 0; map < maps; map++) {
        const values = Array.from({ length: h * w }, (_, q) => gradient[(frame * h * w + q) * maps + map]);
        figure.image(values, h, w, colour, (from + frame) * WIDE, 90 + 40 * map, PLANE);
      }
    }
  }
});
