// The form editor's page. Staff fill forms that the server renders, and so does its preview.
import { startForm } from './studio/form.js';

const root = document.querySelector('[data-editor=form]');
if (root) startForm(root);
