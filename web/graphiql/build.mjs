// Builds GraphiQL into ../../schema/server/graphiql, from where the gateway serves it: `npm ci && npm run build`.
import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { build } from "esbuild";
import { compressFiles } from "./compress.mjs";
import { examples } from "./examples.js";

const outdir = "../../schema/server/graphiql";
await rm(outdir, { recursive: true, force: true });
await mkdir(outdir, { recursive: true });

await build({
  entryPoints: {
    index: "index.jsx",
    "editor.worker": "monaco-editor/esm/vs/editor/editor.worker.js",
    "json.worker": "monaco-editor/esm/vs/language/json/json.worker.js",
    "graphql.worker": "monaco-graphql/esm/graphql.worker.js",
  },
  outdir,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  legalComments: "linked",
  define: { "process.env.NODE_ENV": '"production"' },
  loader: { ".ttf": "file", ".woff": "file", ".woff2": "file" },
  assetNames: "[name]",
  logLevel: "info",
});
for (const file of ["index.html", "page.css", "icon.svg"]) await copyFile(file, `${outdir}/${file}`);
await writeFile(`${outdir}/examples.json`, `${JSON.stringify(examples, null, 2)}\n`);
await compressFiles(outdir);
