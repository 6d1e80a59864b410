// The process editor's page: `[data-editor=process]` around a canvas and a properties panel.
import { CarelaneModeler } from './modeler.js';
import { Desk, studio } from './desk.js';
import { dictionaryModule } from './dictionary.js';

/** The panel keeps what is typed for 600 ms; leaving the field hands it over at once. */
async function settle() {
  document.activeElement?.blur?.();
  await new Promise((done) => setTimeout(done, 20));
}

export async function startProcess(root) {
  const canvas = root.querySelector('[data-canvas]');
  const [templates, fields] = await Promise.all([studio.urls.templates, studio.urls.dictionary].map(listed));
  const modeler = new CarelaneModeler(canvas, {
    propertiesPanel: root.querySelector('[data-properties]'), locale: studio.locale, templates, additionalModules: [dictionaryModule(fields)],
  });
  let quiet = true;

  const desk = new Desk({
    async read() {
      // Checking while somebody types must not take the field from under them: the panel's own value comes with the next round.
      if (document.querySelector('dialog[open]')) await settle();
      return (await modeler.saveXML({ format: true })).xml;
    },
    async write(text) { await open(text); },
    show(problems) { modeler.get('linting').setErrors(reports(problems)); },
    go(problem) { modeler.get('linting').showError({ id: problem.element, message: problem.message, category: 'error', rule: problem.rule }); },
  });

  async function open(xml) {
    quiet = true;
    await modeler.importXML(xml);
    fit(modeler);
    quiet = false;
  }

  await open(await (await fetch(studio.urls.content)).text());
  modeler.get('linting').activate();
  modeler.on('commandStack.changed', () => { if (!quiet) desk.changed(); });
  desk.check();
  window.carelaneEditor = { modeler, desk };
}

/** A list of the server's; the editor works without it, too. */
const listed = (url) => fetch(url).then((answer) => (answer.ok ? answer.json() : []));

function reports(problems) {
  return problems.filter((p) => p.element).map((p) => ({
    id: p.element, message: `${p.message} ${p.fix}`, category: p.severity === 'error' ? 'error' : 'warn', rule: p.rule,
  }));
}

/** The whole diagram, but not under the palette, which fit-viewport knows nothing of. */
function fit(modeler) {
  const canvas = modeler.get('canvas');
  canvas.zoom('fit-viewport', 'auto');
  const palette = 130;
  const { inner, outer } = canvas.viewbox();
  const scale = Math.min(1.1, (outer.width - palette - 30) / inner.width, (outer.height - 40) / inner.height);
  const [width, height] = [outer.width / scale, outer.height / scale];
  canvas.viewbox({ x: inner.x - palette / scale, y: inner.y + inner.height / 2 - height / 2, width, height });
}
