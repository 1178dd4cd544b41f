/** LiteRT.js inside Node, which has no `importScripts` and no script elements to load its classic script by. */

import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join, resolve} from 'node:path';
import {pathToFileURL} from 'node:url';
import {runInThisContext} from 'node:vm';
import {gunzipSync} from 'node:zlib';

import {supportedBuild} from './page/build.js';

/**
 * Loads the build that this Node can run.
 *
 * @param {string} folder that `litert_js.fetch` has made.
 * @returns the module of LiteRT.js.
 */
export async function loadLiteRt(folder) {
  const build = supportedBuild();
  globalThis.self = globalThis;
  globalThis.navigator ??= {};
  const warn = console.warn;
  console.warn = () => {};  // that there is no WebGPU
  globalThis.importScripts = (path) => {
    const script = `(require, __dirname, __filename) => {${readFileSync(path, 'utf8')}\nreturn ModuleFactory;}`;
    globalThis.ModuleFactory = runInThisContext(script)(createRequire(resolve(path)), folder, path);
  };
  const wasmBinary = gunzipSync(readFileSync(join(folder, `${build}.bin`)));
  globalThis.Module = {wasmBinary, print: () => {}, printErr: () => {}};
  const litert = await import(pathToFileURL(join(resolve(folder), 'litert.js')));
  await litert.loadLiteRt(join(folder, `${build}.js`));
  console.warn = warn;
  return litert;
}
