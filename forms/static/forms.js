// Shows and hides fields while a person types. Without this file every field shows, and the server ignores the hidden ones.
const valueOf = (form, name) => {
  const found = form.elements.namedItem(name);
  if (!found) return null;
  const first = found instanceof RadioNodeList ? found[0] : found;
  if (first.closest("[hidden]")) return null;
  if (found instanceof RadioNodeList) return found.value || null;
  if (found.type === "checkbox") return found.checked;
  if (found.type === "radio") return found.checked ? found.value : null;
  return found.value.trim() === "" ? null : found.value.trim();
};

const compare = (sign, given, wanted) => {
  if (wanted === null || given === null) {
    const same = given === wanted;
    return sign === "=" ? same : sign === "!=" ? !same : null;
  }
  const left = typeof wanted === "number" ? Number(given.toString().normalize("NFKC")) : typeof wanted === "boolean" ? given === true || given === "true" : given;
  switch (sign) {
    case "=": return left === wanted;
    case "!=": return left !== wanted;
    case "<": return left < wanted;
    case "<=": return left <= wanted;
    case ">": return left > wanted;
    default: return left >= wanted;
  }
};

// Three-valued like FEEL: true, false, or null for unknown.
const holds = (form, [sign, ...parts]) => {
  if (sign === "not") {
    const inner = holds(form, parts[0]);
    return inner === null ? null : !inner;
  }
  if (sign === "and" || sign === "or") {
    const results = parts.map((part) => holds(form, part));
    if (results.includes(sign === "or")) return sign === "or";
    return results.includes(null) ? null : sign === "and";
  }
  return compare(sign, valueOf(form, parts[0]), parts[1]);
};

const toggle = (form) => {
  // Twice, as one field's showing can decide another's.
  for (let pass = 0; pass < 2; pass += 1) {
    for (const element of form.querySelectorAll("[data-show-if]")) {
      // Only a condition that is known to hold hides: "not unknown" shows, as on the server.
      element.hidden = holds(form, JSON.parse(element.dataset.showIf)) === false;
    }
  }
};

const start = (root) => {
  for (const block of root.querySelectorAll("[data-cl-form]")) {
    const form = block.closest("form");
    if (form && !form.dataset.clToggles) {
      form.dataset.clToggles = "on";
      form.addEventListener("input", () => toggle(form));
      form.addEventListener("change", () => toggle(form));
    }
    if (form) toggle(form);
  }
};

start(document);
document.addEventListener("htmx:load", (event) => start(event.target.parentElement ?? document));
