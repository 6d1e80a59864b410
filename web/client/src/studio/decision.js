// The decision editor's page: Camunda 8's DMN modeler, one tab for each view of the file.
import { CamundaCloudModeler } from 'camunda-dmn-js';

import { translateModule } from '../translate.js';
import { Desk, studio } from './desk.js';

export async function startDecision(root) {
  const modeler = CarelaneDmn(root.querySelector('[data-canvas]'), { propertiesPanel: root.querySelector('[data-properties]'), locale: studio.locale });
  const tabs = root.querySelector('[data-views]');
  let quiet = true;

  const desk = new Desk({
    async read() {
      if (document.querySelector('dialog[open]')) document.activeElement?.blur?.();
      return (await modeler.saveXML({ format: true })).xml;
    },
    async write(text) { await open(text); },
    go(problem) {
      const view = modeler.getViews().find((v) => v.element.id === problem.element);
      if (view) modeler.open(view);
    },
  });

  async function open(xml) {
    quiet = true;
    await modeler.importXML(xml);
    const wanted = modeler.getViews().find((v) => v.element.id === root.dataset.decision && v.type !== 'drd');
    if (wanted) await modeler.open(wanted);
    quiet = false;
  }

  modeler.on('views.changed', ({ views, activeView }) => {
    root.classList.toggle('table', activeView?.type !== 'drd');
    tabs.replaceChildren(...views.map((view) => {
      const tab = document.createElement('button');
      tab.type = 'button';
      tab.setAttribute('role', 'tab');
      tab.setAttribute('aria-selected', String(view === activeView));
      tab.textContent = view.element.name || view.element.id;
      tab.addEventListener('click', () => modeler.open(view));
      return tab;
    }));
    const viewer = modeler.getActiveViewer();
    const bus = viewer?.get('eventBus');
    if (bus && !bus.carelane) {
      bus.carelane = true;
      bus.on('commandStack.changed', () => { if (!quiet) desk.changed(); });
    }
  });

  await open(await (await fetch(studio.urls.content)).text());
  desk.check();
  window.carelaneEditor = { modeler, desk };
}

/** Opens a DMN modeler in `container`; `propertiesPanel` is the element for the diagram's panel. */
export function CarelaneDmn(container, { propertiesPanel, locale = 'zh', ...rest } = {}) {
  const additionalModules = [translateModule(locale)];
  return new CamundaCloudModeler({
    container,
    drd: { additionalModules, propertiesPanel: { parent: propertiesPanel } },
    decisionTable: { additionalModules },
    literalExpression: { additionalModules },
    boxedExpression: { additionalModules },
    ...rest,
  });
}
