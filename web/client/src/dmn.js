// The decision editor's page.
import 'camunda-dmn-js/dist/assets/camunda-cloud-modeler.css';
import { CarelaneDmn, startDecision } from './studio/decision.js';

window.CarelaneDmn = CarelaneDmn;

const root = document.querySelector('[data-editor=decision]');
if (root) startDecision(root);
