/** One class, a grid of seeds; and the classes to choose from, each with a picture that the model draws. */

import {consecutiveSeeds} from './latents.js';
import {byId} from './studio.js';

const FILTER_FROM = 24;  // classes
const wide = matchMedia('(min-width: 60rem)');

export class GridView {
  #studio;
  #thumbnails = new Map();  // class → {label, input, canvas, seen}
  #shownClass = null;

  constructor(studio, onClass) {
    this.#studio = studio;
    this.#buildClasses(onClass);
    wide.addEventListener('change', () => this.refresh());
  }

  /** Draws what is chosen. */
  refresh() {
    const count = wide.matches ? 15 : 9;
    const list = byId('tiles');
    while (list.children.length > count) list.lastChild.remove();
    while (list.children.length < count) list.append(this.#tile());
    consecutiveSeeds(this.#studio.seed, count).forEach((seed, k) => this.#drawTile(list.children[k], seed, k));
    for (const [index, {seen}] of this.#thumbnails) if (seen) this.#drawThumbnail(index);
    if (this.#shownClass !== this.#studio.classIndex) this.#showClass();
  }

  /** What the address keeps of this view beyond the recipe. */
  state() {
    return {recipe: this.#studio.recipe()};
  }

  #showClass() {
    this.#shownClass = this.#studio.classIndex;
    const {label, input} = this.#thumbnails.get(this.#shownClass);
    input.checked = true;
    // Not scrollIntoView, which would move the page, too.
    const strip = byId('classes');
    strip.scrollLeft = label.offsetLeft - (strip.clientWidth - label.offsetWidth) / 2;
    strip.scrollTop = label.offsetTop - (strip.clientHeight - label.offsetHeight) / 2;
  }

  #tile() {
    const item = document.createElement('li');
    const button = Object.assign(document.createElement('button'), {type: 'button', className: 'tile'});
    button.append(this.#studio.canvas());
    button.addEventListener('click', () => this.#studio.onOpen(this.#studio.recipe(undefined, BigInt(button.dataset.seed))));
    item.append(button);
    return item;
  }

  #drawTile(item, seed, place) {
    const [button] = item.children;
    const recipe = this.#studio.recipe(undefined, seed);
    button.dataset.seed = seed;
    button.setAttribute('aria-label', `${this.#studio.describe(recipe).title}, seed ${seed}: enlarge`);
    this.#studio.paint(button.firstChild, recipe, `tile ${place}`);
  }

  #buildClasses(onClass) {
    const {classes} = this.#studio;
    byId('class-choice').hidden = classes.length < 2;
    const watcher = new IntersectionObserver((entries) => {
      for (const {target, isIntersecting} of entries) {
        const index = Number(target.dataset.index);
        this.#thumbnails.get(index).seen = isIntersecting;
        if (isIntersecting) this.#drawThumbnail(index);
      }
    }, {root: null, rootMargin: '100px'});
    for (const {index, label: name} of classes) {
      const label = document.createElement('label');
      const input = Object.assign(document.createElement('input'), {type: 'radio', name: 'class', value: index});
      const canvas = this.#studio.canvas();
      canvas.setAttribute('aria-hidden', 'true');
      label.append(input, canvas, Object.assign(document.createElement('span'), {textContent: name}));
      label.title = name;
      label.dataset.index = index;
      input.addEventListener('change', () => onClass(index));
      this.#thumbnails.set(index, {label, input, canvas, seen: false});
      byId('classes').append(label);
      watcher.observe(label);
    }
    const filter = byId('class-filter');
    filter.hidden = classes.length < FILTER_FROM;
    filter.addEventListener('input', () => {
      const wanted = filter.value.trim().toLowerCase();
      for (const {label} of this.#thumbnails.values()) label.hidden = !label.title.toLowerCase().includes(wanted);
    });
  }

  #drawThumbnail(index) {
    this.#studio.paint(this.#thumbnails.get(index).canvas, this.#studio.recipe(index), `class ${index}`);
  }
}
