// The editor's workers, each a file of this server: the page's policy lets no blob start one.
const files = { json: "json.worker.js", graphql: "graphql.worker.js" };
globalThis.MonacoEnvironment = {
  getWorker: (_id, label) =>
    new Worker(new URL(files[label] ?? "editor.worker.js", import.meta.url), { type: "module" }),
};
