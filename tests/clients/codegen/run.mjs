// Does what `graphql-codegen` does with a codegen.json, and then what `tsc --strict` does: run.mjs FOLDER.
// FOLDER has the configuration, the schema, the documents and the program. Prints the errors of the program.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codegen } from "@graphql-codegen/core";
import * as operations from "@graphql-codegen/typescript-operations";
import * as types from "@graphql-codegen/typescript";
import { parse } from "graphql";
import ts from "typescript";

const [folder] = process.argv.slice(2);
const pluginMap = { typescript: types, "typescript-operations": operations };
const read = (name) => readFileSync(join(folder, name), "utf8");

const configuration = JSON.parse(read("codegen.json"));
const documents = readdirSync(folder).filter((name) => name.endsWith(".graphql") && name !== configuration.schema);
for (const [filename, { plugins, config }] of Object.entries(configuration.generates)) {
  const generated = await codegen({
    filename,
    schema: parse(read(configuration.schema)),
    documents: documents.map((location) => ({ location, document: parse(read(location)) })),
    plugins: plugins.map((name) => ({ [name]: {} })),
    pluginMap,
    config,
  });
  writeFileSync(join(folder, filename), generated);
}

const options = { strict: true, noEmit: true, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, target: ts.ScriptTarget.ES2022, types: [] };
const programs = readdirSync(folder).filter((name) => name.endsWith(".ts")).map((name) => join(folder, name));
const diagnostics = ts.getPreEmitDiagnostics(ts.createProgram(programs, options));
const lines = diagnostics.map(({ file, start, code, messageText }) => {
  const line = file ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
  return `${file?.fileName.split("/").pop()}:${line} TS${code} ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
});
console.log(JSON.stringify(lines));
