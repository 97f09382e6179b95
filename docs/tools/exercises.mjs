// The course's pages in a real browser, opened as files with the network off: make test-pages, or
//
//     node docs/tools/exercises.mjs [LESSON ...]      their numbers, all without
//
// A student's way by keyboard through one exercise and through the editor for layers of one's own; then every exercise
// of every lesson: what it begins with is not right, its answer is, in the page's Python.

import fs from "node:fs";
import path from "node:path";
import { faults, fresh, look, open, say, site } from "./browser.mjs";

const FIRST = "chain_of_two";
const asked = process.argv.slice(2).map(Number);
const lessons = fs.readdirSync(path.join(site, "course")).map((name) => Number(/^lesson_(\d+)\.html$/.exec(name)?.[1])).filter((n) => n);

function expect(holds, words) {
  if (!holds) faults.push(words);
}

const editor = (page, name) => page.locator(`.exercise[data-exercise="${name}"]`);
const start = (block) => block.locator(".cm-line").allTextContents().then((lines) => lines.join("\n"));

// All of the text exchanged for another, copied from a field and pasted.
async function write(page, block, text) {
  await page.evaluate((copied) => {
    const field = document.body.appendChild(document.createElement("textarea"));
    field.id = "copied";
    field.value = copied;
    field.select();
  }, text);
  await page.keyboard.press("Control+C");
  await page.evaluate(() => document.getElementById("copied").remove());
  await block.locator(".cm-content").focus();
  await page.keyboard.press("Control+A");
  await page.keyboard.press("Control+V");
}

// Run, and what is said then.
async function verdict(page, block, run = () => block.locator("button", { hasText: "Run" }).click()) {
  await run();
  const said = block.locator(".exercise-verdict");
  await block.locator("button:enabled", { hasText: "Run" }).waitFor({ timeout: 120000 });
  return said.innerText();
}

async function answer(block) {
  const folded = block.locator("xpath=following-sibling::details[summary[contains(., 'Answer')]][1]");
  return (await folded.locator("code").textContent()).trimEnd();
}

// --- One exercise, by keyboard alone.

async function student(context) {
  const page = await open(context, "course/lesson_1.html");
  const block = editor(page, FIRST);
  await block.waitFor();
  const begin = await start(block);
  const right = await answer(block);
  const wrong = right.replace("return dz * w, dz * x, dz", "return dz * x, dz * w, dz");
  expect(right !== wrong, `the answer to ${FIRST} is another; this test exchanges dx and dw in it`);
  const press = (keys) => () => page.keyboard.press(keys);

  await write(page, block, wrong);
  const first = await verdict(page, block, press("Control+Enter"));
  expect(first.includes("Not right yet.") && first.includes("exchanged"), `exchanged gradients: ${first}`);
  await write(page, block, right);
  const second = await verdict(page, block, press("Control+Enter"));
  expect(second.includes("\u2713 Right."), `the answer: ${second}`);
  await page.waitForTimeout(200);
  expect(await block.locator(".cm-content").evaluate((each) => each === document.activeElement), "after a run by keyboard the editor has the focus");

  // Tab indents, and leaves after Escape; the hints unfold.
  await page.keyboard.press("Control+Home");
  await page.keyboard.press("Tab");
  expect((await start(block)).startsWith("    "), "Tab does not indent");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  expect((await page.evaluate(() => document.activeElement.textContent)) === "Run", "Escape, then Tab do not lead out of the editor");
  expect((await verdict(page, block, press("Enter"))).includes("Right."), "Enter on Run");
  expect((await page.evaluate(() => document.activeElement.textContent)) === "Run", "the focus is not on Run any more after a run");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  const hint = page.locator("details").first();
  expect(await hint.evaluate((each) => each.open), "Tab and Enter do not unfold the first hint");

  for (const [colorScheme, width] of [["light", 1280], ["light", 390], ["dark", 1280], ["dark", 390]]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    await page.evaluate(() => document.querySelectorAll("details").forEach((each) => (each.open = true)));
    await page.waitForTimeout(400);
    await look(page, "lesson 1, answered", `${width}-${colorScheme}`);
  }

  await page.reload();
  await block.waitFor();
  expect((await start(block)).trimEnd() === right, "the text is not kept");
  expect((await block.innerText()).includes("Right, when you last ran it."), "that it was right is not kept");
  await block.locator("button", { hasText: "Reset" }).click();
  expect((await start(block)) === begin, "Reset does not bring the beginning back");
  await page.close();
}

// --- A layer of one's own.

async function ownLayer(context) {
  const page = await open(context, "course/try.html");
  const block = editor(page, "");
  await block.waitFor();
  const begin = await start(block);
  const wrong = await verdict(page, block);
  expect(wrong.includes("lacks the way through the mean") && wrong.includes("gradient of shift: right"), `the example: ${wrong}`);
  await look(page, "a layer of one's own, judged", "1280-light");
  const mended = begin.replace("(d * u).mean(axis=0)", "(d * u).sum(axis=0)").replace("(du - u", "(du - du.mean(axis=1, keepdims=True) - u");
  await write(page, block, mended);
  const right = await verdict(page, block);
  expect(right.includes("\u2713 Right."), `the example, mended: ${right}`);

  await write(page, block, "print('hello')\nx = 1 / 0\n");
  const error = await verdict(page, block);
  expect(/hello/.test(error) && /line 2/.test(error) && /ZeroDivisionError/.test(error), `an error: ${error}`);
  expect((await block.locator(".exercise-fault").allTextContents()).join() === "x = 1 / 0", "the line of an error is not marked");
  await write(page, block, "while True: pass\n");
  const stopped = await verdict(page, block, async () => {
    await block.locator("button", { hasText: "Run" }).click();
    await page.waitForTimeout(1000);
    await block.locator("button", { hasText: "Stop" }).click();
  });
  expect(stopped.includes("Stopped."), `an endless loop, stopped: ${stopped}`);
  await write(page, block, mended);
  expect((await verdict(page, block)).includes("Right."), "after Stop, Python does not start again");
  await page.close();
}

// --- Every exercise.

async function lesson(context, number) {
  const page = await open(context, `course/lesson_${number}.html`);
  await page.locator(".exercise").first().waitFor();
  const blocks = await page.locator(".exercise").all();
  for (const block of blocks) {
    const name = await block.getAttribute("data-exercise");
    const begin = await verdict(page, block);
    expect(begin.includes("Not right yet."), `${name}, as it begins: ${begin}`);
    await write(page, block, await answer(block));
    const right = await verdict(page, block);
    expect(right.includes("\u2713 Right."), `${name}, its answer: ${right}`);
  }
  await page.close();
  return blocks.length;
}

if (!asked.length) {
  await student(await fresh());
  await ownLayer(await fresh());
}
let count = 0;
for (const number of asked.length ? asked : lessons) count += await lesson(await fresh(), number);
console.log(`${count} exercises judged in the page`);
await say();
