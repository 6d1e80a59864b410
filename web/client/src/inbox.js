// The inbox: live rows that never move under the hand, and the keyboard. Needs app.js on the same page.
import './task.js';

const list = document.getElementById('list');
if (list) startInbox(list);

function startInbox() {
  const feed = document.getElementById('feed');
  const banner = document.getElementById('feed-stopped');
  const fresh = document.getElementById('fresh');
  const BACKGROUND = { 'X-Carelane-Background': '1', 'HX-Request': 'true' };
  let pending = null;
  let lastGood = Date.now();
  let lastTouch = 0;
  let lastBeat = 0;
  let asked = 0;

  const rows = () => [...document.querySelectorAll('#listing tbody tr')];
  const body = () => document.querySelector('#listing tbody');
  const time = (at) => new Date(at).toLocaleTimeString('en-GB', { timeZone: 'Asia/Shanghai' });

  // Somebody is about to press something in the list: keep its order for now.
  const busy = () => Date.now() - lastTouch < 30000 && body()
    && (body().contains(document.activeElement) || body().matches(':hover'));
  ['keydown', 'pointermove', 'pointerdown'].forEach((kind) => document.addEventListener(kind, () => { lastTouch = Date.now(); }, { passive: true }));

  function good() {
    lastGood = Date.now();
    banner.hidden = true;
    feed.querySelector('time').textContent = time(lastGood);
  }

  function state(name) {
    if (feed.dataset.state === name) return;
    feed.dataset.state = name;
    feed.title = feed.dataset[name];
  }

  async function refresh() {
    const turn = ++asked;
    let answer;
    try {
      answer = await fetch(list.dataset.rows, { headers: BACKGROUND, credentials: 'same-origin' });
    } catch { return; }
    if (answer.status === 401) { location.reload(); return; }
    if (!answer.ok || turn !== asked) return;
    const template = document.createElement('template');
    template.innerHTML = await answer.text();
    good();
    show(template.content.querySelector('#listing'));
  }

  function show(next) {
    const before = rows().filter((row) => !row.classList.contains('gone')).map((row) => row.id);
    const after = [...next.querySelectorAll('tbody tr')].map((row) => row.id);
    if (!busy() || before.join() === after.join()) { apply(next); return; }
    pending = next;
    for (const row of rows()) {
      const twin = next.querySelector(`#${CSS.escape(row.id)}`);
      if (twin) window.Idiomorph.morph(row, twin.cloneNode(true));
      else row.classList.add('gone');
    }
    window.Idiomorph.morph(document.querySelector('#listing .counts'), next.querySelector('.counts').cloneNode(true));
    const count = after.filter((id) => !before.includes(id)).length + before.filter((id) => !after.includes(id)).length || 1;
    const button = fresh.querySelector('button');
    button.textContent = count === 1 ? button.dataset.one : button.dataset.many.replace('{n}', count);
    fresh.hidden = false;
  }

  function apply(next) {
    pending = null;
    fresh.hidden = true;
    window.Idiomorph.morph(document.getElementById('listing'), next);
    document.body.dispatchEvent(new CustomEvent('carelane:changed'));
  }

  fresh.querySelector('button').addEventListener('click', () => { if (pending) apply(pending); });
  document.addEventListener('focusout', () => setTimeout(() => { if (pending && !busy()) apply(pending); }, 300));

  function listen() {
    const source = new EventSource(list.dataset.live);
    source.addEventListener('changed', () => { lastBeat = Date.now(); state('live'); refresh(); });
    source.addEventListener('beat', () => { lastBeat = Date.now(); state('live'); good(); });
    source.onopen = refresh; // what happened between the page and the stream
    source.onerror = () => { if (source.readyState === EventSource.CLOSED) setTimeout(listen, 60000); };
  }

  setInterval(() => {
    const live = Date.now() - lastBeat < 12000;
    if (!live) { state('polling'); refresh(); }
    if (Date.now() - lastGood > 40000) {
      state('stopped');
      banner.querySelector('span').textContent = time(lastGood);
      banner.hidden = false;
    }
    if (pending && !busy()) apply(pending);
  }, 15000);
  setInterval(() => { if (!pending) refresh(); }, 30000);
  if ('EventSource' in window) listen();

  // Typing in the search field filters at once.
  const filters = document.getElementById('filters');
  let typing;
  document.getElementById('search').addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      list.dataset.rows = `${list.dataset.rows.split('?')[0]}?${new URLSearchParams(new FormData(filters))}`;
      refresh();
    }, 250);
  });

  keyboard(rows, refresh);
  const wanted = list.dataset.focus && document.getElementById(`t-${list.dataset.focus}`);
  if (wanted) wanted.querySelector('.open').focus();
}

function keyboard(rows, refresh) {
  const hints = document.getElementById('keys');
  const toggle = hints.querySelector('button');
  let on = hints.dataset.on === '1';
  toggle.addEventListener('click', async () => {
    on = !on;
    hints.classList.toggle('off', !on);
    toggle.textContent = on ? toggle.dataset.turnOff : toggle.dataset.turnOn;
    await window.carelanePost('/profile/shortcuts', { on: on ? '1' : '0' });
  });

  const focused = () => rows().findIndex((row) => row.contains(document.activeElement));
  const focus = (index) => rows()[Math.max(0, Math.min(index, rows().length - 1))]?.querySelector('.open').focus();
  const keys = {
    j: () => focus(focused() + 1),
    k: () => focus(focused() < 0 ? 0 : focused() - 1),
    c: () => { const button = rows()[focused()]?.querySelector('button[name=stay]'); if (button) claim(button.form, refresh); },
    '/': () => document.getElementById('search').focus(),
    n: () => document.querySelector('[data-key=n]')?.click(),
  };
  document.addEventListener('keydown', (event) => {
    const typing = event.target.matches('input, textarea, select, [contenteditable]');
    if (event.key === 'Escape' && typing) event.target.blur();
    if (!on || typing || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
}

async function claim(form, refresh) {
  const answer = await window.carelanePost(form.action, { stay: '1' }, { 'X-Carelane-Stay': '1' });
  if (answer.status === 409) {
    const words = document.createElement('p');
    words.className = 'flash warning';
    words.setAttribute('role', 'status');
    words.textContent = (await answer.json()).message;
    document.getElementById('main').prepend(words);
  }
  refresh();
}
