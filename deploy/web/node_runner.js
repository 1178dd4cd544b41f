/**
 * Draws images by a .tflite file: `node node_runner.js LITERT MODEL INPUTS LENGTHS IMAGES`.
 *
 * LITERT: folder of LiteRT.js. INPUTS: float32 rows, each z and perhaps class_weights, of the LENGTHS "128,10".
 * IMAGES: where the float32 images go. Prints {shape, fully_delegated, node} as JSON.
 */

import {readFileSync, writeFileSync} from 'node:fs';

import {loadLiteRt} from './node_litert.js';
import {Engine} from './page/engine.js';

async function main([folder, path, inputFile, lengthText, imageFile]) {
  const lengths = lengthText.split(',').map(Number);
  const inputs = ['z', 'class_weights'].slice(0, lengths.length).map((name, index) => [name, lengths[index]]);
  const bytes = readFileSync(inputFile);
  const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  const litert = await loadLiteRt(folder);
  const engine = await Engine.open(litert, new Uint8Array(readFileSync(path)), inputs);
  const images = [];
  for (let start = 0; start < values.length;) {
    const row = lengths.map((length) => values.slice(start, start += length));
    images.push(Buffer.from((await engine.draw(row)).buffer));
  }
  writeFileSync(imageFile, Buffer.concat(images));
  const report = {shape: engine.shape, fully_delegated: engine.fullyDelegated, node: process.versions.node};
  engine.close();
  process.stdout.write(JSON.stringify(report));
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`${String(error?.message ?? error).split('\n')[0]}\n`);
  process.exitCode = 1;
});
