/** Ten thousand images leave no memory behind. MODEL is a .tflite file, LITERT the folder of LiteRT.js. */

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';

import {loadLiteRt} from '../../../deploy/web/node_litert.js';
import {Engine} from '../../../deploy/web/page/engine.js';

const IMAGES = 10_000;
const WARM_UP = 200;

test('memory stays level over 10,000 images, also where drawing fails', async () => {
  const loaded = await loadLiteRt(process.env.LITERT);
  const alive = new Set();
  class Tensor extends loaded.Tensor {
    constructor(...values) {
      super(...values);
      alive.add(this);
    }

    delete() {
      alive.delete(this);
      super.delete();
    }
  }
  const litert = {...loaded, Tensor};
  const inputs = JSON.parse(process.env.INPUTS);
  const engine = await Engine.open(litert, new Uint8Array(readFileSync(process.env.MODEL)), inputs);
  // It grows in steps, which small inputs would not reach; those are counted one by one.
  const memory = () => loaded.getGlobalLiteRt().liteRtWasm.HEAPU8.byteLength;
  const values = inputs.map(([, length]) => new Float32Array(length));
  const wrong = values.map((value, index) => index ? new Float32Array(1) : value);
  let before;
  for (let image = 0; image < IMAGES; image++) {
    if (image === WARM_UP) before = memory();
    assert.equal((await engine.draw(values)).length, engine.shape.reduce((product, side) => product * side));
    if (image % 10 === 0) await assert.rejects(engine.draw(wrong));
  }
  assert.equal(memory(), before);
  assert.equal(alive.size, 0);
  engine.close();
});
