/** The page: starts the model, then lets people draw. What is chosen is kept in the address after the #. */

import {BlendView} from './blend.js';
import {Drawer} from './drawer.js';
import {GridView} from './grid.js';
import {MorphView} from './morph.js';
import {format, parse, readSeed} from './recipe.js';
import {byId, randomSeed, Studio} from './studio.js';
import {Viewer} from './viewer.js';

const VIEWS = ['grid', 'blend', 'morph'];

const drawer = new Drawer((loaded, total) => {
  byId('progress').value = loaded / total;
  const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
  document.querySelector('#loading label').textContent =
    loaded < total ? `Loading the model: ${megabytes(loaded)} of ${megabytes(total)} MB` : 'Starting the model…';
});

drawer.ready.then(start, (error) => window.showFailure(error.message));

function start(about) {
  const studio = new Studio(drawer, about, window.showFailure);
  studio.onProblem = notice;
  const viewer = new Viewer(studio, notice);
  studio.onOpen = (recipe) => viewer.open(recipe);
  studio.onDrawn = (milliseconds) => byId('time').textContent = `${milliseconds.toFixed(1)} ms a picture`;
  byId('time').hidden = false;

  let current = 'grid';
  const changed = () => keepInAddress(current, views[current].state(), about.model.id);
  const views = {
    grid: new GridView(studio, (index) => {
      studio.classIndex = index;
      refresh();
    }),
    morph: new MorphView(studio, () => refresh()),
  };
  if (studio.classes.length < 3) byId('tab-blend').hidden = true;
  else views.blend = new BlendView(studio, changed);

  const refresh = () => {
    byId('seed').value = studio.seed;
    byId('truncation').value = studio.truncation;
    byId('truncation-value').textContent = studio.truncation;
    views[current].refresh();
    changed();
  };
  const show = (name) => {
    current = name;
    for (const view of VIEWS) {
      byId(view).hidden = view !== name;
      byId(`tab-${view}`).setAttribute('aria-selected', view === name);
      byId(`tab-${view}`).tabIndex = view === name ? 0 : -1;
    }
    document.body.dataset.view = name;
    views.morph.visible = name === 'morph';
    refresh();
  };
  const follow = () => {
    try {
      const fields = new URLSearchParams(location.hash.slice(1));
      const known = studio.classes.map(({index}) => index);
      const {recipe, model} = parse(location.hash.slice(1), studio.recipe(), known);
      [[studio.classIndex]] = recipe.classes;
      [[studio.seed]] = recipe.seeds;
      studio.truncation = recipe.truncation;
      views.blend?.restore(recipe, fields.get('corners'));
      views.morph.restore(fields.get('to-class'), fields.get('to-seed'));
      const name = views[fields.get('view')] ? fields.get('view') : recipe.classes.length > 1 && views.blend ? 'blend' : 'grid';
      document.querySelector('main').hidden = false;
      show(name);
      if (model && model !== about.model.id) {
        notice('The link was made with another model: here its picture looks different.');
      }
      if (fields.has('seed') && !fields.has('view')) viewer.open(recipe);
    } catch (error) {
      document.querySelector('main').hidden = false;
      show(current);
      notice(error.message);
    }
  };

  connectTabs((name) => show(name), views);
  connectControls(studio, refresh);
  describeModel(about, studio);
  byId('loading').hidden = true;
  document.querySelector('details').open = matchMedia('(min-width: 60rem)').matches;
  follow();
  addEventListener('hashchange', follow);
  byId('live').textContent = 'The model is ready.';
  document.body.dataset.ready = '';
  keepForOffline(about.build);
}

function keepInAddress(view, {recipe, ...more}, model) {
  const fields = new URLSearchParams({view, ...more});
  history.replaceState(null, '', `#${format(recipe, model)}&${fields.toString().replaceAll('%2C', ',')}`);
}

function connectTabs(show, views) {
  const names = VIEWS.filter((name) => views[name]);
  for (const name of names) {
    const tab = byId(`tab-${name}`);
    tab.addEventListener('click', () => show(name));
    tab.addEventListener('keydown', ({key}) => {
      const by = {ArrowLeft: -1, ArrowRight: 1}[key];
      if (!by) return;
      const next = names[(names.indexOf(name) + by + names.length) % names.length];
      show(next);
      byId(`tab-${next}`).focus();
    });
  }
}

function connectControls(studio, refresh) {
  const setSeed = (seed) => {
    studio.seed = BigInt.asUintN(64, seed);
    refresh();
  };
  byId('seed').addEventListener('change', ({target}) => {
    try {
      setSeed(readSeed(target.value));
    } catch (error) {
      refresh();
      notice(error.message);
    }
  });
  byId('seed-down').addEventListener('click', () => setSeed(studio.seed - 1n));
  byId('seed-up').addEventListener('click', () => setSeed(studio.seed + 1n));
  byId('shuffle').addEventListener('click', () => setSeed(randomSeed()));
  byId('truncation').addEventListener('input', ({target}) => {
    studio.truncation = Number(target.value);
    refresh();
  });
}

function describeModel({model, artifact, decibels, fullyDelegated, build, litert}, {size, classes}) {
  const number = (value) => value.toLocaleString('en');
  const weights = model.parameters ? `${number(model.parameters)} weights draw` : 'A small network draws';
  byId('lead').textContent = `${weights} each picture on this device; nothing is sent anywhere.`;
  const facts = {
    'Pictures': `${size} × ${size} pixels, ${number(classes.length)} ${classes.length > 1 ? 'classes' : 'class'}`,
    'Weights': model.parameters && number(model.parameters),
    'Multiply-accumulates': model.multiplyAccumulates && `${number(model.multiplyAccumulates)} a picture`,
    'File': `${artifact.file}, ${(artifact.bytes / 1e6).toFixed(2)} MB, ${artifact.precision}`,
    'Test picture': decibels === Infinity ? 'identical to the stored one' : `${decibels.toFixed(1)} dB from the stored one`,
    'Runtime': `LiteRT.js ${litert} (Apache-2.0), WebAssembly ${build.includes('compat') ? 'without' : 'with'} relaxed SIMD, ` +
      (fullyDelegated ? 'every operation by XNNPACK' : 'not every operation by XNNPACK: slow'),
    'Trained from': model.trainedFrom,
    'Model': model.id,
  };
  for (const [term, detail] of Object.entries(facts)) {
    if (!detail) continue;
    byId('facts').append(Object.assign(document.createElement('dt'), {textContent: term}),
      Object.assign(document.createElement('dd'), {textContent: detail}));
  }
}

function notice(sentence) {
  // Inside an open dialog, because what lies below it is neither seen nor read.
  const box = byId('notice');
  (byId('viewer').open ? byId('viewer') : document.body).append(box);
  box.firstElementChild.textContent = sentence;
  box.hidden = false;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => box.hidden = true, 8000);
}

byId('notice').querySelector('button').addEventListener('click', () => byId('notice').hidden = true);

async function keepForOffline(build) {
  if (!('serviceWorker' in navigator)) return;  // a page without https, other than localhost
  const hadOne = Boolean(navigator.serviceWorker.controller);
  navigator.serviceWorker.addEventListener('controllerchange', () => {
    if (hadOne) notice('There is a newer version of this page: reload to see it.');
  });
  try {
    await navigator.serviceWorker.register(`service-worker.js?build=${build}`);
    await navigator.serviceWorker.ready;
    document.body.dataset.offline = '';
  } catch {
    // Private windows and some servers refuse; the page works, with the network.
  }
}
