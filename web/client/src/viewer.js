// A read-only diagram. `new CarelaneViewer(container, options)` is bpmn-js's NavigatedViewer, so that
// importXML, get('canvas') and get('overlays') are the library's own.
import NavigatedViewer from 'bpmn-js/lib/NavigatedViewer';
import zeebeModdle from 'zeebe-bpmn-moddle/resources/zeebe.json';

import 'bpmn-js/dist/assets/diagram-js.css';
import 'bpmn-js/dist/assets/bpmn-js.css';
import './viewer.css';

export class CarelaneViewer extends NavigatedViewer {
  constructor(container, options = {}) {
    super({ container, moddleExtensions: { zeebe: zeebeModdle }, ...options });
  }
}

window.CarelaneViewer = CarelaneViewer;
