/** The recipe inside a saved picture: a text chunk (iTXt) of PNG with the keyword `tinygan`. */

export const KEYWORD = 'tinygan';

const HEADER = 8 + 25;  // signature, and IHDR, which must stay first

const CRC_TABLE = Uint32Array.from({length: 256}, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xEDB88320 ^ value >>> 1 : value >>> 1;
  return value;
});

/**
 * Returns a PNG file with a text in it.
 *
 * @param {Uint8Array} png
 * @param {string} text any of Unicode.
 * @returns {Uint8Array}
 */
export function withText(png, text) {
  // Keyword, 0, not compressed, method 0, no language and no translated keyword (each ended by 0), text.
  const body = new TextEncoder().encode(`iTXt${KEYWORD}\0\0\0\0\0${text}`);
  const chunk = new Uint8Array(body.length + 8);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, body.length - 4);
  chunk.set(body, 4);
  view.setUint32(4 + body.length, crc(body));
  const result = new Uint8Array(png.length + chunk.length);
  result.set(png.subarray(0, HEADER));
  result.set(chunk, HEADER);
  result.set(png.subarray(HEADER), HEADER + chunk.length);
  return result;
}

function crc(bytes) {
  let value = 0xFFFFFFFF;
  for (const byte of bytes) value = CRC_TABLE[(value ^ byte) & 0xFF] ^ value >>> 8;
  return ~value >>> 0;
}
