// Texts of the editor that bpmn-js-i18n does not cover, by their exact English wording.
export default {};
