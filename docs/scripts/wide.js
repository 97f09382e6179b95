// What is wider than the screen (a formula, a table, a picture, code) says so, and can be moved by keyboard, too.

const WIDE = ".formula, .scroll, .md-typeset__scrollwrap, .md-typeset pre > code";

function look() {
  for (const part of document.querySelectorAll(WIDE)) {
    const cut = part.scrollWidth > part.clientWidth + 2;
    let hint = part.previousElementSibling;
    if (!hint || !hint.classList.contains("wide-hint")) hint = null;
    if (cut) {
      part.tabIndex = 0;
      part.setAttribute("role", "group");
      part.setAttribute("aria-label", "wider than the screen: scrolls sideways");
      if (!hint && part.tagName !== "CODE") {
        hint = document.createElement("div");
        hint.className = "wide-hint";
        hint.setAttribute("aria-hidden", "true");
        hint.textContent = "wider than the screen: scroll sideways \u2192";
        part.before(hint);
      }
    } else if (hint) {
      hint.remove();
    }
  }
}

addEventListener("load", () => setTimeout(look, 100));
addEventListener("resize", look);
