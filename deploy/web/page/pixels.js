/** Values to bytes, by the one rule of the project, and how alike two images are. */

export const PIXEL_RULE = 'byte = trunc(clamp(127.5 v + 128, 0, 255)), NaN -> 0';

/** Smallest PSNR of the first golden image, dB: below it no picture is shown. */
export const GOLDEN_FLOOR = 30;

/** Returns the byte of a value in [-1, 1]. */
export function toByte(value) {
  const level = Math.fround(Math.fround(value * 127.5) + 128);
  return level > 0 ? Math.trunc(Math.min(level, 255)) : 0;
}

/**
 * Returns an image as a canvas takes it: R, G, B and 255, row by row.
 *
 * @param {Float32Array} values H × W × 3.
 */
export function toRgba(values) {
  const bytes = new Uint8ClampedArray(values.length / 3 * 4);
  for (let from = 0, to = 0; from < values.length; to += 4) {
    bytes[to] = toByte(values[from++]);
    bytes[to + 1] = toByte(values[from++]);
    bytes[to + 2] = toByte(values[from++]);
    bytes[to + 3] = 255;
  }
  return bytes;
}

/**
 * Returns the PSNR of two images of bytes in dB; infinity where they are identical.
 *
 * @param {ArrayLike<number>} first
 * @param {ArrayLike<number>} second of the same length.
 */
export function decibels(first, second) {
  let total = 0;
  for (let i = 0; i < first.length; i++) total += (first[i] - second[i]) ** 2;
  return total ? 10 * Math.log10(255 ** 2 * first.length / total) : Infinity;
}
