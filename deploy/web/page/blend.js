/** A pad on which a finger mixes three classes: its corners are the classes, small pictures show what lies between. */

import {merged} from './recipe.js';
import {byId} from './studio.js';

const STEPS = 6;  // of the small pictures along an edge
const KEY_STEP = 0.04;
const CORNERS = [[0.5, 0], [0, 1], [1, 1]];  // top, left, right; x and y as shares of the triangle

export class BlendView {
  #studio;
  #onChange;
  #corners;
  #point = [0.5, 0.6];
  #small = [];
  #marker = Object.assign(document.createElement('span'), {className: 'marker'});
  #canvas;

  constructor(studio, onChange) {
    this.#studio = studio;
    this.#onChange = onChange;
    const all = studio.classes.map(({index}) => index);
    this.#corners = [0, 1, 2].map((k) => all[Math.floor(k * all.length / 3)]);
    this.#canvas = studio.canvas();
    byId('blend-picture').append(this.#canvas);
    byId('blend-picture').addEventListener('click', () => studio.onOpen(this.recipe()));
    this.#buildPad();
    for (let k = 0; k < 3; k++) {
      studio.fill(byId(`corner-${k}`), this.#corners[k]);
      byId(`corner-${k}`).addEventListener('change', ({target}) => {
        this.#corners[k] = Number(target.value);
        this.refresh();
        this.#onChange();
      });
    }
  }

  /** Draws the pad and the picture. */
  refresh() {
    this.#small.forEach(({canvas, point}, k) => this.#studio.paint(canvas, this.#at(point), `blend ${k}`));
    this.#drawPicture();
  }

  /** The recipe under the finger. */
  recipe() {
    return this.#at(this.#point);
  }

  state() {
    return {recipe: this.recipe(), corners: this.#corners.join()};
  }

  /** Goes where an address says. */
  restore(recipe, corners) {
    const known = (corners ?? '').split(',').map(Number).filter((index) => this.#studio.names.has(index));
    if (known.length < 3 && recipe.classes.length < 2) return;  // one class says nothing of a blend
    const weights = new Map(recipe.classes);
    const wanted = known.length === 3 ? known : [...weights.keys()];
    if (wanted.length > 3 || ![...weights.keys()].every((index) => wanted.includes(index))) return;
    this.#corners = wanted.concat(this.#corners.filter((index) => !wanted.includes(index))).slice(0, 3);
    this.#corners.forEach((index, k) => byId(`corner-${k}`).value = index);
    const [top, , right] = this.#corners.map((index) => {
      const weight = weights.get(index) ?? 0;
      weights.delete(index);  // a class may have two corners
      return weight;
    });
    this.#point = [top / 2 + right, 1 - top];
  }

  #at(point) {
    const shares = barycentric(point);
    return {...this.#studio.recipe(), classes: merged(this.#corners.map((index, k) => [index, shares[k]]))};
  }

  #drawPicture() {
    const recipe = this.recipe();
    const {title} = this.#studio.describe(recipe);
    const shares = barycentric(this.#point);
    const pad = byId('pad');
    pad.setAttribute('aria-valuenow', Math.round(shares[0] * 100));
    pad.setAttribute('aria-valuetext', title);
    byId('blend-title').textContent = title;
    byId('blend-picture').setAttribute('aria-label', `${title}: enlarge`);
    this.#marker.style.setProperty('--x', this.#point[0]);
    this.#marker.style.setProperty('--y', this.#point[1]);
    this.#studio.paint(this.#canvas, recipe, 'blend picture');
  }

  #buildPad() {
    const pad = byId('pad');
    for (let row = 0; row <= STEPS; row++) {
      for (let column = 0; column <= row; column++) {
        const point = [0.5 + (column - row / 2) / STEPS, row / STEPS];
        const canvas = this.#studio.canvas();
        canvas.style.setProperty('--x', point[0]);
        canvas.style.setProperty('--y', point[1]);
        this.#small.push({canvas, point});
        pad.append(canvas);
      }
    }
    pad.append(this.#marker);
    const follow = (event) => {
      const box = pad.getBoundingClientRect();
      const style = getComputedStyle(pad);
      const small = this.#small[0].canvas.offsetWidth;
      const edge = parseFloat(style.paddingLeft) + small / 2;
      this.#move((event.clientX - box.left - edge) / (box.width - 2 * edge),
        (event.clientY - box.top - edge) / (box.height - 2 * edge));
    };
    pad.addEventListener('pointerdown', (event) => {
      pad.setPointerCapture(event.pointerId);
      follow(event);
    });
    pad.addEventListener('pointermove', (event) => pad.hasPointerCapture(event.pointerId) && follow(event));
    pad.addEventListener('lostpointercapture', () => this.#onChange());
    pad.addEventListener('keydown', (event) => {
      const [x, y] = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key] ?? [];
      if (x === undefined) return;
      event.preventDefault();
      this.#move(this.#point[0] + x * KEY_STEP, this.#point[1] + y * KEY_STEP);
      this.#onChange();
    });
  }

  #move(x, y) {
    const shares = barycentric([x, y]);
    this.#point = [0, 1].map((axis) => shares.reduce((sum, share, k) => sum + share * CORNERS[k][axis], 0));
    this.#drawPicture();
  }
}

/** Returns the shares of the three corners at a point; outside the triangle, those of a point on its edge. */
function barycentric([x, y]) {
  const top = 1 - y;
  const right = x - top / 2;
  const shares = [top, 1 - top - right, right].map((share) => Math.max(share, 0));
  const sum = shares.reduce((total, share) => total + share, 0);
  return shares.map((share) => share / sum);
}
