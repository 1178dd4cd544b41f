/** The files of the page's folder, each compared with what the export wrote down in `files.json`. */

import {sha256} from './sha256.js';

/** A file that is missing or changed, as a sentence. */
export class FileError extends Error {}

export class Files {
  #base;
  #known;
  #onProgress;
  #loaded = 0;
  #total = 0;

  constructor(base, listing, onProgress) {
    this.#base = base;
    this.#known = listing.files;
    this.#onProgress = onProgress;
    this.litertVersion = listing.litert;
  }

  /**
   * Reads the listing.
   *
   * @param {string} base address of the folder, or of a file in it.
   * @param {(loaded: number, total: number) => void} onProgress in bytes.
   */
  static async open(base, onProgress) {
    const bytes = await readAll(await request(base, 'files.json'), 'files.json', () => {});
    try {
      const listing = JSON.parse(new TextDecoder().decode(bytes));
      return new Files(base, {...listing, files: new Map(Object.entries(listing.files))}, onProgress);
    } catch {
      throw new FileError('files.json is damaged. Export the page again.');
    }
  }

  /** Returns the address of a file. */
  address(name) {
    return new URL(name, this.#base).href;
  }

  /** Checks that the listing says the same of a file as another source. */
  expect(name, {bytes, sha256: hash}) {
    const known = this.#entry(name);
    if (known.bytes !== bytes || known.sha256 !== hash) {
      throw new FileError(`${name} is not the model that manifest.json describes. Export the page again.`);
    }
  }

  /** Returns the bytes of a file. */
  async load(name) {
    return (await this.loadAll([name], []))[0];
  }

  /** Returns the bytes of files; the `others` are checked too, for the browser to load by itself. */
  async loadAll(names, others) {
    const all = [...names, ...others];
    this.#total += all.reduce((sum, name) => sum + this.#entry(name).bytes, 0);
    return (await Promise.all(all.map((name) => this.#load(name)))).slice(0, names.length);
  }

  async #load(name) {
    const {bytes: size, sha256: expected} = this.#entry(name);
    const response = await request(this.#base, name);
    const bytes = await readAll(response, name, (count) => {
      this.#loaded += count;
      this.#onProgress(this.#loaded, this.#total);
    });
    if (bytes.length !== size || sha256(bytes) !== expected) {
      throw new FileError(`${name} is not the file that was exported: it was changed or cut off. Export the page again.`);
    }
    return bytes;
  }

  #entry(name) {
    const entry = this.#known.get(name);
    if (!entry) throw new FileError(`files.json does not list ${name}. Export the page again.`);
    return entry;
  }
}

async function request(base, name) {
  let response;
  try {
    response = await fetch(new URL(name, base));
  } catch {
    throw new FileError(`${name} could not be loaded: the server does not answer. Reload when it does.`);
  }
  if (!response.ok) {
    throw new FileError(`${name} is missing on the server (it answers ${response.status}). Copy the whole folder again.`);
  }
  return response;
}

async function readAll(response, name, onBytes) {
  const parts = [];
  try {
    const reader = response.body.getReader();
    for (;;) {
      const {done, value} = await reader.read();
      if (done) break;
      parts.push(value);
      onBytes(value.length);
    }
  } catch {
    throw new FileError(`${name} was cut off while it was loaded. Reload to try again.`);
  }
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((offset, part) => (bytes.set(part, offset), offset + part.length), 0);
  return bytes;
}
