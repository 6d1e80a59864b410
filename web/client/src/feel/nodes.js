// Walking lezer's tree.

/** A node's children without the comments. */
export const partsOf = (node) => {
  const parts = [];
  for (let part = node.firstChild; part; part = part.nextSibling) if (!part.name.endsWith('Comment')) parts.push(part);
  return parts;
};

/** Whether a `?` stands anywhere in a node. */
export function mentionsValue(node) {
  let found = false;
  node.cursor().iterate((part) => {
    if (part.name === '?') found = true;
  });
  return found;
}
