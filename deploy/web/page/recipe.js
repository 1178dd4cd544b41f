/**
 * A recipe says what is drawn: classes and seeds with their weights, and the truncation.
 *
 * Written as a query string it is in a link after the `#`, in a saved picture, and in the phones' `tinygan://draw?…`:
 * `model=ca78fbfa1488596d&class=3&seed=42&truncation=0.5`; of several classes `class=3:0.5,7:0.3,9:0.2`, and of
 * several latents, which only this page blends, `seed=42:0.75,43:0.25`. What is drawn is always drawn from what is
 * written, so that the link and the picture agree to the bit.
 *
 * @typedef {{classes: [number, number][], seeds: [bigint, number][], truncation: number}} Recipe
 */

const MAX_SEED = 2n ** 64n - 1n;
const SUM_TOLERANCE = 0.001;
const DECIMAL = /^\d*\.?\d+([eE][-+]?\d{1,3})?$/;

/** A recipe that cannot be followed, as a sentence. */
export class RecipeError extends Error {}

/** Returns the recipe of one class and one seed. */
export function plain(classIndex, seed, truncation) {
  return {classes: [[classIndex, 1]], seeds: [[seed, 1]], truncation};
}

/** Returns the recipe a share `t` of the way between two of one class and one seed each. */
export function between(from, to, t) {
  return {
    classes: merged([[from.classes[0][0], 1 - t], [to.classes[0][0], t]]),
    seeds: merged([[from.seeds[0][0], 1 - t], [to.seeds[0][0], t]]),
    truncation: from.truncation,
  };
}

/** Returns [key, weight] pairs in hundredths that sum to 1, with no key twice and none of weight 0. */
export function merged(parts) {
  const sums = new Map();
  for (const [key, weight] of parts) sums.set(key, (sums.get(key) ?? 0) + weight);
  const hundredths = [...sums].map(([key, weight]) => [key, Math.round(weight * 100)]);
  const largest = hundredths.reduce((best, part) => part[1] > best[1] ? part : best);
  largest[1] += 100 - hundredths.reduce((sum, part) => sum + part[1], 0);
  return hundredths.filter((part) => part[1] > 0).map(([key, weight]) => [key, weight / 100]);
}

/** Returns the query string of a recipe, with the hash of the model, its first 16 digits, in front. */
export function format(recipe, model) {
  const list = (parts) => parts.length === 1 ? `${parts[0][0]}` : parts.map(([k, w]) => `${k}:${w}`).join(',');
  const fields = [`class=${list(recipe.classes)}`, `seed=${list(recipe.seeds)}`, `truncation=${recipe.truncation}`];
  return [`model=${model}`, ...fields].join('&');
}

/**
 * Reads a query string; what it leaves out is taken from `defaults`.
 *
 * @param {string} text without `#` or `?`; fields of other names are no concern of a recipe.
 * @param {Recipe} defaults
 * @param {number[]} known classes that can be drawn.
 * @returns {{recipe: Recipe, model: string | null}}
 * @throws {RecipeError}
 */
export function parse(text, defaults, known) {
  const fields = new URLSearchParams(text);
  const classes = fields.has('class') ? weighted(fields.get('class'), 'class', readIndex) : defaults.classes;
  const unknown = classes.find(([index]) => !known.includes(index));
  if (unknown) throw new RecipeError(`The link asks for class ${unknown[0]}, which this model does not draw.`);
  const seeds = fields.has('seed') ? weighted(fields.get('seed'), 'seed', readSeed) : defaults.seeds;
  const truncation = fields.has('truncation') ? readTruncation(fields.get('truncation')) : defaults.truncation;
  return {recipe: {classes, seeds, truncation}, model: fields.get('model')};
}

/** Reads a seed: decimal digits, 0 to 2^64 - 1, with white space around them at most. */
export function readSeed(text) {
  const digits = text.trim();
  if (!/^\d{1,30}$/.test(digits) || BigInt(digits) > MAX_SEED) {
    throw new RecipeError(`The seed “${shown(text)}” is no whole number from 0 to ${MAX_SEED}.`);
  }
  return BigInt(digits);
}

function readIndex(text) {
  if (!/^\d{1,9}$/.test(text.trim())) throw new RecipeError(`The class “${shown(text)}” is no index.`);
  return Number(text);
}

function readTruncation(text) {
  const value = DECIMAL.test(text.trim()) ? Number(text) : NaN;
  if (!(value > 0 && value <= 1)) {
    throw new RecipeError(`The truncation “${shown(text)}” is no number above 0 and at most 1.`);
  }
  return value;
}

function weighted(text, name, read) {
  const parts = text.split(',').map((part) => part.split(':'));
  if (parts.length === 1 && parts[0].length === 1) return [[read(text), 1]];
  const weights = parts.map(([key, weight, ...more]) => {
    const value = DECIMAL.test(weight ?? '') && !more.length ? Number(weight) : NaN;
    if (!(value > 0 && value <= 1)) {
      throw new RecipeError(`The ${name} “${shown(text)}” is no list like 3:0.5,7:0.3,9:0.2.`);
    }
    return [read(key), value];
  });
  const sum = weights.reduce((total, [, weight]) => total + weight, 0);
  if (Math.abs(sum - 1) > SUM_TOLERANCE) {
    throw new RecipeError(`The weights in the ${name} “${shown(text)}” sum to ${sum.toFixed(2)}, not 1.`);
  }
  if (new Set(weights.map(([key]) => key)).size < weights.length) {
    throw new RecipeError(`The ${name} “${shown(text)}” names one twice.`);
  }
  return weights;
}

function shown(text) {
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}
