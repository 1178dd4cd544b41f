/*
 * Keeps the folder for use without a network. The export writes the version, a hash of all files, into this script:
 * a changed folder is a changed script, by which browsers notice it.
 */
'use strict';

const VERSION = 'VERSION';
const CACHE = `tinygan ${new URL(self.registration.scope).pathname} ${VERSION}`;
const BUILD = new URL(self.location.href).searchParams.get('build');

self.addEventListener('install', (event) => event.waitUntil(install()));

self.addEventListener('activate', (event) => event.waitUntil((async () => {
  const old = (await caches.keys()).filter((name) => name.startsWith(CACHE.slice(0, -VERSION.length)) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
})()));

self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== 'GET' || !url.href.startsWith(self.registration.scope)) return;
  event.respondWith((async () => {
    const cache = await caches.open(CACHE);
    return await cache.match(event.request, {ignoreSearch: true}) ?? fetch(event.request);
  })());
});

async function install() {
  const listing = await (await fetch('files.json', {cache: 'no-cache'})).json();
  if (listing.version !== VERSION) throw new Error('files.json is of another version than this script');
  // Of LiteRT.js's builds only the one that this browser runs.
  const names = Object.keys(listing.files).filter((name) => !name.startsWith('litert/litert_wasm') || name.startsWith(`litert/${BUILD}.`));
  const cache = await caches.open(CACHE);
  await Promise.all(names.map(async (name) => {
    // What the page has just loaded comes from the browser's own cache, unless it is of an older version.
    for (const mode of ['default', 'reload']) {
      const response = await fetch(name, {cache: mode});
      if (!response.ok) throw new Error(`${name}: ${response.status}`);
      const bytes = await response.arrayBuffer();
      if (await hash(bytes) !== listing.files[name].sha256) continue;
      const type = {'Content-Type': response.headers.get('Content-Type') ?? 'application/octet-stream'};
      await cache.put(name, new Response(bytes, {headers: type}));
      return;
    }
    throw new Error(`${name} is not the file that was exported`);
  }));
  await cache.put('files.json', new Response(JSON.stringify(listing), {headers: {'Content-Type': 'application/json'}}));
  await cache.put('./', (await cache.match('index.html')).clone());
  await self.skipWaiting();
}

async function hash(bytes) {
  const words = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(words, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
