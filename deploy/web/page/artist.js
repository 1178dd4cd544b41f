/** Loads the model and draws recipes. Runs in the worker. */

import {supportedBuild} from './build.js';
import {DrawingError, Engine, isOutOfMemory} from './engine.js';
import {drawLatent, weightedSum} from './latents.js';
import {Files, FileError} from './files.js';
import {ManifestError, readManifest} from './manifest.js';
import {decibels, GOLDEN_FLOOR, toRgba} from './pixels.js';
import {plain} from './recipe.js';

const KEPT_LATENTS = 64;

/**
 * Loads everything, and holds the first golden image to the floor.
 *
 * @param {string} base address of the folder.
 * @param {(loaded: number, total: number) => void} onProgress in bytes.
 * @returns {Promise<Artist>}
 * @throws an error whose `sentence` says what is wrong.
 */
export async function openArtist(base, onProgress) {
  try {
    return await open(base, onProgress);
  } catch (error) {
    error.sentence = sentenceOf(error);
    throw error;
  }
}

async function open(base, onProgress) {
  const files = await Files.open(base, onProgress);
  const build = supportedBuild();
  const manifest = readManifest(new TextDecoder().decode(await files.load('model/manifest.json')));
  const [artifact] = manifest.artifacts;
  files.expect(`model/${artifact.file}`, artifact);
  const golden = `model/${manifest.golden.files[artifact.student]}`;
  const [wasmBinary, model, stored] = await files.loadAll(
    [`litert/${build}.bin`, `model/${artifact.file}`, golden], [`litert/${build}.js`, 'litert/litert.js']);
  const litert = await startLiteRt(files, build, await gunzip(wasmBinary));
  let engine;
  try {
    engine = await Engine.open(litert, model, artifact.inputs);
  } catch (error) {
    if (error instanceof DrawingError) error.message = `${artifact.file} cannot be used: ${error.message}.`;
    throw error;
  }
  const artist = new Artist(engine, manifest.model);
  const difference = await artist.distance(plain(manifest.golden.classIndex, manifest.golden.seed, manifest.truncation), stored);
  if (difference < GOLDEN_FLOOR) {
    throw new DrawingError(
      `This browser draws the test picture wrongly (${difference.toFixed(1)} dB from the stored one, ${GOLDEN_FLOOR} dB ` +
      'are needed), so that no pictures are shown.');
  }
  artist.about = {
    model: manifest.model,
    truncation: manifest.truncation,
    artifact,
    decibels: difference,
    fullyDelegated: engine.fullyDelegated,
    build,
    litert: files.litertVersion,
  };
  return artist;
}

async function startLiteRt(files, build, wasmBinary) {
  const said = [];
  // LiteRT's glue takes this global for its settings.
  self.Module = {wasmBinary, print: () => {}, printErr: (line) => said.push(line)};
  console.warn = () => {};  // that there is no WebGPU, which is not asked for
  try {
    const litert = await import('./litert/litert.js');
    await litert.loadLiteRt(files.address(`litert/${build}.js`));
    return litert;
  } catch (error) {
    if (isOutOfMemory(error) || said.some(isOutOfMemory)) throw new Error('out of memory');
    throw new DrawingError(`WebAssembly does not start in this browser (${String(error?.message ?? error).split('\n')[0]}).`);
  }
}

async function gunzip(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Draws recipes. */
class Artist {
  #engine;
  #model;
  #latents = new Map();
  #turn = Promise.resolve();

  constructor(engine, model) {
    this.#engine = engine;
    this.#model = model;
  }

  /**
   * Draws one image, after those asked for before.
   *
   * @param {import('./recipe.js').Recipe} recipe
   * @returns {Promise<{rgba: Uint8ClampedArray, milliseconds: number}>} the time of latent, model and pixels.
   */
  draw(recipe) {
    const drawn = this.#turn.then(() => this.#draw(recipe));
    this.#turn = drawn.catch(() => {});
    return drawn;
  }

  async #draw(recipe) {
    const started = performance.now();
    let rgba;
    try {
      const inputs = [weightedSum(recipe.seeds.map(([seed, weight]) => [this.#latent(seed, recipe.truncation), weight]))];
      if (this.#model.onlyClass === null) inputs.push(this.#weights(recipe.classes));
      const values = await this.#engine.draw(inputs);
      if (!values.every(Number.isFinite)) {
        throw new DrawingError('The model gives values that are no numbers for this picture.');
      }
      rgba = toRgba(values);
    } catch (error) {
      error.sentence = sentenceOf(error);
      throw error;
    }
    return {rgba, milliseconds: performance.now() - started};
  }

  /** Returns the dB between a recipe's image and stored bytes of H × W × 3. */
  async distance(recipe, stored) {
    const {rgba} = await this.draw(recipe);
    return decibels(rgba.filter((_, index) => index % 4 < 3), stored);
  }

  #latent(seed, truncation) {
    const key = `${seed} ${truncation}`;
    if (!this.#latents.has(key)) {
      if (this.#latents.size >= KEPT_LATENTS) this.#latents.delete(this.#latents.keys().next().value);
      this.#latents.set(key, drawLatent(this.#model.sampler, seed, this.#model.zDim, truncation));
    }
    return this.#latents.get(key);
  }

  #weights(classes) {
    const weights = new Float32Array(this.#model.numClasses);
    for (const [index, weight] of classes) weights[index] = weight;
    return weights;
  }
}

function sentenceOf(error) {
  if (isOutOfMemory(error)) return 'There is not enough memory for the model. Close other tabs or apps, then reload.';
  if (error instanceof FileError || error instanceof ManifestError || error instanceof DrawingError) return error.message;
  return `The model failed: ${String(error?.message ?? error).split('\n')[0]}`;
}
