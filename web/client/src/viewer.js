// A read-only diagram. `new CarelaneViewer(container, options)` is bpmn-js's NavigatedViewer, so that
// importXML, get('canvas') and get('overlays') are the library's own.
// On a visit's page, `[data-diagrams]` shows the visit's diagrams in tabs with live tokens.
import NavigatedViewer from 'bpmn-js/lib/NavigatedViewer';
import zeebeModdle from 'zeebe-bpmn-moddle/resources/zeebe.json';

import 'bpmn-js/dist/assets/diagram-js.css';
import 'bpmn-js/dist/assets/bpmn-js.css';
import './viewer.css';

export class CarelaneViewer extends NavigatedViewer {
  constructor(container, options = {}) {
    super({ container, moddleExtensions: { zeebe: zeebeModdle }, ...options });
  }
}

window.CarelaneViewer = CarelaneViewer;

const panel = document.querySelector('[data-diagrams]');
if (panel) startVisit(panel);

function startVisit() {
  const canvas = document.getElementById('canvas');
  const tabs = [...panel.querySelectorAll('[data-definition]')];
  const viewer = new CarelaneViewer(canvas);
  let shown = null;
  let stand = { tabs: {} };
  let marked = [];

  async function show(tab) {
    tabs.forEach((other) => {
      other.setAttribute('aria-selected', String(other === tab));
      if (other === tab) other.setAttribute('aria-current', 'true');
      else other.removeAttribute('aria-current');
    });
    const answer = await fetch(tab.dataset.diagram, { credentials: 'same-origin' });
    if (!answer.ok) return;
    await viewer.importXML(await answer.text());
    shown = tab.dataset.definition;
    marked = [];
    fit();
    draw();
  }

  function fit() {
    const view = viewer.get('canvas');
    view.zoom('fit-viewport', 'auto');
    if (view.zoom() > 1.1) view.zoom(1.1, 'auto');
  }

  function mark(id, name) {
    if (!viewer.get('elementRegistry').get(id)) return false;
    viewer.get('canvas').addMarker(id, name);
    marked.push([id, name]);
    return true;
  }

  function draw() {
    const here = stand.tabs[shown];
    if (!here) return;
    const overlays = viewer.get('overlays');
    overlays.remove({ type: 'stand' });
    marked.forEach(([id, name]) => viewer.get('canvas').removeMarker(id, name));
    marked = [];
    here.done.filter((id) => !(id in here.active)).forEach((id) => mark(id, 'is-done'));
    here.flows.forEach((id) => mark(id, 'is-taken'));
    here.failed.forEach((id) => { if (mark(id, 'is-stopped')) badge(id, '!', panel.dataset.wordsStopped, 'stopped'); });
    Object.entries(here.active).forEach(([id, n]) => {
      if (mark(id, 'is-here')) badge(id, n, panel.dataset.wordsWaiting.replace('{n}', n), 'here');
    });

    function badge(id, text, words, kind) {
      const node = document.createElement('span');
      node.className = `token token-${kind}`;
      node.textContent = text;
      node.title = words;
      overlays.add(id, 'stand', { position: { bottom: 12, left: -12 }, html: node });
    }
  }

  async function refresh() {
    const answer = await fetch(panel.dataset.tokens, { headers: { 'X-Carelane-Background': '1', 'HX-Request': 'true' } });
    if (answer.status === 401) { location.reload(); return; }
    if (!answer.ok) return;
    stand = await answer.json();
    if (Object.keys(stand.tabs).length > tabs.length) { location.reload(); return; }
    draw();
    document.body.dispatchEvent(new CustomEvent('carelane:changed'));
  }

  // A called process opens in its own tab.
  viewer.on('element.click', (event) => {
    const called = stand.tabs[shown]?.calls[event.element.id];
    const tab = tabs.find((other) => other.dataset.definition === called);
    if (tab) show(tab);
    else pick(event.element.id);
  });

  // A list that is open below the diagram takes its choice from the element that is pressed.
  function pick(id) {
    document.querySelectorAll('details[open] select[data-pick]').forEach((list) => {
      const option = [...list.options].find((each) => each.dataset.element === id && each.dataset.definition === shown);
      if (option) list.value = option.value;
    });
  }
  tabs.forEach((tab) => tab.addEventListener('click', (event) => { event.preventDefault(); show(tab); }));
  window.addEventListener('resize', () => shown && fit());

  refresh();
  const busy = tabs.filter((tab) => tab.querySelector('.dot'));
  if (tabs.length) show(busy[busy.length - 1] || tabs[0]);
  if (panel.dataset.live && 'EventSource' in window) {
    new EventSource(panel.dataset.live).addEventListener('changed', refresh);
  }
  if (panel.dataset.live) setInterval(refresh, 15000);
}
