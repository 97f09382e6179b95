// What the tests of the built site share: the site's folder, Chromium without a network, axe, a list of faults.

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "../..");
export const tools = path.join(root, "build/browser");
export const site = path.join(root, "build/site");
const require = createRequire(path.join(tools, "package.json"));
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
export const faults = [];

export async function launch() {
  const { chromium } = require("playwright-core");
  return chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
}

// A page of the site, opened as a file; errors in it, and what it asks of elsewhere, are faults.
export async function open(context, name, view = "") {
  const page = await context.newPage();
  page.on("pageerror", (error) => faults.push(`${name} ${view}: ${error}`));
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

export function say() {
  console.log(faults.length ? faults.join("\n") : "nothing wrong found");
  process.exit(faults.length ? 1 : 0);
}
