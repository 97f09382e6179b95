// Python for the page's editors: started at the first use, ended by stop(), started anew after that.

const PARTS = ["pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json", "numpy.whl", "sources.zip", "worker.js"];
const folder = new URL(".", document.currentScript.src);
const loaded = {};

export class Stopped extends Error {}

// What each part's script calls: a page opened as a file can load scripts only, so that a part is a text in one.
globalThis.partOfPython = (name, text) => {
  loaded[name] = new Blob([Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0))]);
};

function script(name) {
  return new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = new URL(`${name}.js`, folder);
    element.onload = () => resolve(element.remove());
    element.onerror = () => reject(new Error(`${element.src} cannot be read`));
    document.head.append(element);
  });
}

// One Python: a worker, and the one who waits for its answer.
class Python {
  constructor() {
    this.worker = this.waiting = null;
    this.ended = this.ready = false;
    this.started = this.start();
    this.started.then(() => (this.ready = true), () => {});
  }

  async start() {
    await Promise.all(PARTS.filter((name) => !(name in loaded)).map(script));
    const { "worker.js": packed, ...parts } = loaded;
    const source = await new Response(packed.stream().pipeThrough(new DecompressionStream("gzip"))).blob();
    if (this.ended) throw new Stopped();
    const address = URL.createObjectURL(source);
    this.worker = new (globalThis.NativeWorker ?? Worker)(address);
    await this.answer({ parts });
    URL.revokeObjectURL(address);
  }

  answer(message) {
    return new Promise((resolve, reject) => {
      this.waiting = reject;
      this.worker.onmessage = ({ data }) => (data.failed ? reject(new Error(data.failed)) : resolve(data));
      this.worker.onerror = (event) => reject(new Error(event.message || "the page cannot start a worker"));
      this.worker.postMessage(message);
    });
  }

  end() {
    this.ended = true;
    this.worker?.terminate();
    this.waiting?.(new Stopped());
  }
}

let python = null;

// Whether a run would not have to wait for Python.
export const ready = () => python !== null && python.ready;

export function stop() {
  python?.end();
  python = null;
}

// {right, words, printed} for a text; throws where Python itself ended, or was stopped.
export async function run(name, text) {
  const mine = (python ??= new Python());
  try {
    await mine.started;
    return (await mine.answer({ name, text })).verdict;
  } catch (error) {
    if (python === mine) stop();
    throw error;
  }
}
