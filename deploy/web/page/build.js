/** Which build of LiteRT.js this machine can run: with relaxed SIMD (Chrome, Edge, newer others), or without it. */

// A function of WebAssembly whose one operation of interest is i8x16.relaxed_swizzle.
const RELAXED_SIMD = Uint8Array.of(
  0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,                                                    // magic, version
  1, 5, 1, 0x60, 0, 1, 0x7b,                                                             // type () → v128
  3, 2, 1, 0,                                                                            // one function of it
  10, 15, 1, 13, 0, 0x41, 0, 0xfd, 15, 0x41, 0, 0xfd, 15, 0xfd, 0x80, 0x02, 0x0b);       // its code

/** Returns the name that the build's files begin with. */
export function supportedBuild() {
  return WebAssembly.validate(RELAXED_SIMD) ? 'litert_wasm_internal' : 'litert_wasm_compat_internal';
}
