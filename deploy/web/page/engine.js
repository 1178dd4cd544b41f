/**
 * A .tflite file in LiteRT.js, on one thread of WebAssembly. The page's worker and Node use it alike.
 *
 * LiteRT's memory is not collected: every tensor is deleted here, whatever happens.
 */

/** What cannot be drawn, as a sentence for the person who looks at the page. */
export class DrawingError extends Error {}

/** Whether an error says that memory ran out, in the words of WebAssembly, V8, SpiderMonkey or JavaScriptCore. */
export function isOutOfMemory(error) {
  return /out of memory|\bOOM\b|memory access out of bounds|allocation (size overflow|failed)|could not allocate|cannot (allocate|enlarge) memory/i
    .test(String(error?.message ?? error));
}

export class Engine {
  #litert;
  #model;
  #inputs;

  /** Use `Engine.open`. */
  constructor(litert, model, inputs, shape) {
    this.#litert = litert;
    this.#model = model;
    this.#inputs = inputs;
    /** Of the output: [1, H, W, 3]. */
    this.shape = shape;
    /** Whether XNNPACK computes every operation. */
    this.fullyDelegated = model.isFullyAccelerated;
  }

  /**
   * Compiles a model.
   *
   * @param litert the module of LiteRT.js, loaded.
   * @param {Uint8Array} file of TFLite.
   * @param {[string, number][]} inputs name and length of each, all float32 [1, length].
   * @throws {DrawingError} it is no such file.
   */
  static async open(litert, file, inputs) {
    if (String.fromCharCode(...file.subarray(4, 8)) !== 'TFL3') {
      throw new DrawingError('it is no TFLite file');
    }
    let model;
    try {
      model = await litert.loadAndCompile(file, {accelerator: 'wasm'});
    } catch (error) {
      if (isOutOfMemory(error)) throw error;
      throw new DrawingError(`LiteRT.js cannot compile it (${String(error?.message ?? error).split('\n')[0]})`);
    }
    const found = model.getInputDetails().map(describe).sort();
    const expected = inputs.map(([name, length]) => `${name} float32 [1, ${length}]`).sort();
    const outputs = model.getOutputDetails();
    const shape = Array.from(outputs[0]?.shape ?? []);
    const isImage = outputs.length === 1 && outputs[0].dtype === 'float32' && shape.length === 4 &&
      shape[0] === 1 && shape[1] === shape[2] && shape[3] === 3;
    if (found.join() !== expected.join() || !isImage) {
      model.delete();
      throw new DrawingError(
        `it takes ${found.join(' and ')} and gives ${outputs.map(describe).join()}, ` +
        `not ${expected.join(' and ')} and an image`);
    }
    return new Engine(litert, model, inputs, shape);
  }

  /**
   * Draws one image.
   *
   * @param {Float32Array[]} values of each input.
   * @returns {Promise<Float32Array>} H × W × 3, in [-1, 1].
   */
  async draw(values) {
    const tensors = {};
    let outputs = {};
    try {
      this.#inputs.forEach(([name, length], index) => {
        tensors[name] = new this.#litert.Tensor(values[index], [1, length]);
      });
      outputs = await this.#model.run(tensors);
      return Float32Array.from(await Object.values(outputs)[0].data());
    } finally {
      for (const tensor of [...Object.values(tensors), ...Object.values(outputs)]) tensor.delete();
    }
  }

  /** Frees the model. */
  close() {
    this.#model.delete();
  }
}

function describe(tensor) {
  return `${tensor.name} ${tensor.dtype} [${Array.from(tensor.shape).join(', ')}]`;
}
