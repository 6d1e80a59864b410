// The process editor: Camunda 8 modeler with properties panel, element templates, lint and Chinese.
import Modeler from 'camunda-bpmn-js/lib/camunda-cloud/Modeler';
import { Linter } from '@camunda/linting';
import lintingModule from '@camunda/linting/modeler';

import 'camunda-bpmn-js/dist/assets/camunda-cloud-modeler.css';
import '@camunda/linting/assets/linting.css';
import './modeler.css';
import { translateModule } from './translate.js';

/**
 * Opens a modeler in `container`. Options: `propertiesPanel` (element), `locale` ('zh' | 'en'),
 * `templates` (element templates), `lint` (false to switch off), and anything bpmn-js takes.
 */
export function CarelaneModeler(container, options = {}) {
  const { propertiesPanel, locale = 'zh', templates, lint = true, additionalModules = [], ...rest } = options;
  const modeler = new Modeler({
    container,
    keyboard: { bind: true },
    propertiesPanel: { parent: propertiesPanel },
    additionalModules: [translateModule(locale), lintingModule, ...additionalModules],
    ...rest,
  });
  if (templates) modeler.get('elementTemplatesLoader').setTemplates(templates);
  if (lint) lintOnChange(modeler);
  return modeler;
}

function lintOnChange(modeler) {
  const linter = new Linter({ modeler: 'web', type: 'cloud' });
  let timer;
  const run = async () => {
    const reports = await linter.lint(modeler.getDefinitions());
    modeler.get('linting').setErrors(reports);
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(run, 400);
  };
  modeler.on('import.done', soon);
  modeler.on('elements.changed', soon);
  modeler.get('linting').activate();
}

window.CarelaneModeler = CarelaneModeler;
