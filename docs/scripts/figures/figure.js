// What the figures that move have in common. A page holds
//
//     <div class="moving" data-figure="NAME">A sentence for those who read it without scripts.</div>
//
// and NAME.js in this folder puts a figure in its place by one call of movingFigure("NAME", LABEL, build). `build` gets the
// figure, gives it controls, and returns a function that draws: it fills the picture and returns what it shows, as numbers,
// which docs/tools/moving.mjs compares with those of kernels/reference.
//
// Nothing moves by itself. Where the reader's system asks for less motion, what plays elsewhere makes one step per press.

"use strict";

const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** A new element of HTML with its attributes and its text, at the end of `parent`. */
function element(parent, tag, attributes = {}, text = "") {
  return attached(parent, document.createElement(tag), attributes, text);
}

/** The same, of SVG. */
function shape(parent, tag, attributes = {}, text = "") {
  return attached(parent, document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, text);
}

function attached(parent, made, attributes, text) {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  parent.append(made);
  return made;
}

class MovingFigure {
  constructor(name, label, place) {
    this.name = name;
    this.root = element(place, "div", { class: "moving-figure", role: "group", "aria-label": label });
    this.picture = shape(this.root, "svg", { role: "img", "aria-label": label });
    this.controls = element(this.root, "div", { class: "controls" });
    this.words = element(this.root, "p", { class: "said", role: "status" });
    this.count = 0;
  }

  /** How large the picture is, in its own units: about one per pixel of a phone. */
  size(width, height) {
    this.picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
  }

  /** A control with its label above or beside it; `kind` is the input's type. */
  input(kind, parent, label, attributes) {
    const id = `${this.name}-${++this.count}`;
    const box = element(parent, "div", { class: kind });
    const input = element(box, "input", { id, type: kind, ...attributes });
    const named = element(box, "label", { for: id }, label);
    if (kind === "range") box.prepend(named);
    input.addEventListener("input", () => this.draw());
    return input;
  }

  /** A range with the value that it stands at behind its label. */
  slider(label, { min, max, step = 1, value, says = (number) => `${number}` }) {
    const input = this.input("range", this.controls, label, { min, max, step, value });
    const at = element(input.parentElement.firstChild, "output", { for: input.id });
    input.says = () => {
      at.textContent = says(Number(input.value));
      input.setAttribute("aria-valuetext", at.textContent);
    };
    return input;
  }

  /** Radio buttons: returns a function that gives the option chosen. */
  choice(label, options) {
    const box = element(this.controls, "fieldset");
    element(box, "legend", {}, label);
    const name = `${this.name}-${++this.count}-choice`;
    const inputs = options.map((option) => this.input("radio", box, option, { name, value: option }));
    inputs[0].checked = true;
    return () => inputs.find((input) => input.checked).value;
  }

  check(label) {
    return this.input("checkbox", this.controls, label, {});
  }

  button(label, act) {
    const made = element(this.buttons ??= element(this.controls, "div", { class: "buttons" }), "button", { type: "button" }, label);
    made.addEventListener("click", () => {
      act();
      this.draw();
    });
    return made;
  }

  /** A button that moves a slider on to its end, a step per `pause` milliseconds; with less motion, one step per press. */
  player(slider, pause) {
    let timer = 0;
    const name = () => {
      button.textContent = timer ? "Pause" : calm.matches ? "Next step" : "Play";
      // While it plays, the words would interrupt whoever listens to the page.
      this.words.setAttribute("aria-live", timer ? "off" : "polite");
    };
    const stop = () => {
      timer = clearInterval(timer) ?? 0;
      name();
    };
    const on = () => {
      slider.stepUp();
      if (slider.value === slider.max) stop();
      this.draw();
    };
    const button = this.button("Play", () => {
      const playing = timer;
      stop();
      if (playing) return;
      const ended = slider.value === slider.max;
      if (ended) slider.value = slider.min;
      if (!calm.matches) timer = setInterval(on, pause);
      else if (!ended) slider.stepUp();
      name();
    });
    slider.addEventListener("input", stop);
    calm.addEventListener("change", stop);
    name();
  }

  draw() {
    for (const input of this.controls.querySelectorAll("input")) input.says?.();
    this.root.numbers = this.drawing();
  }

  /** Words in the picture; `shows` names the number that they show. */
  write(x, y, text, { shows = "", ...attributes } = {}) {
    return shape(this.picture, "text", { x, y, ...(shows && { "data-shows": shows }), ...attributes }, text);
  }

  /** Values of `rows` x `columns` as an image; `colour` gives red, green, blue and opacity, from 0 to 255, of a value. */
  image(values, rows, columns, colour, x, y, size) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [columns, rows];
    const ink = canvas.getContext("2d");
    const pixels = ink.createImageData(columns, rows);
    values.forEach((value, place) => pixels.data.set(colour(value), 4 * place));
    ink.putImageData(pixels, 0, 0);
    shape(this.picture, "rect", { x, y, width: size, height: size, class: "paper" });
    return shape(this.picture, "image", { x, y, width: size, height: size, href: canvas.toDataURL(), preserveAspectRatio: "none" });
  }
}

/** Black at 0 to white at 255. */
function grey(value) {
  const light = Math.max(0, Math.min(255, Math.round(value)));
  return [light, light, light, 255];
}

/** Blue below 0, orange above, transparent at 0; `largest` is full colour, and small values are lifted by a root. */
function signed(largest) {
  return (value) => {
    const share = value ? Math.max(0.08, Math.min(1, Math.sqrt(Math.abs(value) / largest))) : 0;
    return value < 0 ? [57, 105, 230, 255 * share] : [230, 110, 20, 255 * share];
  };
}

/** The bytes that base64 text stands for, as numbers from -128 to 127, or from 0 to 255. */
function bytes(text, unsigned = false) {
  const all = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return Array.from(unsigned ? all : new Int8Array(all.buffer));
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

/** A number for readers: no minus before a zero. */
function said(number, digits) {
  const text = number.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "\u2212");
}

/** Builds the figure NAME in every place of the page that asks for it. */
function movingFigure(name, label, build) {
  for (const place of document.querySelectorAll(`.moving[data-figure="${name}"]`)) {
    place.textContent = "";
    const figure = new MovingFigure(name, label, place);
    figure.drawing = build(figure);
    figure.draw();
  }
}
