/**
 * Latents that come out bit for bit as in Python, Kotlin and Swift, by four laws.
 *
 * SplitMix64 expands a seed; each 64-bit word becomes one value through a rational approximation of the law's inverse
 * CDF. Only + - * / and the square root are used, which IEEE 754 fixes to the last bit, so that no maths library can
 * make two platforms differ. Numbers of JavaScript are float64, so that the 64-bit words are BigInts.
 */

const [TRUNCATED, NORMAL, UNIFORM, SPHERE] =
  ['truncnorm', 'normal', 'uniform', 'sphere'].map((law) => `splitmix64-${law}-v1`);

/** The names that a manifest may give as `sampler.name`. */
export const SAMPLERS = [TRUNCATED, NORMAL, UNIFORM, SPHERE];

const GOLDEN_GAMMA = 0x9E3779B97F4A7C15n;
const MIX_1 = 0xBF58476D1CE4E5B9n;
const MIX_2 = 0x94D049BB133111EBn;
const HALF_MASS = 0.4772498680518208;  // P(0 < N(0, 1) < 2)
// Inverse CDF on the central mass: z = q P(q²)/Q(q²), highest power first.
const NUMERATOR = [
  67.67033541471996, -509.38400687827396, 862.4381248200701, -615.9060685408311, 216.7231162913094,
  -37.26471486767734, 2.5066282747120967,
];
const DENOMINATOR = [
  105.02830466537615, -409.12231025351383, 528.6209209249652, -320.8940660159762, 100.82185875890949,
  -15.913667861050502, 1,
];
// The normal's tails: -z = P(r)/Q(r) with r = sqrt(-ln p).
const TAIL_NUMERATOR =
  [1.237616097602807, 8.039264098917174, 5.927076918523367, -7.576556618723798, -3.0337866464020307];
const TAIL_DENOMINATOR = [1.118936919080244e-05, 0.8744612156685913, 5.711306126470875, 6.025341561814364, 1];
const LN2 = 0.6931471805599453;

const to64 = (value) => BigInt.asUintN(64, value);

/**
 * Returns one latent by the law of a sampler, multiplied by the truncation.
 *
 * @param {string} sampler one of SAMPLERS.
 * @param {bigint} seed any of 64 bits; each has a stream of its own.
 * @param {number} length how many values.
 * @param {number} truncation the factor, in (0, 1].
 * @returns {Float32Array}
 */
export function drawLatent(sampler, seed, length, truncation) {
  if (sampler === TRUNCATED) return truncatedNormal(seed, length, truncation);
  const values = Array.from(uniforms(seed, length), (u) => sampler === UNIFORM ? u * 2 - 1 : standardNormal(u));
  const radius = sampler === SPHERE ? Math.sqrt(values.reduce((sum, value) => sum + value * value, 0)) : 1;
  const factor = Math.fround(truncation);
  return Float32Array.from(values, (value) => Math.fround(value / radius) * factor);
}

/**
 * Returns one latent: truncation × N(0, 1) truncated to [-2, 2].
 *
 * @param {bigint} seed any of 64 bits; each has a stream of its own.
 * @param {number} length how many values.
 * @param {number} truncation the factor, in (0, 1].
 * @returns {Float32Array}
 */
export function truncatedNormal(seed, length, truncation) {
  const factor = Math.fround(truncation);
  return Float32Array.from(uniforms(seed, length), (u) => Math.fround(central((u - 0.5) * (2 * HALF_MASS))) * factor);
}

/** Returns the seeds first, first + 1, …, which wrap at 2^64. */
export function consecutiveSeeds(first, count) {
  return Array.from({length: count}, (_, k) => to64(first + BigInt(k)));
}

/**
 * Returns a weighted sum of vectors, each product and each sum rounded to float32, in their order.
 *
 * Of two vectors with the weights 1 - t and t in float32 it is the line between them, as the apps draw it.
 *
 * @param {[Float32Array, number][]} parts each vector with its weight.
 * @returns {Float32Array}
 */
export function weightedSum(parts) {
  const [[first, firstWeight], ...rest] = parts;
  const sum = first.map((value) => value * Math.fround(firstWeight));
  for (const [vector, weight] of rest) {
    const factor = Math.fround(weight);
    for (let i = 0; i < sum.length; i++) sum[i] += Math.fround(vector[i] * factor);
  }
  return sum;
}

function* uniforms(seed, length) {
  let state = to64(seed);
  for (let i = 0; i < length; i++) {
    state = to64(state + GOLDEN_GAMMA);
    yield (Number(mixed(state) >> 12n) + 0.5) * 2 ** -52;
  }
}

function central(q) {
  const t = q * q;
  return q * horner(NUMERATOR, t) / horner(DENOMINATOR, t);
}

function standardNormal(uniform) {
  const q = uniform - 0.5;
  if (Math.abs(q) < HALF_MASS) return central(q);
  const r = Math.sqrt(minusLog(Math.min(uniform, 1 - uniform)));
  const tail = horner(TAIL_NUMERATOR, r) / horner(TAIL_DENOMINATOR, r);
  return q < 0 ? -tail : tail;
}

/** Returns -ln p for p in (0, 0.5], by the series of the area tangent of a mantissa in [0.75, 1.5). */
function minusLog(p) {
  let [mantissa, halvings] = [p, 0];
  for (; mantissa < 0.75; halvings++) mantissa *= 2;
  const s = (mantissa - 1) / (mantissa + 1);
  const t = s * s;
  let series = 1 / 21;
  for (let odd = 19; odd > 0; odd -= 2) series = series * t + 1 / odd;
  return halvings * LN2 - 2 * s * series;
}

function mixed(state) {
  let x = state;
  x = to64((x ^ (x >> 30n)) * MIX_1);
  x = to64((x ^ (x >> 27n)) * MIX_2);
  return x ^ (x >> 31n);
}

function horner(coefficients, t) {
  return coefficients.reduce((value, coefficient) => value * t + coefficient, 0);
}
