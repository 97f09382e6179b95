// Python's library and NumPy, their modules compiled: node compile.mjs LIBRARY.zip NUMPY.whl FOLDER
//
// Compiling at the reader's would take most of the time that Python needs to start. Pyodide itself compiles, since
// what is compiled is for one version of Python; sources, types, headers and tests are left out.

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const [library, numpy, folder] = process.argv.slice(2);
const { loadPyodide } = createRequire(path.resolve("package.json"))("pyodide");
const python = await loadPyodide();

const COMPILE = `
import importlib.util
import zipfile
from importlib._bootstrap_external import _code_to_hash_pyc

LEFT_OUT = (".pyi", ".pxd", ".h", ".a")
with zipfile.ZipFile("/from") as given, zipfile.ZipFile("/to", "w", zipfile.ZIP_DEFLATED) as made:
    for name in given.namelist():
        if "/tests/" in name or name.endswith(LEFT_OUT):
            continue
        content = given.read(name)
        if name.endswith(".py"):
            code = compile(content, name, "exec", dont_inherit=True)
            content = bytes(_code_to_hash_pyc(code, importlib.util.source_hash(content), False))
            name += "c"
        made.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
`;

fs.mkdirSync(folder, { recursive: true });
for (const [from, to] of [[library, "python_stdlib.zip"], [numpy, "numpy.whl"]]) {
  python.FS.writeFile("/from", new Uint8Array(fs.readFileSync(from)));
  python.runPython(COMPILE);
  fs.writeFileSync(path.join(folder, to), python.FS.readFile("/to"));
}
