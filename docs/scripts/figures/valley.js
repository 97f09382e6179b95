// Rate and momentum in a narrow valley: the loss (a^2 + 25 b^2) / 2, by the steps of emop3d_np/optimizers.py.

"use strict";

movingFigure("valley", "Steps in a narrow valley, by rate and momentum", (figure) => {
  const CURVATURE = [1, 25], START = [10, 1], STEPS = 60, NEAR = 0.1, PATIENCE = 10000;
  const rate = figure.slider("Rate \u03b7: ", { min: 0.001, max: 0.16, step: 0.001, value: 0.03, says: (n) => n.toFixed(3) });
  const kept = figure.slider("Momentum \u00b5: ", { min: 0, max: 0.99, step: 0.01, value: 0.7, says: (n) => n.toFixed(2) });
  const shown = figure.slider("Steps shown: ", { min: 0, max: STEPS, value: 25 });
  const ahead = figure.check("Nesterov's variant");
  figure.player(shown, 250);
  const best = (label, eta, mu) => figure.button(label, () => {
    [rate.value, kept.value, ahead.checked] = [eta, mu, false];
  });
  best("Best without momentum", 0.077, 0);
  best("Best with momentum", 0.111, 0.44);
  figure.size(400, 330);

  /** One step of both coordinates: a = mu a + g; w -= eta a, or eta (g + mu a). */
  function step(w, a, eta, mu, nesterov) {
    return [0, 1].map((axis) => {
      const g = CURVATURE[axis] * w[axis];
      a[axis] = mu * a[axis] + g;
      return w[axis] - eta * (nesterov ? g + mu * a[axis] : a[axis]);
    });
  }

  /** The larger root of what one step does to the distance along an axis: the share of it that is left in the long run. */
  function factor(eta, mu, nesterov) {
    return Math.max(...CURVATURE.map((curvature) => {
      const left = 1 - eta * curvature;
      // z^2 - (w's share) z + (the share of the step before) = 0
      const [one, two] = nesterov ? [(1 + mu) * left, mu * left] : [left + mu, mu];
      const under = one * one - 4 * two;
      return under < 0 ? Math.sqrt(two) : (Math.abs(one) + Math.sqrt(under)) / 2;
    }));
  }

  function limit(mu, nesterov) {
    return (nesterov ? (2 + 2 * mu) / (1 + 2 * mu) : 2 + 2 * mu) / CURVATURE[1];
  }

  return () => {
    const [eta, mu, nesterov, count] = [Number(rate.value), Number(kept.value), ahead.checked, Number(shown.value)];
    const a = [0, 0], path = [START];
    let first = 0, w = START;
    const length = (point) => Math.hypot(...point);
    for (let t = 1; t <= PATIENCE && (t <= STEPS || !first) && length(w) < 1e100; t++) {
      w = step(w, a, eta, mu, nesterov);
      if (t <= STEPS) path.push(w);
      if (!first && length(w) < NEAR) first = t;
    }
    const walked = path.slice(0, count + 1);
    const sides = walked.slice(1).filter((point, t) => t && Math.sign(point[1]) !== Math.sign(walked[t][1])).length;
    const left = factor(eta, mu, nesterov), most = limit(mu, nesterov);
    const numbers = {
      path: walked, sides, first, factor: left, limit: most, converges: eta < most, distance: length(walked.at(-1)),
    };
    draw(figure, path, walked, left);
    const far = numbers.distance < 1000 ? said(numbers.distance, 3) : numbers.distance.toExponential(1);
    figure.words.textContent = `After ${walked.length - 1} steps ${far} from the middle, sides changed ${sides} times. `
      + (numbers.converges ? `Nearer than ${NEAR} after ${first || `more than ${PATIENCE}`} steps. ` : "It never arrives. ")
      + `In the long run a step leaves ${left.toFixed(3)} of the distance. It converges for rates below `
      + `${nesterov ? "(2\u00a0+\u00a02\u00b5)/(25\u00b7(1\u00a0+\u00a02\u00b5))" : "2\u00b7(1\u00a0+\u00a0\u00b5)/25"} = ${most.toFixed(3)}: `
      + `here it ${numbers.converges ? "does" : "does not"}.`;
    return numbers;
  };

  function draw({ picture }, path, walked, left) {
    picture.textContent = "";
    const clip = shape(shape(picture, "clipPath", { id: "valley-clip" }), "rect", { x: 0, y: 20, width: 400, height: 170 });
    const x = (along) => 160 + 22 * along, y = (across) => 105 - 38 * across;
    figure.write(4, 14, "the way, from its start at the right");
    const inside = shape(picture, "g", { "clip-path": `url(#${clip.parentElement.id})` });
    for (const height of [5, 20, 45, 80, 125, 180]) {
      const root = Math.sqrt(height);
      shape(inside, "ellipse", { cx: x(0), cy: y(0), rx: 22 * root, ry: 38 * root / 5, class: "line pale" });
    }
    const points = walked.map(([along, across]) => [x(along), y(across)].map((place) => Math.max(-1e4, Math.min(1e4, place))));
    shape(inside, "polyline", { points: points.map((point) => point.join()).join(" "), class: "line one", "data-shows": "path" });
    points.forEach(([cx, cy], t) => shape(inside, "circle", { cx, cy, r: t === points.length - 1 ? 5 : 2.5, class: "one" }));

    // Below: the distance by the step, on a scale of powers of ten.
    const across = (t) => 56 + 330 * t / STEPS, down = (distance) => 220 + 90 * (2 - Math.log10(Math.max(distance, 1e-9))) / 6;
    const below = shape(shape(picture, "clipPath", { id: "valley-below" }), "rect", { x: 56, y: 218, width: 334, height: 94 });
    const inner = shape(picture, "g", { "clip-path": `url(#${below.parentElement.id})` });
    figure.write(4, 208, "distance from the middle; dashed: by the factor in theory");
    for (const power of [2, 0, -2, -4]) {
      shape(picture, "line", { x1: 56, x2: 386, y1: down(10 ** power), y2: down(10 ** power), class: "line pale" });
      figure.write(52, down(10 ** power) + 5, String(10 ** power), { "text-anchor": "end" });
    }
    const curve = (distances) => distances.map((distance, t) => `${across(t)},${Math.max(-1e4, Math.min(1e4, down(distance)))}`).join(" ");
    const theory = Array.from({ length: STEPS + 1 }, (_, t) => Math.hypot(...START) * left ** t);
    shape(inner, "polyline", { points: curve(theory), class: "line two dashed" });
    shape(inner, "polyline", { points: curve(walked.map((point) => Math.hypot(...point))), class: "line one" });
    for (const t of [0, 20, 40, 60]) figure.write(across(t), 327, t ? t : "step 0", { "text-anchor": t === 60 ? "end" : "middle" });
  }
});
