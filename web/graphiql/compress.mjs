// Writes each long file of a folder compressed beside it, as .br and .gz: the gateway sends what the browser accepts.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const MIN_BYTES = 1024;

export async function compressFiles(folder) {
  for (const name of await readdir(folder)) {
    const content = await readFile(`${folder}/${name}`);
    if (!/\.(js|css|ttf)$/.test(name) || content.length < MIN_BYTES) continue;
    const params = {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
    };
    await writeFile(`${folder}/${name}.br`, brotliCompressSync(content, { params }));
    await writeFile(`${folder}/${name}.gz`, gzipSync(content, { level: 9 }));
  }
}
