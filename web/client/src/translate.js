// The editor in Chinese: bpmn-js-i18n's dictionary first, then ours for what it misses.
import community from 'bpmn-js-i18n/translations/zn.js';

import ours from './zh.js';

const DICTIONARIES = { zh: { ...community, ...ours } };

/** Returns bpmn-js's translate(template, replacements) for a locale; unknown texts stay English. */
export function translator(locale) {
  const words = DICTIONARIES[locale] || {};
  return (template, replacements = {}) =>
    (words[template] || template).replace(/{([^}]+)}/g, (whole, key) => (key in replacements ? replacements[key] : whole));
}

/** The diagram-js module that overrides `translate`. */
export function translateModule(locale) {
  return { translate: ['value', translator(locale)] };
}
