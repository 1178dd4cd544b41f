/**
 * Latents that come out bit for bit as in Python, Kotlin and Swift (`splitmix64-truncnorm-v1`).
 *
 * SplitMix64 expands a seed; each 64-bit word becomes one value of the standard normal truncated to [-2, 2] through a
 * rational approximation of the inverse CDF. Only + - * / are used, so that no maths library can make two platforms
 * differ. Numbers of JavaScript are float64, so that the 64-bit words are BigInts.
 */

export const SAMPLER = 'splitmix64-truncnorm-v1';

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

const to64 = (value) => BigInt.asUintN(64, value);

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
  const values = new Float32Array(length);
  let state = to64(seed);
  for (let i = 0; i < length; i++) {
    state = to64(state + GOLDEN_GAMMA);
    const uniform = (Number(mixed(state) >> 12n) + 0.5) * 2 ** -52;
    const q = (uniform - 0.5) * (2 * HALF_MASS);
    const t = q * q;
    values[i] = Math.fround(q * horner(NUMERATOR, t) / horner(DENOMINATOR, t)) * factor;
  }
  return values;
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

function mixed(state) {
  let x = state;
  x = to64((x ^ (x >> 30n)) * MIX_1);
  x = to64((x ^ (x >> 27n)) * MIX_2);
  return x ^ (x >> 31n);
}

function horner(coefficients, t) {
  return coefficients.reduce((value, coefficient) => value * t + coefficient, 0);
}
