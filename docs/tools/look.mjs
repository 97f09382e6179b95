// The built site in a real browser: make test-pages, or from the checkout
//
//     node docs/tools/look.mjs [PAGE ...]      pages of build/site by name, all without; build/browser has the packages
//
// Every page, opened as a file with the network off, on a screen and on a phone, light and dark: axe finds nothing, no
// page is wider than its screen, nothing is asked of elsewhere, and the search finds a word. Pictures of the pages are
// left in build/browser/shots, to be looked at.

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "../..");
const tools = path.join(root, "build/browser");
const site = path.join(root, "build/site");
const require = createRequire(path.join(tools, "package.json"));
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
// 404.html is for servers: it looks for its styles at the root.
const built = fs.readdirSync(site, { recursive: true }).filter((name) => name.endsWith(".html") && name !== "404.html");
const asked = process.argv.slice(2).map((name) => `${name}.html`);
const faults = [];

async function look(context, name, view) {
  const page = await context.newPage();
  page.on("pageerror", (error) => faults.push(`${name} ${view}: ${error}`));
  page.on("request", (request) => {
    if (!/^(file|data|blob):/.test(request.url())) faults.push(`${name} ${view}: asks for ${request.url()}`);
  });
  await page.goto(`file://${path.join(site, name)}`);
  await page.waitForTimeout(400);
  await page.evaluate(axe);
  const found = await page.evaluate(async () => (await window.axe.run({ resultTypes: ["violations"] })).violations);
  for (const each of found) faults.push(`${name} ${view}: ${each.id}, ${each.nodes.length} times: ${each.nodes[0].html.slice(0, 120)}`);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (over > 0) faults.push(`${name} ${view}: ${over} pixels wider than the screen`);
  await page.screenshot({ path: path.join(tools, "shots", `${name.slice(0, -5).replaceAll("/", "_")}-${view}.png`), fullPage: true });
  await page.close();
}

async function search(context) {
  const page = await context.newPage();
  await page.goto(`file://${path.join(site, "index.html")}`);
  await page.click("label[for=__search]:visible").catch(() => {});
  await page.fill("input.md-search__input", "subgradient");
  const first = page.locator(".md-search-result__link").first();
  await first.waitFor({ timeout: 20000 }).catch(() => faults.push("the search finds no subgradient"));
  await page.close();
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
for (const [colorScheme, width] of [["light", 1280], ["light", 390], ["dark", 1280], ["dark", 390]]) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, offline: true });
  for (const name of asked.length ? asked : built) await look(context, name, `${width}-${colorScheme}`);
  if (width === 1280 && colorScheme === "light") await search(context);
  await context.close();
}
await browser.close();
console.log(faults.length ? faults.join("\n") : "nothing wrong found");
process.exit(faults.length ? 1 : 0);
