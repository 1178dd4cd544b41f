/** What `manifest.json` says about the model: all that the page knows about it. */

import {SAMPLERS} from './latents.js';
import {PIXEL_RULE} from './pixels.js';

export const FORMAT = 'tinygan-edge-manifest-1';

const MAX_SIZE = 4096;
const MAX_SEED = 2n ** 64n - 1n;
const BIG = '\u0000integer ';  // before integers that a float64 may not hold; no text begins so

/** A manifest that cannot be used, as a sentence that names the field. */
export class ManifestError extends Error {}

/**
 * Reads and checks a manifest.
 *
 * @param {string} text
 * @returns {{model: object, truncation: number, golden: object, artifacts: object[]}} the artifacts of TFLite only.
 * @throws {ManifestError} it is damaged, of another version, or contradicts itself.
 */
export function readManifest(text) {
  const root = new Field(parse(text), '');
  root.get('format').only(FORMAT);
  const sampler = root.get('sampler').get('name').text();
  if (!SAMPLERS.includes(sampler)) root.get('sampler').get('name').refuse(`is “${sampler}”, not one of ${SAMPLERS}`);
  const truncation = root.get('sampler').get('truncation').number();
  if (!(truncation > 0 && truncation <= 1)) root.get('sampler').get('truncation').refuse('is not in (0, 1]');
  root.get('pixels').only(PIXEL_RULE);
  const model = {...readModel(root.get('model')), sampler};
  const golden = readGolden(root.get('golden').get('first'), model);
  const artifacts = root.get('artifacts').items()
    .filter((artifact) => artifact.get('runtime').text() === 'tflite')
    .map((artifact) => readArtifact(artifact, model, golden));
  if (!artifacts.length) root.get('artifacts').refuse('has none for TFLite');
  if (new Set(artifacts.map(({file}) => file)).size < artifacts.length) {
    root.get('artifacts').refuse('has one file twice');
  }
  return {model, truncation, golden, artifacts};
}

function parse(text) {
  // Seeds have up to 64 bits; what else is in quotation marks stays as it is.
  const exact = text.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g,
    (token) => /^\d{16,}$/.test(token) ? JSON.stringify(BIG + token) : token);
  try {
    return JSON.parse(exact);
  } catch {
    throw new ManifestError('manifest.json is damaged: it is no JSON');
  }
}

function readModel(model) {
  const numClasses = model.get('num_classes').size();
  const classes = model.get('classes').members().map(([key, name]) => {
    const index = /^(0|[1-9]\d*)$/.test(key) ? Number(key) : -1;
    if (index < 0 || index >= numClasses) model.get('classes').refuse(`has ${key}, which is no class of ${numClasses}`);
    return {index, name: name.text()};
  }).sort((a, b) => a.index - b.index);
  if (!classes.length) model.get('classes').refuse('is empty');
  const only = model.get('class').value() === null ? null : model.get('class').integer();
  if (only !== null && !classes.some(({index}) => index === only)) {
    model.get('class').refuse(`is ${only}, which classes does not name`);
  }
  return {
    imageSize: model.get('image_size').size(),
    zDim: model.get('z_dim').size(),
    numClasses,
    /** That can be drawn, by rising index. */
    classes: only === null ? classes : classes.filter(({index}) => index === only),
    /** Of a model that draws one class: z is its only input. */
    onlyClass: only,
    /** By which recipes know the model. */
    id: model.get('sha256').get('float').sha256().slice(0, 16),
    parameters: model.optional('parameters'),
    multiplyAccumulates: model.optional('multiply_accumulates'),
    trainedFrom: model.optional('trained_from'),
  };
}

function readGolden(first, model) {
  const classIndex = first.get('class').integer();
  if (!model.classes.some(({index}) => index === classIndex)) {
    first.get('class').refuse(`is ${classIndex}, which the model does not draw`);
  }
  const files = Object.fromEntries(first.get('files').members().map(([student, file]) => [student, file.fileName()]));
  return {seed: first.get('seed').seed(), classIndex, files};
}

function readArtifact(artifact, model, golden) {
  const student = artifact.get('student').text();
  if (!(student in golden.files)) artifact.get('student').refuse(`is ${student}, of which there is no golden image`);
  const inputs = [['z', model.zDim]];
  if (model.onlyClass === null) inputs.push(['class_weights', model.numClasses]);
  const expected = inputs.map(([name, length]) => `${name} float32 1,${length}`).join();
  if (artifact.get('inputs').items().map(describe).join() !== expected) artifact.get('inputs').refuse('are not the model’s');
  const image = `image float32 1,${model.imageSize},${model.imageSize},3`;
  if (artifact.get('outputs').items().map(describe).join() !== image) artifact.get('outputs').refuse('are no image');
  const bytes = artifact.get('bytes').integer();
  if (bytes < 1) artifact.get('bytes').refuse(`is ${bytes}`);
  return {
    file: artifact.get('file').fileName(),
    precision: artifact.get('precision').text(),
    bytes,
    sha256: artifact.get('sha256').sha256(),
    student,
    inputs,
  };
}

function describe(tensor) {
  return [tensor.get('name').text(), tensor.get('dtype').text(),
    tensor.get('shape').items().map((item) => item.size()).join()].join(' ');
}

/** A value and its place in the file, for sentences that name it. */
class Field {
  #value;
  #place;

  constructor(value, place) {
    this.#value = value;
    this.#place = place;
  }

  get(name) {
    const inner = Array.isArray(this.#value) ? undefined : Object(this.#value)[name];
    return new Field(inner, this.#place ? `${this.#place}.${name}` : name);
  }

  value() {
    if (this.#value === undefined) this.refuse('is missing');
    return this.#value;
  }

  /** Returns a value that the page can do without. */
  optional(name) {
    return Object(this.#value)[name] ?? null;
  }

  members() {
    const value = this.value();
    if (value === null || typeof value !== 'object' || Array.isArray(value)) this.refuse('is no object');
    return Object.entries(value).map(([name, inner]) => [name, new Field(inner, `${this.#place}.${name}`)]);
  }

  items() {
    if (!Array.isArray(this.value())) this.refuse('is no list');
    return this.#value.map((item, index) => new Field(item, `${this.#place}[${index}]`));
  }

  text() {
    if (typeof this.value() !== 'string' || this.#value.startsWith(BIG)) this.refuse('is no text');
    return this.#value;
  }

  only(text) {
    if (this.text() !== text) this.refuse(`is “${this.#value}”, not “${text}”`);
  }

  number() {
    if (typeof this.value() !== 'number') this.refuse('is no number');
    return this.#value;
  }

  integer() {
    if (!Number.isInteger(this.number())) this.refuse(`is ${this.#value}, no whole number`);
    return this.#value;
  }

  size() {
    if (this.integer() < 1 || this.#value > MAX_SIZE) this.refuse(`is ${this.#value}, not in 1…${MAX_SIZE}`);
    return this.#value;
  }

  seed() {
    const value = this.value();
    const isBig = typeof value === 'string' && value.startsWith(BIG);
    const seed = isBig ? BigInt(value.slice(BIG.length)) : BigInt(this.integer());
    if (seed < 0n || seed > MAX_SEED) this.refuse(`is ${seed}, not of 64 bits without sign`);
    return seed;
  }

  sha256() {
    if (!/^[0-9a-f]{64}$/.test(this.text())) this.refuse('is no SHA-256');
    return this.#value;
  }

  /** A name without folders: it is joined to addresses. */
  fileName() {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(this.text())) this.refuse('is no plain file name');
    return this.#value;
  }

  refuse(what) {
    throw new ManifestError(`manifest.json cannot be used: ${this.#place || 'the file'} ${what}`);
  }
}
