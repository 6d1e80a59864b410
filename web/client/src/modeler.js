// The process editor's page.
import 'camunda-bpmn-js/dist/assets/camunda-cloud-modeler.css';
import '@camunda/linting/assets/linting.css';
import './modeler.css';
import { CarelaneModeler } from './studio/modeler.js';
import { startProcess } from './studio/process.js';

window.CarelaneModeler = CarelaneModeler;

const root = document.querySelector('[data-editor=process]');
if (root) startProcess(root);
