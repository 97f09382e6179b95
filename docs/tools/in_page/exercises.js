// The editors of the course: every block of code titled "exercise NAME" becomes one, with Run, Stop and Reset, and the
// verdict in words under it; the block titled "your own layer" is judged by the gradient checker alone.

import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { python } from "@codemirror/lang-python";
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";
import { Stopped, ready, run, stop } from "./python.js";

const TITLE = /^exercise ([\w-]+)$/;
const OWN = "your own layer";
const SLOW = 10;
const RUNS = navigator.platform.startsWith("Mac") ? "Cmd+Enter" : "Ctrl+Enter";
const KEYS = `${RUNS} runs. Tab indents; to leave the editor by keyboard, press Escape, then Tab.`;

const editors = [];

// --- The line that a verdict names is marked, until something is changed.

const LINE = /(?:^|"your code", )line (\d+)/gm;
const fault = StateEffect.define();
const faults = StateField.define({
  create: () => Decoration.none,
  update(marks, transaction) {
    const found = transaction.effects.find((effect) => effect.is(fault));
    if (found) return Decoration.set(Decoration.line({ class: "exercise-fault" }).range(found.value));
    return transaction.docChanged ? Decoration.none : marks;
  },
  provide: (field) => EditorView.decorations.from(field),
});

// --- What a student wrote stays, where the browser keeps anything for pages opened as files.

const kept = {
  key: (name, what) => `emop3d course: ${name}: ${what}`,
  get(name, what) {
    try {
      return localStorage.getItem(this.key(name, what));
    } catch {
      return null;
    }
  },
  set(name, what, text) {
    try {
      if (text === null) localStorage.removeItem(this.key(name, what));
      else localStorage.setItem(this.key(name, what), text);
    } catch {
      // Nothing is kept; the editor works all the same.
    }
  },
};

function element(tag, className, text, children = []) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function button(words, label, pressed) {
  const made = element("button", "md-button", words);
  made.type = "button";
  made.setAttribute("aria-label", `${words}: ${label}`);
  made.addEventListener("click", pressed);
  return made;
}

class Exercise {
  constructor(block, name, title) {
    this.name = name;
    this.title = title;
    this.start = block.querySelector("code").textContent.trimEnd() + "\n";
    const keys = element("p", "exercise-keys", KEYS);
    keys.id = `keys-${name || "own"}`;
    this.run = button("Run", title, () => this.judge());
    this.run.classList.add("md-button--primary");
    this.stop = button("Stop", title, stop);
    this.reset = button("Reset", title, () => this.begin());
    this.stop.hidden = true;
    this.said = element("div", "exercise-verdict");
    this.said.setAttribute("role", "status");
    const text = kept.get(name, "text") ?? this.start;
    this.view = new EditorView({ doc: text, extensions: this.extensions(keys.id), parent: element("div", "exercise-editor") });
    const buttons = element("div", "exercise-buttons", "", [this.run, this.stop, this.reset]);
    const place = element("div", "exercise", "", [this.view.dom.parentNode, buttons, keys, this.said]);
    place.dataset.exercise = name;
    block.replaceWith(place);
    if (kept.get(name, "right") === text) this.say("right", "Right, when you last ran it.");
    else if (text !== this.start) this.say("", "This is your text from last time. Reset brings back the beginning.");
  }

  extensions(keys) {
    const runs = { key: "Mod-Enter", run: () => (this.judge(), true) };
    return [
      lineNumbers(), highlightActiveLineGutter(), highlightActiveLine(), history(), drawSelection(), indentOnInput(), bracketMatching(), faults,
      indentUnit.of("    "), python(), syntaxHighlighting(classHighlighter),
      keymap.of([runs, { key: "Shift-Enter", run: runs.run }, indentWithTab, ...defaultKeymap, ...historyKeymap]),
      EditorView.contentAttributes.of({ "aria-label": `Your code: ${this.title}`, "aria-describedby": keys, tabindex: "0" }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) kept.set(this.name, "text", this.text === this.start ? null : this.text);
      }),
    ];
  }

  get text() {
    return this.view.state.doc.toString();
  }

  begin() {
    this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: this.start } });
    this.say("", "The beginning is back; undo in the editor returns your text.");
  }

  async judge() {
    if (this.run.disabled) return;
    const text = this.text;
    const focused = document.activeElement === this.run;
    busy(this, true);
    this.say("", ready() ? "Running ..." : "Starting Python: this takes some seconds, the first time only ...");
    const slow = setInterval(() => {
      if (!ready()) return;
      this.say("", "Still running. A loop that does not end? Stop ends it.");
      clearInterval(slow);
    }, SLOW * 1000);
    try {
      const { right, words, report, printed } = await run(this.name, text);
      const laidOut = [["The whole report", report], ["Your code printed", printed]];
      this.say(right ? "right" : "wrong", right ? "Right." : "Not right yet.", words, laidOut);
      kept.set(this.name, "right", right ? text : null);
      this.mark(Number([...`${words}\n${report}`.matchAll(LINE)].pop()?.[1]));
    } catch (error) {
      if (error instanceof Stopped) this.say("wrong", "Stopped.", "Python starts again at the next Run.");
      else this.say("wrong", "Python ended.", `${error.message}\nIt starts again at the next Run.`);
    } finally {
      clearInterval(slow);
      // A button that is disabled loses the focus.
      const lost = focused || document.activeElement === this.stop;
      busy(this, false);
      if (lost) this.run.focus({ preventScroll: true });
      this.said.scrollIntoView({ block: "nearest" });
    }
  }

  mark(line) {
    const { doc } = this.view.state;
    if (line >= 1 && line <= doc.lines) this.view.dispatch({ effects: fault.of(doc.line(line).from) });
  }

  // A kind (right, wrong, or neither), a line, and what there is to say more: words, and what is laid out in lines.
  say(kind, line, words = "", laidOut = []) {
    this.said.className = `exercise-verdict ${kind}`;
    const parts = [element("p", "exercise-line", `${{ right: "\u2713 ", wrong: "\u2717 " }[kind] || ""}${line}`)];
    for (const each of words.split("\n").filter((each) => each.trim())) parts.push(prose(each));
    for (const [title, text] of laidOut.filter(([, text]) => text.trim())) {
      const lines = element("pre", "", text.trimEnd());
      Object.assign(lines, { tabIndex: 0, role: "group", ariaLabel: title });
      parts.push(element("p", "", `${title}:`), lines);
    }
    this.said.replaceChildren(...parts);
  }
}

// A sentence, what stands in backticks as code.
function prose(text) {
  const made = element("p", "");
  text.split("`").forEach((part, at) => made.append(at % 2 ? element("code", "", part) : part));
  return made;
}

// One Python runs one text at a time.
function busy(one, is) {
  for (const each of editors) each.run.disabled = is;
  one.stop.hidden = !is;
}

function heading(block) {
  for (let at = block; at; at = at.previousElementSibling) {
    if (/^H[1-6]$/.test(at.tagName)) return at.firstChild.textContent.trim();
  }
  return "";
}

for (const block of document.querySelectorAll("div.highlight")) {
  const title = block.querySelector(".filename")?.textContent ?? "";
  const found = TITLE.exec(title);
  if (found || title === OWN) editors.push(new Exercise(block, found ? found[1] : "", heading(block) || title));
}
