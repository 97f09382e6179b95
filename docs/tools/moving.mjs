// The figures that move, in a real browser: make test-pages, or from the checkout, when the site is built,
//
//     python docs/tools/moving.py build/browser/moving.json
//     node docs/tools/moving.mjs [FIGURE ...]
//
// Each figure, on the page that holds it, opened as a file with the network off: it shows the numbers that moving.py computed
// with kernels/reference; it moves by mouse, by keyboard and when it is played, and never by itself; with less motion asked
// for it makes one step per press; it fits a phone; axe finds nothing, and words on colour have a contrast of 4.5, light and
// dark; and without scripts a sentence stands in its place. Pictures are left in build/browser/shots.

import fs from "node:fs";
import path from "node:path";
import { faults, fresh, look, open, say, site, tools } from "./browser.mjs";

const expected = JSON.parse(fs.readFileSync(path.join(tools, "moving.json"), "utf8"));
const PLACED = /class="moving" data-figure="(\w+)"/g;
const pages = {};
for (const name of fs.readdirSync(site, { recursive: true }).filter((each) => each.endsWith(".html"))) {
  for (const [, figure] of fs.readFileSync(path.join(site, name), "utf8").matchAll(PLACED)) pages[figure] = name;
}

function must(right, what) {
  if (!right) faults.push(what);
}

async function find(context, name) {
  const page = await open(context, pages[name]);
  const figure = page.locator(`.moving[data-figure=${name}] .moving-figure`);
  await figure.scrollIntoViewIfNeeded();
  return [page, figure];
}

// --- The numbers.

async function set(figure, [label, value]) {
  if (value === "press") return figure.getByRole("button", { name: label, exact: true }).click();
  if (value === "cell") return figure.locator(`[aria-label^="${label}:"]`).click();
  const control = figure.getByLabel(label.trim(), { exact: false }).first();
  if (typeof value === "boolean") return control.setChecked(value);
  return control.evaluate((input, to) => {
    input.value = to;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }, value);
}

/** Whether what is shown is what is due: numbers to rounding, and all of what they stand in. */
function close(shown, due) {
  if (Array.isArray(due)) return shown?.length === due.length && due.every((each, place) => close(shown[place], each));
  if (typeof due === "number") return Math.abs(shown - due) <= 1e-7 * Math.abs(due) + 1e-9;
  return shown === due;
}

async function compare(figure, name) {
  for (const { controls, numbers, texts = {}, words = "" } of expected[name]) {
    for (const each of controls) await set(figure, each);
    const where = `${name} at ${controls.map(([label, value]) => label + value).join(", ")}`;
    const shown = await figure.evaluate((element) => element.numbers);
    for (const [key, due] of Object.entries(numbers)) {
      must(close(shown[key], due), `${where}: ${key} is ${JSON.stringify(shown[key])?.slice(0, 200)}, not ${JSON.stringify(due).slice(0, 200)}`);
    }
    for (const [key, due] of Object.entries(texts)) {
      const read = (await figure.locator(`[data-shows=${key}]`).allTextContents()).map(Number);
      must(close(read, due), `${where}: ${key} reads ${read}, not ${due}`);
    }
    const read = await figure.locator(".said").textContent();
    must(read.includes(words), `${where}: ${JSON.stringify(read)} does not say ${words}`);
  }
  if (name === "valley") await compareWay(figure);
}

/** The line of the valley is drawn where its numbers are: 22 units per step along, 38 across, from (160, 105). */
async function compareWay(figure) {
  const last = expected.valley[1];
  for (const each of last.controls) await set(figure, each);
  const drawn = await figure.locator("[data-shows=path]").getAttribute("points");
  must(close(drawn.split(" ").map((point) => point.split(",").map(Number)), last.numbers.path.map(([a, b]) => [160 + 22 * a, 105 - 38 * b])), "valley: the way is not drawn as computed");
}

// --- How it moves.

const seen = (figure) => figure.evaluate((element) => element.querySelector("svg").outerHTML + element.querySelector(".said").textContent);

async function moves(page, figure, name) {
  const before = await seen(figure);
  await page.waitForTimeout(700);
  must((await seen(figure)) === before, `${name}: moves before anybody asked`);
  for (const slider of await figure.locator("input[type=range]").all()) {
    await slider.press("Home");
    const label = await slider.evaluate((input) => input.labels[0].textContent);
    const at = await seen(figure), { x, y, width, height } = await slider.boundingBox();
    await page.mouse.move(x + width / 2, y + height / 2);
    await page.mouse.down();
    for (const share of [0.4, 0.7, 0.93]) await page.mouse.move(x + share * width, y + height / 2);
    await page.mouse.up();
    const dragged = await seen(figure);
    must(dragged !== at, `${name}: ${label} does nothing when it is dragged`);
    await slider.focus();
    await page.keyboard.press("ArrowLeft");
    must((await seen(figure)) !== dragged, `${name}: ${label} does nothing by the keyboard`);
  }
  if (name === "maximum") await cells(page, figure);
  const play = figure.getByRole("button", { name: "Play", exact: true });
  if (!(await play.count())) return;
  for (const slider of await figure.locator("input[type=range]").all()) await slider.press("Home");
  await play.press("Enter");
  const pause = figure.getByRole("button", { name: "Pause", exact: true });
  must(await pause.count(), `${name}: does not play`);
  const places = new Set();
  for (let wait = 0; wait < 14 && places.size < 3; wait++) {
    places.add(await seen(figure));
    await page.waitForTimeout(250);
  }
  must(places.size > 2, `${name}: plays, but does not move`);
  await pause.click();
  const stopped = await seen(figure);
  await page.waitForTimeout(1700);
  must((await seen(figure)) === stopped, `${name}: goes on when it is paused`);
}

/** A press chooses a cell, arrows go to the next and stop at the edge, digits write. */
async function cells(page, figure) {
  const chosen = () => figure.locator("[aria-pressed=true]").getAttribute("aria-label");
  await figure.getByLabel("In space").check();
  await figure.getByRole("button", { name: "Back to the example" }).click();
  await figure.locator("[data-cell='6']").click();
  must((await chosen()) === "row 1, column 1: 5, receives 1", `maximum: chose ${await chosen()}`);
  for (const [key, due] of [["ArrowRight", "row 1, column 2: 4, receives 0"], ["ArrowUp", "row 0, column 2: 4, receives 2"], ["ArrowUp", "row 0, column 2: 4, receives 2"], ["0", "row 0, column 2: 0, receives 0"]]) {
    await page.keyboard.press(key);
    must((await chosen()) === due, `maximum: after ${key} ${await chosen()}, not ${due}`);
    must(await figure.evaluate((element) => document.activeElement.matches("[aria-pressed=true]")), `maximum: ${key} loses the focus`);
  }
  await figure.getByRole("button", { name: "Back to the example" }).click();
}

async function calm(page, figure, name) {
  must(!(await figure.evaluate((element) => element.getAnimations({ subtree: true }).length)), `${name}: animated with less motion asked for`);
  const next = figure.getByRole("button", { name: "Next step" });
  if (!(await next.count())) return must(name === "maximum" || name === "light", `${name}: no button for one step`);
  const before = await seen(figure);
  await next.click();
  const once = await seen(figure);
  must(once !== before, `${name}: one step does nothing`);
  await page.waitForTimeout(1700);
  must((await seen(figure)) === once, `${name}: goes on by itself with less motion asked for`);
}

// --- How it looks.

/** The least contrast of words in the picture with what is under their middle, and the height of the smallest. */
function legible(element) {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\d.]+/g).slice(0, 3).map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const page = getComputedStyle(document.body).backgroundColor;
  let [contrast, height, worst] = [21, 100, ""];
  for (const words of element.querySelectorAll("svg text")) {
    const { x, y, width, height: tall } = words.getBoundingClientRect();
    const under = document.elementsFromPoint(x + width / 2, y + tall / 2).find((each) => ["rect", "circle"].includes(each.tagName) && getComputedStyle(each).fill !== "none");
    const [one, other] = [getComputedStyle(words).fill, under ? getComputedStyle(under).fill : page].map(light);
    const ratio = Math.max(one, other) / Math.min(one, other);
    if (ratio < contrast) [contrast, worst] = [ratio, words.textContent];
    const scale = words.ownerSVGElement.getBoundingClientRect().width / words.ownerSVGElement.viewBox.baseVal.width;
    height = Math.min(height, scale * parseFloat(getComputedStyle(words).fontSize));
  }
  return { contrast, height, worst };
}

async function looks(page, figure, name, view) {
  for (const each of ["", "Over frames: runs of three", "Its transpose: down a column"]) {
    const option = each && figure.getByLabel(each);
    if (option) {
      if (!(await option.count())) continue;
      await option.check();
    }
    await figure.evaluate((element) => element.querySelector("svg").scrollIntoView({ block: "center" }));
    const { contrast, height, worst } = await figure.evaluate(legible);
    must(contrast >= 4.5, `${name} ${view}: contrast ${contrast.toFixed(2)} of ${JSON.stringify(worst)}`);
    must(height >= 10.5, `${name} ${view}: words of ${height.toFixed(1)} pixels`);
    await figure.screenshot({ path: path.join(tools, "shots", `moving_${name}-${view}${each && "-other"}.png`) });
  }
  // With its other option chosen, where it has one; look.mjs has seen the page as it is at first.
  await look(page, name, view);
  const cut = await figure.evaluate((element) => element.scrollWidth - element.clientWidth);
  must(cut <= 1, `${name} ${view}: ${cut} pixels cut off`);
}

// --- All of it.

const asked = process.argv.slice(2);
must(Object.keys(expected).every((name) => pages[name]), `not on any page: ${Object.keys(expected).filter((name) => !pages[name])}`);
must(Object.keys(pages).every((name) => expected[name]), `no numbers for: ${Object.keys(pages).filter((name) => !expected[name])}`);
for (const name of asked.length ? asked : Object.keys(expected)) {
  for (const [colorScheme, width] of [["light", 1280], ["light", 390], ["dark", 1280], ["dark", 390]]) {
    const context = await fresh({ width, colorScheme, reducedMotion: width === 390 ? "reduce" : "no-preference" });
    const [page, figure] = await find(context, name);
    await looks(page, figure, name, `${width}-${colorScheme}`);
    if (width === 390) await calm(page, figure, name);
    else if (colorScheme === "light") {
      await compare(figure, name);
      await moves(page, figure, name);
    }
    await context.close();
  }
  const plain = await fresh({ javaScriptEnabled: false });
  const page = await plain.newPage();
  await page.goto(`file://${path.join(site, pages[name])}`);
  const words = await page.locator(`.moving[data-figure=${name}]`).innerText();
  must(words.length > 60, `${name}: without scripts only ${JSON.stringify(words)}`);
  await plain.close();
}
await say();
