/** What all views share: the model, the seed and the truncation, and how a recipe becomes a picture on the page. */

import {between, plain} from './recipe.js';

export const byId = (id) => document.getElementById(id);

export class Studio {
  #drawer;
  #fail;

  /**
   * @param {import('./drawer.js').Drawer} drawer
   * @param {object} about what the worker says of the model.
   * @param {(sentence: string) => void} fail shows why nothing can be drawn any more.
   */
  constructor(drawer, about, fail) {
    this.#drawer = drawer;
    this.#fail = fail;
    this.about = about;
    this.size = about.model.imageSize;
    this.classes = named(about.model.classes);
    this.names = new Map(this.classes.map(({index, label}) => [index, label]));
    this.classIndex = this.classes[0].index;
    this.seed = 1n;
    this.truncation = about.truncation;
    /** Called with a recipe when a person asks for its picture alone. */
    this.onOpen = () => {};
    /** Called after every picture. */
    this.onDrawn = () => {};
  }

  /** The recipe of one class and seed, by default those that are chosen. */
  recipe(classIndex = this.classIndex, seed = this.seed) {
    return plain(classIndex, seed, this.truncation);
  }

  /** Returns a canvas of the model's size. */
  canvas() {
    return Object.assign(document.createElement('canvas'), {width: this.size, height: this.size});
  }

  /**
   * Draws a recipe into a canvas.
   *
   * @param {HTMLCanvasElement} canvas
   * @param {import('./recipe.js').Recipe} recipe
   * @param {string} place on the page; an older wish for it is dropped.
   * @returns {Promise<boolean>} false: a newer wish came.
   */
  async paint(canvas, recipe, place) {
    try {
      const rgba = await this.#drawer.draw(recipe, place);
      if (!rgba) return false;
      canvas.getContext('2d').putImageData(new ImageData(rgba, this.size, this.size), 0, 0);
      this.onDrawn(this.#drawer.milliseconds);
      return true;
    } catch (error) {
      this.#fail(error.message);
      return false;
    }
  }

  /** Returns a recipe in words. */
  describe({classes, seeds}) {
    const share = (weight) => `${Math.round(weight * 100)} % `;
    const list = (parts, name) => parts.map(([k, weight]) => (parts.length > 1 ? share(weight) : '') + name(k)).join(' + ');
    return {
      title: list(classes, (index) => spoken(this.names.get(index))),
      seed: list(seeds, String),
    };
  }

  /** Fills a select with the classes. */
  fill(select, chosen) {
    select.replaceChildren(...this.classes.map(({index, label}) => new Option(label, index, false, index === chosen)));
  }

  /** Returns the recipe a share `t` of the way between two. */
  between(from, to, t) {
    return between(from, to, t);
  }
}

/** Returns a seed that people can read out: six digits. */
export function randomSeed() {
  return BigInt(crypto.getRandomValues(new Uint32Array(1))[0] % 1_000_000);
}

/** Returns `count` different members of a list, or all of them. */
export function pick(list, count) {
  const left = [...list];
  return Array.from({length: Math.min(count, left.length)},
    () => left.splice(Math.floor(Math.random() * left.length), 1)[0]);
}

/** Returns a class's label for a sentence: a number alone says too little. */
function spoken(label) {
  return /^\d+$/.test(label) ? `class ${label}` : label;
}

/** Gives each class a short label: its first synonym, with the index where two share it. */
function named(classes) {
  const first = classes.map(({name}) => name.split(',', 1)[0]);
  return classes.map(({index}, k) => {
    const shared = first.filter((name) => name === first[k]).length > 1;
    return {index, label: shared ? `${first[k]} (${index})` : first[k]};
  });
}
