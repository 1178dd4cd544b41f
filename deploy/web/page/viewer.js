/** One picture, large: save it, share it, look at its neighbours. */

import {withText} from './png.js';
import {format, plain} from './recipe.js';
import {byId} from './studio.js';

export class Viewer {
  #studio;
  #say;
  #recipe;

  /**
   * @param {import('./studio.js').Studio} studio
   * @param {(sentence: string) => void} say tells what was done.
   */
  constructor(studio, say) {
    this.#studio = studio;
    this.#say = say;
    Object.assign(byId('viewer-canvas'), {width: studio.size, height: studio.size});
    const dialog = byId('viewer');
    byId('close').addEventListener('click', () => dialog.close());
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
    dialog.addEventListener('keydown', ({key}) => {
      if (key === 'ArrowLeft') this.#step(-1n);
      if (key === 'ArrowRight') this.#step(1n);
    });
    byId('viewer-previous').addEventListener('click', () => this.#step(-1n));
    byId('viewer-next').addEventListener('click', () => this.#step(1n));
    byId('save').addEventListener('click', () => this.#save());
    byId('copy').addEventListener('click', () => this.#copy());
    byId('share').addEventListener('click', () => this.#share());
    byId('share').hidden = !navigator.canShare?.({files: [new File([], 'a.png', {type: 'image/png'})]});
    byId('open-app').hidden = !matchMedia('(pointer: coarse)').matches;
  }

  /** Shows a recipe. */
  async open(recipe) {
    this.#recipe = recipe;
    const {title, seed} = this.#studio.describe(recipe);
    byId('viewer-title').textContent = title;
    byId('viewer-recipe').textContent = `seed ${seed} · truncation ${recipe.truncation}`;
    byId('viewer-canvas').setAttribute('aria-label', `Picture of ${title}, seed ${seed}`);
    for (const id of ['viewer-previous', 'viewer-next']) byId(id).hidden = recipe.seeds.length > 1;
    // The phones blend classes, but no latents.
    byId('open-app').href = `tinygan://draw?${this.#written()}`;
    byId('open-app').hidden ||= recipe.seeds.length > 1;
    if (!byId('viewer').open) {
      byId('viewer').showModal();
      byId('viewer-title').focus();
    }
    await this.#studio.paint(byId('viewer-canvas'), recipe, 'viewer');
  }

  #written() {
    return format(this.#recipe, this.#studio.about.model.id);
  }

  #link() {
    return `${location.origin}${location.pathname}#${this.#written()}`;
  }

  #step(by) {
    if (this.#recipe.seeds.length > 1) return;
    const {classes, seeds: [[seed]], truncation} = this.#recipe;
    this.open({...plain(0, BigInt.asUintN(64, seed + by), truncation), classes});
  }

  /** Returns the picture, pixel for pixel what the model drew, with the recipe in it. */
  async #file() {
    const blob = await new Promise((resolve) => byId('viewer-canvas').toBlob(resolve, 'image/png'));
    const bytes = withText(new Uint8Array(await blob.arrayBuffer()), this.#written());
    const {title, seed} = this.#studio.describe(this.#recipe);
    const name = `tinygan ${title} seed ${seed}`.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/-$/, '');
    return new File([bytes], `${name}.png`, {type: 'image/png'});
  }

  async #save() {
    const file = await this.#file();
    const address = URL.createObjectURL(file);
    Object.assign(document.createElement('a'), {href: address, download: file.name}).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
    this.#say(`Saved ${file.name}.`);
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.#link());
      this.#say('The link is copied.');
    } catch {
      // Without a secure page, or without leave, there is no clipboard; the address bar can be copied by hand.
      location.hash = this.#written();
      this.#say('This browser does not let the page copy: the link is in the address bar.');
    }
  }

  async #share() {
    try {
      await navigator.share({files: [await this.#file()], title: byId('viewer-title').textContent, url: this.#link()});
    } catch (error) {
      if (error.name !== 'AbortError') this.#say('This browser could not share the picture; save it instead.');
    }
  }
}
