// Python, in a worker of the page: it stands behind Pyodide's two scripts in one text (docs/tools/python_in_page.py).
//
// A page opened as a file may fetch nothing.  So the parts come from the page, and Pyodide, which asks for its parts by
// fetch, is given them here; whatever else is asked for does not exist.

const parts = {};
const TYPES = { wasm: "application/wasm", json: "application/json" };

self.fetch = async (address) => {
  const name = String(address).split("/").pop().replace(/^numpy-.*\.whl$/, "numpy.whl");
  if (!(name in parts)) throw new Error(`${name}: there is no network here, and the page does not hold it`);
  const type = TYPES[name.split(".").pop()] || "application/octet-stream";
  return new Response(parts[name].stream().pipeThrough(new DecompressionStream("gzip")), { headers: { "Content-Type": type } });
};

async function start() {
  const pyodide = await self.loadPyodide({ indexURL: "file:///python/" });
  await pyodide.loadPackage("numpy", { messageCallback: () => {}, checkIntegrity: false });
  const sources = await (await self.fetch("sources.zip")).arrayBuffer();
  pyodide.unpackArchive(sources, "zip", { extractDir: "/page" });
  pyodide.runPython("import sys; sys.path.insert(0, '/page'); sys.dont_write_bytecode = True");
  return pyodide.pyimport("judge");
}

let judge = null;

self.onmessage = async ({ data }) => {
  try {
    if (data.parts) {
      Object.assign(parts, data.parts);
      judge = await start();
      self.postMessage({ started: true });
    } else {
      self.postMessage({ verdict: JSON.parse(judge.judged(data.name, data.text)) });
    }
  } catch (error) {
    self.postMessage({ failed: String(error) });
  }
};
