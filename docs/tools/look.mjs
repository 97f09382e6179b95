// The built site in a real browser: make test-pages, or from the checkout
//
//     node docs/tools/look.mjs [PAGE ...]      pages of build/site by name, all without; build/browser has the packages
//
// Every page, opened as a file with the network off, on a screen and on a phone, light and dark: axe finds nothing, no
// page is wider than its screen, nothing is asked of elsewhere, and the search finds a word. Pictures of the pages are
// left in build/browser/shots, to be looked at.

import fs from "node:fs";
import path from "node:path";
import { faults, fresh, look, open, say, site, tools } from "./browser.mjs";

// 404.html is for servers: it looks for its styles at the root.
const built = fs.readdirSync(site, { recursive: true }).filter((name) => name.endsWith(".html") && name !== "404.html");
const asked = process.argv.slice(2).map((name) => `${name}.html`);

async function lookAt(context, name, view) {
  const page = await open(context, name, view);
  await page.waitForTimeout(500);
  await look(page, name, view);
  await page.screenshot({ path: path.join(tools, "shots", `${name.slice(0, -5).replaceAll("/", "_")}-${view}.png`), fullPage: true });
  await page.close();
}

async function search(context, view) {
  const page = await open(context, "index.html", view);
  const glass = page.locator(".md-header label[for=__search]").first(); // in the place of the field, on a phone
  if (await glass.isVisible()) await glass.click();
  await page.locator("input.md-search__input").pressSequentially("subgradient");
  const first = page.locator(".md-search-result__link").first();
  await first.waitFor({ timeout: 20000 }).catch(() => faults.push(`the search finds no subgradient, ${view}`));
  await page.close();
}

for (const [colorScheme, width] of [["light", 1280], ["light", 390], ["dark", 1280], ["dark", 390]]) {
  const context = await fresh({ width, colorScheme });
  for (const name of asked.length ? asked : built) await lookAt(context, name, `${width}-${colorScheme}`);
  if (colorScheme === "light") await search(context, `${width}-${colorScheme}`);
  await context.close();
}
await say();
