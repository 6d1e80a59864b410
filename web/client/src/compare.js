// Two versions of a diagram, one above the other, coloured by the server's list of changes; and the heat of waiting on one diagram.
import { CarelaneViewer } from './viewer.js';
import { startHeat } from './studio/heat.js';

const MARKS = { added: '+', removed: '−', changed: '~' };

async function startCompare(root) {
  const rows = JSON.parse(document.getElementById('changes').textContent);
  const sides = {};
  for (const place of root.querySelectorAll('[data-xml]')) {
    const viewer = new CarelaneViewer(place);
    await viewer.importXML(await (await fetch(place.dataset.xml)).text());
    fit(viewer);
    sides[place.dataset.side] = viewer;
    paint(viewer, rows, place.dataset.side);
    viewer.on('element.click', ({ element }) => choose(element.id));
  }
  follow(sides.old, sides.new);

  function choose(id) {
    Object.values(sides).forEach((viewer) => {
      const canvas = viewer.get('canvas');
      viewer.get('elementRegistry').filter(() => true).forEach((e) => canvas.removeMarker(e, 'diff-chosen'));
      const element = viewer.get('elementRegistry').get(id);
      if (!element) return;
      canvas.addMarker(element, 'diff-chosen');
      canvas.scrollToElement(element);
    });
  }

  document.querySelectorAll('[data-element]').forEach((button) => button.addEventListener('click', () => choose(button.dataset.element)));
}

function paint(viewer, rows, side) {
  const registry = viewer.get('elementRegistry');
  const worst = {};
  for (const row of rows) {
    if (!(row.kind in MARKS) || (row.kind === 'added' && side === 'old') || (row.kind === 'removed' && side === 'new')) continue;
    if (worst[row.element] === undefined || worst[row.element] === 'changed') worst[row.element] = row.kind;
  }
  for (const [id, kind] of Object.entries(worst)) {
    const element = registry.get(id);
    if (!element || element === viewer.get('canvas').getRootElement()) continue;
    viewer.get('canvas').addMarker(id, `diff-${kind}`);
    if (element.waypoints) continue;
    const badge = document.createElement('span');
    badge.className = `diff-badge ${kind}`;
    badge.textContent = MARKS[kind];
    viewer.get('overlays').add(id, 'diff', { position: { top: -9, right: 9 }, html: badge });
  }
}

/** Moving one diagram moves the other. */
function follow(one, other) {
  let busy = false;
  for (const [from, to] of [[one, other], [other, one]]) {
    from.on('canvas.viewbox.changed', ({ viewbox }) => {
      if (busy) return;
      busy = true;
      to.get('canvas').viewbox({ x: viewbox.x, y: viewbox.y, width: viewbox.width, height: viewbox.height });
      busy = false;
    });
  }
}

function fit(viewer) {
  const canvas = viewer.get('canvas');
  canvas.zoom('fit-viewport', 'auto');
  if (canvas.zoom() > 1.1) canvas.zoom(1.1, 'auto');
}

const compared = document.querySelector('[data-compare]');
if (compared) startCompare(compared);
const heat = document.querySelector('[data-heat]');
if (heat) startHeat(heat);
