// Token simulation on a page of its own: tokens walk the diagram so that staff can follow a redesign.
import NavigatedViewer from 'bpmn-js/lib/NavigatedViewer';
import tokenSimulation from 'bpmn-js-token-simulation/lib/viewer';
import zeebeModdle from 'zeebe-bpmn-moddle/resources/zeebe.json';

import 'bpmn-js/dist/assets/diagram-js.css';
import 'bpmn-js/dist/assets/bpmn-js.css';
import 'bpmn-js-token-simulation/assets/css/bpmn-js-token-simulation.css';
import { translateModule } from './translate.js';

/** Opens a diagram that can be played by hand. */
export function CarelaneTokens(container, { locale = 'zh', additionalModules = [], ...rest } = {}) {
  return new NavigatedViewer({
    container,
    moddleExtensions: { zeebe: zeebeModdle },
    additionalModules: [tokenSimulation, translateModule(locale), ...additionalModules],
    ...rest,
  });
}

window.CarelaneTokens = CarelaneTokens;
