// Loaded on every page: htmx, idiomorph as its "morph" swap, and the few habits that all pages share.
import htmx from 'htmx.org';
import { Idiomorph } from 'idiomorph';

// hx-on and trigger filters are compiled from strings by htmx; our content policy has no unsafe-eval.
htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false;

const MORPH_STYLES = { morph: 'outerHTML', 'morph:outerHTML': 'outerHTML', 'morph:innerHTML': 'innerHTML' };

htmx.defineExtension('morph', {
  isInlineSwap: (style) => MORPH_STYLES[style] === 'outerHTML',
  handleSwap: (style, target, fragment) => {
    const morphStyle = MORPH_STYLES[style];
    return morphStyle ? Idiomorph.morph(target, fragment.children, { morphStyle }) : undefined;
  },
});

window.htmx = htmx;
window.Idiomorph = Idiomorph;

export const csrf = () => JSON.parse(document.body.getAttribute('hx-headers') || '{}')['X-CSRF-Token'];

/** A POST as our own forms send it. */
window.carelanePost = (url, fields = {}, headers = {}) =>
  fetch(url, { method: 'POST', body: new URLSearchParams(fields), headers: { 'X-CSRF-Token': csrf(), ...headers }, credentials: 'same-origin' });

// What refreshes by itself must not keep a session alive.
document.addEventListener('htmx:configRequest', (event) => {
  const trigger = event.detail.triggeringEvent;
  if (!trigger || trigger.type === 'carelane:changed') event.detail.headers['X-Carelane-Background'] = '1';
});

document.addEventListener('change', (event) => {
  if (event.target.matches('[data-submit]')) event.target.form.requestSubmit();
});

// One press of a button sends a form once.
document.addEventListener('submit', (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== 'post' || form.dataset.again !== undefined) return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = '1';
  setTimeout(() => { delete form.dataset.sent; }, 4000);
});

document.addEventListener('click', (event) => {
  document.querySelectorAll('details.menu[open]').forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  const ask = event.target.closest('[data-confirm]');
  if (ask && !window.confirm(ask.dataset.confirm)) event.preventDefault();
});

document.querySelectorAll('form[data-autosubmit]').forEach((form) => form.requestSubmit());
