/** The page's own arithmetic against what Python wrote for the Kotlin and Swift tests; FIXTURES is their folder. */

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';

import {consecutiveSeeds, drawLatent, SAMPLERS, truncatedNormal, weightedSum} from '../../../deploy/web/page/latents.js';
import {ManifestError, readManifest} from '../../../deploy/web/page/manifest.js';
import {decibels, GOLDEN_FLOOR, PIXEL_RULE, toByte, toRgba} from '../../../deploy/web/page/pixels.js';
import {between, format, merged, parse, plain, readSeed, RecipeError} from '../../../deploy/web/page/recipe.js';
import {sha256} from '../../../deploy/web/page/sha256.js';

const text = (name) => readFileSync(join(process.env.FIXTURES, name), 'utf8');
const fixture = (name) => JSON.parse(text(name));

function floats(bits) {
  return new Float32Array(Uint32Array.from(bits, (word) => parseInt(word, 16)).buffer);
}

function bits(values) {
  const words = new Uint32Array(Float32Array.from(values).buffer);
  return Array.from(words, (word) => word.toString(16).padStart(8, '0'));
}

test('latents have the bits of Python, Kotlin and Swift', () => {
  const {vectors, consecutive} = fixture('noise.json');
  assert.ok(vectors.length > 10);
  for (const {seed, truncation, z_dim: length, bits: expected} of vectors) {
    assert.deepEqual(bits(truncatedNormal(BigInt(seed), length, truncation)), expected, `seed ${seed}`);
  }
  for (const {first, seeds} of consecutive) {
    assert.deepEqual(consecutiveSeeds(BigInt(first), seeds.length).map(String), seeds);
  }
});

test('every law has the bits of Python', () => {
  const {laws} = fixture('noise.json');
  assert.deepEqual(laws.map(({sampler}) => sampler), SAMPLERS);
  for (const {sampler, vectors} of laws) {
    for (const {seed, truncation, z_dim: length, bits: expected} of vectors) {
      assert.deepEqual(bits(drawLatent(sampler, BigInt(seed), length, truncation)), expected, `${sampler} ${seed}`);
    }
  }
});

test('a blend of two has the bits of a walk between them', () => {
  const {latents, classes} = fixture('morph.json');
  const [start, end] = latents.seeds.map((s) => truncatedNormal(BigInt(s), latents.z_dim, latents.truncation));
  const oneHot = (index) => Float32Array.from({length: classes.num_classes}, (_, k) => Number(k === index));
  const ends = [[latents, start, end], [classes, oneHot(classes.start), oneHot(classes.end)]];
  for (const [{steps}, from, to] of ends) {
    for (const {t, bits: expected} of steps) {
      const weight = Math.fround(t);
      assert.deepEqual(bits(weightedSum([[from, Math.fround(1 - weight)], [to, weight]])), expected, `t ${t}`);
    }
  }
});

test('values become the bytes of Python', () => {
  const {rule, values, images} = fixture('pixels.json');
  assert.equal(rule, PIXEL_RULE);
  for (const {bits: word, byte} of values) assert.equal(toByte(floats([word])[0]), byte, word);
  const image = images.find(({layout}) => layout === 'NHWC');
  const rgba = Array.from(toRgba(floats(image.bits)));
  assert.deepEqual(rgba.filter((_, index) => index % 4 < 3), image.rgb);
  assert.ok(rgba.every((byte, index) => index % 4 < 3 || byte === 255));
});

test('the distance of images is that of Python, and so is the floor', () => {
  const {cases, floor, tolerance} = fixture('psnr.json');
  assert.equal(floor, GOLDEN_FLOOR);
  for (const {a, b, psnr, accepted} of cases) {
    const found = decibels(a, b);
    if (psnr === null) assert.equal(found, Infinity);
    else assert.ok(Math.abs(found - psnr) <= tolerance, `${found} ${psnr}`);
    assert.equal(found >= GOLDEN_FLOOR, accepted);
  }
});

test('hashes are right', () => {
  for (const {hex, sha256: expected} of fixture('sha256.json').files) {
    assert.equal(sha256(new Uint8Array(Buffer.from(hex, 'hex'))), expected, hex);
  }
});

test('good manifests are read', () => {
  const all = readManifest(text('manifest_good.json'));
  const json = fixture('manifest_good.json');
  assert.deepEqual(all.model.classes.map(({index}) => String(index)), Object.keys(json.model.classes));
  assert.deepEqual(all.artifacts.map(({precision}) => precision).sort(), ['fp16', 'fp32', 'int8']);
  assert.equal(all.golden.seed, 2n ** 64n - 2n);
  assert.equal(all.model.id, json.model.sha256.float.slice(0, 16));
  assert.deepEqual(all.artifacts[0].inputs, [['z', 16], ['class_weights', 398]]);
  const one = JSON.parse(text('manifest_one_class.json'));
  one.artifacts = [{...json.artifacts.find(({file}) => file === 'student_int8.tflite'),
    inputs: [one.artifacts[0].inputs[0]]}];
  const exact = JSON.stringify(one).replace(/"seed":\d+/, '"seed":18446744073709551614');
  const {model, artifacts} = readManifest(exact);
  assert.deepEqual(model.classes.map(({index}) => index), [model.onlyClass]);
  assert.deepEqual(artifacts[0].inputs, [['z', 16]]);
});

for (const {name, field, text: broken} of fixture('manifest_errors.json')) {
  test(`a broken manifest is refused: ${name}`, () => {
    assert.throws(() => readManifest(broken), (error) => error instanceof ManifestError && error.message.includes(field));
  });
}

test('a recipe comes back from its text', () => {
  const defaults = plain(0, 1n, 0.5);
  const recipes = [
    plain(3, 2n ** 64n - 1n, 0.5),
    {classes: [[3, 0.5], [7, 0.3], [9, 0.2]], seeds: [[42n, 1]], truncation: 1},
    between(plain(3, 1n, 0.35), plain(4, 2n, 0.35), 0.25),
  ];
  for (const recipe of recipes) {
    const written = format(recipe, 'ca78fbfa1488596d');
    assert.deepEqual(parse(written, defaults, [3, 4, 7, 9]), {recipe, model: 'ca78fbfa1488596d'});
  }
  assert.equal(format(recipes[1], 'f'), 'model=f&class=3:0.5,7:0.3,9:0.2&seed=42&truncation=1');
  assert.equal(parse('truncation=5E-1', plain(0, 1n, 1), [0]).recipe.truncation, 0.5);
  assert.deepEqual(parse('view=grid', defaults, [0]), {recipe: defaults, model: null});
});

test('between two of the same class and seed there is nothing to blend', () => {
  assert.deepEqual(between(plain(3, 1n, 1), plain(3, 1n, 1), 0.4), plain(3, 1n, 1));
  assert.deepEqual(between(plain(3, 1n, 1), plain(4, 2n, 1), 0), plain(3, 1n, 1));
  assert.deepEqual(between(plain(3, 1n, 1), plain(4, 2n, 1), 1), plain(4, 2n, 1));
});

test('weights are hundredths that sum to one', () => {
  const thirds = merged([[1, 1 / 3], [2, 1 / 3], [5, 1 / 3]]);
  assert.deepEqual(thirds, [[1, 0.34], [2, 0.33], [5, 0.33]]);
  assert.deepEqual(merged([[1, 0.001], [2, 0.999]]), [[2, 1]]);
});

test('what is no recipe is refused in a sentence', () => {
  const refused = {
    'class=5': /class 5, which this model does not draw/, 'class=-1': /“-1” is no index/,
    'class=3:0.5,4:0.2': /sum to 0.70/, 'class=3:0.5,3:0.5': /names one twice/, 'class=3:x': /no list like/, 'class=3:0,4:1': /no list like/,
    'class=3:0.5:1,4:0.5': /no list like/, 'seed=-1': /no whole number/, 'seed=18446744073709551616': /no whole number/,
    'seed=1e3': /no whole number/, 'truncation=0': /above 0/, 'truncation=1.01': /at most 1/, 'truncation=x': /“x”/,
  };
  for (const [written, sentence] of Object.entries(refused)) {
    assert.throws(() => parse(written, plain(3, 1n, 0.5), [3, 4]),
      (error) => error instanceof RecipeError && sentence.test(error.message), written);
  }
  assert.equal(readSeed(' 18446744073709551615\n'), 2n ** 64n - 1n);
});

