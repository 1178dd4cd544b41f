/** The way from one picture to another, in class and latent at once; it plays back and forth by itself. */

import {readSeed} from './recipe.js';
import {byId, pick, randomSeed} from './studio.js';

const SECONDS = 4;  // from one end to the other
const FRAMES = 6;
const still = matchMedia('(prefers-reduced-motion: reduce)');

export class MorphView {
  #studio;
  #onChange;
  #toClass;
  #toSeed = 7n;
  #t = 0;
  #forward = true;
  #playing = !still.matches;
  #visible = false;
  #canvas;
  #film = [];

  constructor(studio, onChange) {
    this.#studio = studio;
    this.#onChange = onChange;
    this.#toClass = studio.classes[Math.floor(studio.classes.length / 2)].index;
    this.#canvas = studio.canvas();
    byId('morph-picture').append(this.#canvas);
    byId('morph-picture').addEventListener('click', () => studio.onOpen(this.#at(this.#t)));
    this.#buildFilm();
    this.#buildControls();
  }

  set visible(value) {
    this.#visible = value;
    if (value) this.#run();
  }

  /** Draws the film and the picture. */
  refresh() {
    byId('from-class').value = this.#studio.classIndex;
    byId('to-class').value = this.#toClass;
    byId('from-seed').value = this.#studio.seed;
    byId('to-seed').value = this.#toSeed;
    this.#film.forEach(({canvas, t}, k) => this.#studio.paint(canvas, this.#at(t), `film ${k}`));
    this.#draw();
  }

  state() {
    return {recipe: this.#studio.recipe(), 'to-class': this.#toClass, 'to-seed': this.#toSeed};
  }

  /** Goes where an address says. */
  restore(toClass, toSeed) {
    if (this.#studio.names.has(Number(toClass ?? NaN))) this.#toClass = Number(toClass);
    if (/^\d{1,20}$/.test(toSeed ?? '')) this.#toSeed = BigInt.asUintN(64, BigInt(toSeed));
  }

  #at(t) {
    const from = this.#studio.recipe();
    return this.#studio.between(from, this.#studio.recipe(this.#toClass, this.#toSeed), Math.round(t * 100) / 100);
  }

  #draw() {
    const recipe = this.#at(this.#t);
    const {title} = this.#studio.describe(recipe);
    byId('position').value = Math.round(this.#t * 100);
    byId('position').setAttribute('aria-valuetext', title);
    byId('morph-title').textContent = title;
    byId('morph-picture').setAttribute('aria-label', `${title}: enlarge`);
    byId('play').setAttribute('aria-label', this.#playing ? 'Pause' : 'Play');
    byId('play').setAttribute('aria-pressed', this.#playing);
    return this.#studio.paint(this.#canvas, recipe, 'morph picture');
  }

  #run() {
    let before = null;
    const step = async (now) => {
      if (!this.#playing || !this.#visible) return;
      const share = before === null ? 0 : Math.min((now - before) / 1000 / SECONDS, 0.1);
      before = now;
      this.#t += this.#forward ? share : -share;
      if (this.#t >= 1 || this.#t <= 0) this.#forward = this.#t <= 0;
      this.#t = Math.min(Math.max(this.#t, 0), 1);
      await this.#draw();
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  #play(playing) {
    const started = playing && !this.#playing;
    this.#playing = playing;
    this.#draw();
    if (started) this.#run();
  }

  #buildFilm() {
    for (let k = 0; k <= FRAMES; k++) {
      const t = k / FRAMES;
      const canvas = this.#studio.canvas();
      const button = Object.assign(document.createElement('button'), {type: 'button', className: 'tile'});
      button.setAttribute('aria-label', `${Math.round(t * 100)} % of the way`);
      button.append(canvas);
      button.addEventListener('click', () => this.#goTo(t));
      const item = document.createElement('li');
      item.append(button);
      byId('film').append(item);
      this.#film.push({canvas, t});
    }
  }

  #goTo(t) {
    this.#t = t;
    this.#play(false);
  }

  #buildControls() {
    const {classes} = this.#studio;
    byId('from-class').hidden = byId('to-class').hidden = classes.length < 2;
    this.#studio.fill(byId('from-class'), this.#studio.classIndex);
    this.#studio.fill(byId('to-class'), this.#toClass);
    const changed = () => {
      this.refresh();
      this.#onChange();
    };
    byId('from-class').addEventListener('change', ({target}) => {
      this.#studio.classIndex = Number(target.value);
      changed();
    });
    byId('to-class').addEventListener('change', ({target}) => {
      this.#toClass = Number(target.value);
      changed();
    });
    const onSeed = (id, set) => byId(id).addEventListener('change', ({target}) => {
      try {
        set(readSeed(target.value));
      } catch (error) {
        this.#studio.onProblem(error.message);
      }
      changed();
    });
    onSeed('from-seed', (seed) => this.#studio.seed = seed);
    onSeed('to-seed', (seed) => this.#toSeed = seed);
    byId('position').addEventListener('input', ({target}) => this.#goTo(target.value / 100));
    byId('play').addEventListener('click', () => this.#play(!this.#playing));
    byId('new-pair').addEventListener('click', () => {
      // On from where it has come to.
      this.#studio.classIndex = this.#toClass;
      this.#studio.seed = this.#toSeed;
      [this.#toClass] = pick(classes.map(({index}) => index).filter((index) => classes.length < 2 || index !== this.#toClass), 1);
      this.#toSeed = randomSeed();
      this.#t = 0;
      this.#forward = true;
      changed();
    });
  }
}
