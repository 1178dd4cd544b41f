/*
 * Draws, so that the page never waits.
 *
 * A classic worker: LiteRT.js loads its own script by `importScripts`, which workers made of modules do not have.
 */
'use strict';

const artist = import('./artist.js').then(
  ({openArtist}) => openArtist(self.location.href, (loaded, total) => postMessage({kind: 'progress', loaded, total})),
  () => { throw Object.assign(new Error(), {sentence: 'A part of the page is missing on the server. Copy the whole folder again.'}); });

artist.then(({about}) => postMessage({kind: 'ready', about}), (error) => postMessage({kind: 'failed', sentence: say(error)}));

self.addEventListener('message', async ({data: {id, recipe}}) => {
  try {
    const {rgba, milliseconds} = await (await artist).draw(recipe);
    postMessage({kind: 'drawn', id, rgba, milliseconds}, [rgba.buffer]);
  } catch (error) {
    postMessage({kind: 'not drawn', id, sentence: say(error)});
  }
});

function say(error) {
  return error.sentence ?? `The model failed: ${String(error?.message ?? error).split('\n')[0]}`;
}
