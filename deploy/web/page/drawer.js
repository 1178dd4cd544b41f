/** The page's side of the worker: at most a few images are under way, and of each place only the newest is drawn. */

import {DrawingError} from './engine.js';

const UNDER_WAY = 2;
const TIMES = 50;

export class Drawer {
  #worker;
  #waiting = new Map();   // place → job, in the order in which the places asked
  #underWay = new Map();  // id → job
  #nextId = 0;
  #times = [];

  /**
   * Starts the worker.
   *
   * @param {(loaded: number, total: number) => void} onProgress in bytes.
   */
  constructor(onProgress) {
    /** What the model is; rejected with a sentence if it cannot draw. */
    this.ready = new Promise((resolve, reject) => {
      this.#worker = new Worker(new URL('worker.js', import.meta.url));
      this.#worker.addEventListener('message', ({data}) => {
        if (data.kind === 'progress') onProgress(data.loaded, data.total);
        else if (data.kind === 'ready') resolve(data.about);
        else if (data.kind === 'failed') reject(new DrawingError(data.sentence));
        else this.#finish(data);
      });
      this.#worker.addEventListener('error', (event) => {
        event.preventDefault();
        const sentence = 'The part of the page that draws could not be started or has stopped. Reload; if that does ' +
          'not help, copy the whole folder to the server again.';
        reject(new DrawingError(sentence));
        for (const job of [...this.#underWay.values(), ...this.#waiting.values()]) job.reject(new DrawingError(sentence));
        this.#underWay.clear();
        this.#waiting.clear();
      });
    });
  }

  /**
   * Draws a recipe for a place on the page.
   *
   * @param {import('./recipe.js').Recipe} recipe
   * @param {string} place what it is for; an older wish for the same place is dropped.
   * @returns {Promise<Uint8ClampedArray | null>} R, G, B, 255 of each pixel; null: a newer wish came.
   */
  draw(recipe, place) {
    this.#waiting.get(place)?.resolve(null);
    this.#waiting.delete(place);
    return new Promise((resolve, reject) => {
      this.#waiting.set(place, {recipe, resolve, reject});
      this.#send();
    });
  }

  /** Mean of the last times of latent, model and pixels, milliseconds; null before the first. */
  get milliseconds() {
    // A mean, because browsers round each time to as much as a millisecond.
    return this.#times.length ? this.#times.reduce((sum, time) => sum + time, 0) / this.#times.length : null;
  }

  #send() {
    for (const [place, job] of this.#waiting) {
      if (this.#underWay.size >= UNDER_WAY) return;
      this.#waiting.delete(place);
      this.#underWay.set(++this.#nextId, job);
      this.#worker.postMessage({id: this.#nextId, recipe: job.recipe});
    }
  }

  #finish({kind, id, rgba, milliseconds, sentence}) {
    const job = this.#underWay.get(id);
    this.#underWay.delete(id);
    this.#send();
    if (kind === 'drawn') {
      this.#times = [...this.#times.slice(1 - TIMES), milliseconds];
      job?.resolve(rgba);
    } else {
      job?.reject(new DrawingError(sentence));
    }
  }
}
