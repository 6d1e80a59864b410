// The decision editor: Camunda 8's DMN modeler (requirements diagram, tables, literal expressions).
import { CamundaCloudModeler } from 'camunda-dmn-js';

import 'camunda-dmn-js/dist/assets/camunda-cloud-modeler.css';
import { translateModule } from './translate.js';

/** Opens a DMN modeler in `container`; `propertiesPanel` is the element for the diagram's panel. */
export function CarelaneDmn(container, options = {}) {
  const { propertiesPanel, locale = 'zh', ...rest } = options;
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

window.CarelaneDmn = CarelaneDmn;
