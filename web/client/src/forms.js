// Preview of form schemas with form-js, beside the editors. Staff fill forms that the server renders.
import { Form } from '@bpmn-io/form-js-viewer';

import '@bpmn-io/form-js-viewer/dist/assets/form-js.css';
import { translator } from './translate.js';

/** Renders `schema` into `container`; resolves to the form-js Form. */
export async function CarelaneForm(container, schema, data = {}, { locale = 'zh' } = {}) {
  const form = new Form({ container, additionalModules: [{ translate: ['value', translator(locale)] }] });
  await form.importSchema(schema, data);
  return form;
}

window.CarelaneForm = CarelaneForm;
