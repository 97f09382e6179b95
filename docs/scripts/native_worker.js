// The next script exchanges Worker for a frame, for the search of pages opened as files; Python needs a worker that is one.
globalThis.NativeWorker = globalThis.Worker;
