// The form editor's page: JSON on the left, the form as staff see it on the right, rendered by the server.
import { Desk, send, studio } from './desk.js';

export function startForm(root) {
  const source = root.querySelector('[data-source]');
  const preview = root.querySelector('[data-preview]');
  let timer;
  const desk = new Desk({
    read: () => source.value,
    write(text) { source.value = text; draw(); },
    go(problem) {
      const at = source.value.indexOf(`"${problem.element}"`);
      if (at < 0) return;
      source.focus();
      source.setSelectionRange(at, at + problem.element.length + 2);
      const line = source.value.slice(0, at).split('\n').length;
      source.scrollTop = (line - 4) * parseFloat(getComputedStyle(source).lineHeight);
    },
  });

  async function draw() {
    try {
      const { text } = await send(studio.urls.preview, desk.body(source.value));
      preview.innerHTML = text;
    } catch { /* the problem list says why */ }
  }

  source.addEventListener('input', () => { desk.changed(); clearTimeout(timer); timer = setTimeout(draw, 700); });
  source.addEventListener('keydown', (event) => {
    if (event.key !== 'Tab' || event.shiftKey || source.readOnly) return;
    event.preventDefault();
    source.setRangeText('  ', source.selectionStart, source.selectionEnd, 'end');
    desk.changed();
  });
  desk.check();
  window.carelaneEditor = { desk };
}
