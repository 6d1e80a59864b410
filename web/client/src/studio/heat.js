// Where patients wait, on the diagram: each step tinted by its share of all waiting, with its median beside it.
import { CarelaneViewer } from '../viewer.js';

export async function startHeat(root) {
  const steps = JSON.parse(document.getElementById('steps').textContent);
  const viewer = new CarelaneViewer(root);
  await viewer.importXML(await (await fetch(root.dataset.xml)).text());
  const canvas = viewer.get('canvas');
  canvas.zoom('fit-viewport', 'auto');
  if (canvas.zoom() > 1.1) canvas.zoom(1.1, 'auto');
  for (const step of steps) {
    if (!viewer.get('elementRegistry').get(step.element)) continue;
    canvas.addMarker(step.element, `heat-${step.level}`);
    const badge = document.createElement('span');
    badge.className = `heat-badge heat-badge-${step.level}`;
    badge.textContent = step.wait;
    badge.title = step.words;
    viewer.get('overlays').add(step.element, 'heat', { position: { top: -11, right: 26 }, html: badge });
  }
}
