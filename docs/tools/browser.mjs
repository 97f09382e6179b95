// What the tests of the built site share: the site's folder, a browser without a network, axe, a list of faults.
//
// Chromium, or with BROWSER=firefox in the environment an ordinary Firefox; CHROMIUM and FIREFOX say where they are.

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "../..");
export const tools = path.join(root, "build/browser");
export const site = path.join(root, "build/site");
const require = createRequire(path.join(tools, "package.json"));
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
export const faults = [];

const name = process.env.BROWSER || "chromium";
const WAYS = {
  chromium: { executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] },
  firefox: { executablePath: process.env.FIREFOX || "/usr/bin/firefox-esr", channel: "moz-firefox" },
};
const started = {};

// A window without a network. Firefox takes colours and motion from its settings alone: one Firefox for each pair.
export async function fresh({ width = 1280, colorScheme = "light", reducedMotion = "no-preference", ...more } = {}) {
  const firefoxUserPrefs = {
    "ui.prefersReducedMotion": Number(reducedMotion === "reduce"),
    "ui.systemUsesDarkTheme": Number(colorScheme === "dark"),
    "ui.useOverlayScrollbars": 1, // as phones have them: the whole width is the page's
  };
  const [key, settings] = name === "firefox" ? [`${colorScheme} ${reducedMotion}`, { firefoxUserPrefs }] : ["", {}];
  started[key] ??= await require("playwright-core")[name].launch({ ...WAYS[name], ...settings });
  return started[key].newContext({ viewport: { width, height: 900 }, colorScheme, reducedMotion, offline: true, ...more });
}

// A page of the site, opened as a file; errors in it, and what it asks of elsewhere, are faults.
export async function open(context, name, view = "") {
  const page = await context.newPage();
  page.on("pageerror", (error) => {
    // Firefox says so of a formula of which it has read a part.
    if (!/^Invalid markup: Incorrect number of children/.test(error.message)) faults.push(`${name} ${view}: ${error}`);
  });
  page.on("request", (request) => {
    if (!/^(file|data|blob):/.test(request.url())) faults.push(`${name} ${view}: asks for ${request.url()}`);
  });
  await page.goto(`file://${path.join(site, name)}`);
  return page;
}

// What axe finds is a fault, and being wider than the screen.
export async function look(page, name, view) {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => (await window.axe.run({ resultTypes: ["violations"] })).violations);
  for (const each of found) faults.push(`${name} ${view}: ${each.id}, ${each.nodes.length} times: ${each.nodes[0].html.slice(0, 120)}`);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (over > 0) faults.push(`${name} ${view}: ${over} pixels wider than the screen`);
}

export async function say() {
  const versions = new Set(Object.values(started).map((browser) => `${name} ${browser.version()}`));
  await Promise.all(Object.values(started).map((browser) => browser.close()));
  console.log(faults.length ? faults.join("\n") : "nothing wrong found", `(${[...versions]})`);
  process.exit(faults.length ? 1 : 0);
}
