// Camunda 8's process modeler with properties panel, element templates and Chinese. Its problems come from our server: one linter,
// the one that deploying uses.
import Modeler from 'camunda-bpmn-js/lib/camunda-cloud/Modeler';
import lintingModule from '@camunda/linting/modeler';

import { translateModule } from '../translate.js';

/**
 * Opens a modeler in `container`. Options: `propertiesPanel` (element), `locale` ('zh' | 'en'), `templates` (element templates), and
 * anything that bpmn-js takes. `modeler.get('linting').setErrors(reports)` draws problems on the diagram.
 */
export class CarelaneModeler extends Modeler {
  constructor(container, { propertiesPanel, locale = 'zh', templates, additionalModules = [], ...rest } = {}) {
    super({
      container,
      propertiesPanel: { parent: propertiesPanel },
      additionalModules: [translateModule(locale), lintingModule, ...additionalModules],
      ...rest,
    });
    if (templates) this.get('elementTemplatesLoader').setTemplates(templates);
  }
}
