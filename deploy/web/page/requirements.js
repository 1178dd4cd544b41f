/* What the page cannot do without, said in a sentence. A classic script in old words: it runs where nothing else does. */
(function () {
  'use strict';

  var failed = false;

  function fail(sentence) {
    if (failed) return;  // the first reason is the reason
    failed = true;
    function show() {
      var box = document.getElementById('failure');
      box.textContent = sentence;
      box.hidden = false;
      document.getElementById('loading').hidden = true;
      document.querySelector('main').hidden = true;
    }
    if (document.body) show();
    else document.addEventListener('DOMContentLoaded', show);
  }

  window.showFailure = fail;
  if (location.protocol === 'file:') {
    fail('Browsers do not run this page from a file. Serve its folder, for example by “python -m http.server” inside it, ' +
      'and open the address that it prints.');
  } else if (typeof WebAssembly !== 'object' || typeof WebAssembly.instantiate !== 'function') {
    fail('This browser has no WebAssembly, or it is switched off (as in lockdown modes); the model cannot run without it.');
  } else if (!('noModule' in HTMLScriptElement.prototype) || typeof DecompressionStream !== 'function' ||
      typeof Worker !== 'function' || typeof BigInt !== 'function' || typeof HTMLDialogElement !== 'function') {
    fail('This browser is too old for this page; one of 2023 or newer can show it.');
  }
  // A file that is not there is an event of its element, which does not bubble.
  window.addEventListener('error', function (event) {
    var element = event.target;
    if (element && (element.tagName === 'SCRIPT' || element.tagName === 'LINK' && element.rel === 'stylesheet')) {
      fail('A part of the page is missing on the server (' + (element.src || element.href).split('/').pop() +
        ', or what it needs). Copy the whole folder again.');
    }
  }, true);
})();
