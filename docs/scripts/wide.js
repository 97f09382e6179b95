// What is wider than its place (a formula, a table, a picture, code) says so, and can be moved by keyboard, too.

const WIDE = ".formula, .scroll, .md-typeset__scrollwrap, .md-typeset pre > code";
const SAID = { tabindex: "0", role: "group", "aria-label": "wider than the screen: scrolls sideways" };

function look() {
  for (const part of document.querySelectorAll(WIDE)) {
    const before = part.previousElementSibling;
    const hint = before && before.classList.contains("wide-hint") ? before : null;
    const cut = part.scrollWidth > part.clientWidth + 2;
    for (const [name, value] of Object.entries(SAID)) {
      if (cut) part.setAttribute(name, value);
      else part.removeAttribute(name);
    }
    if (cut && !hint && part.tagName !== "CODE") {
      const words = document.createElement("div");
      words.className = "wide-hint";
      words.setAttribute("aria-hidden", "true");
      words.textContent = "wider than the screen: scroll sideways \u2192";
      part.before(words);
    } else if (!cut && hint) {
      hint.remove();
    }
  }
}

// The theme looks at code, too, when its size changes, and takes the keyboard's place in it away: so once more after that.
function soon() {
  look();
  setTimeout(look, 200);
}

addEventListener("load", () => document.fonts.ready.then(soon));
addEventListener("resize", soon);
document.addEventListener("toggle", soon, true);
