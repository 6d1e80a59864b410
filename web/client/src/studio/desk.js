// What the three editors share: the server's problems, the deploy dialog, files, and the warning before changes are lost.
// An editor gives `read()` (its content as text), `write(text)` and what to do with problems.

const settings = JSON.parse(document.getElementById('studio')?.textContent || 'null');

export const words = settings?.words || {};
export const studio = settings;

const one = (name) => document.querySelector(`[data-${name}]`);

/** A JSON POST as our own pages send it; throws with the server's words. */
export async function send(url, body) {
  const token = JSON.parse(document.body.getAttribute('hx-headers') || '{}')['X-CSRF-Token'];
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json', 'X-CSRF-Token': token },
    body: JSON.stringify(body),
  }).catch(() => null);
  if (!answer) throw new Error(words.failed);
  const text = await answer.text();
  let data = null;
  try { data = JSON.parse(text); } catch { data = { text }; }
  if (!answer.ok) throw Object.assign(new Error(data.detail || data.title || words.failed), { problems: data.problems || [] });
  return data;
}

export class Desk {
  /** `editor`: { read(), write(text), show(problems), go(problem) }; each may be asynchronous. */
  constructor(editor) {
    this.editor = editor;
    this.dirty = false;
    this.round = 0;
    one('check')?.addEventListener('click', () => this.check());
    one('download')?.addEventListener('click', () => this.download());
    one('upload')?.addEventListener('change', (event) => this.upload(event.target));
    one('deploy')?.addEventListener('click', () => this.open());
    one('confirm-deploy')?.addEventListener('click', () => this.deploy());
    document.querySelector('[data-versions]')?.addEventListener('change', (event) => { location.href = event.target.value; });
    window.addEventListener('beforeunload', (event) => { if (this.dirty) event.preventDefault(); });
  }

  body(content, more = {}) {
    return { kind: studio.kind, file: studio.file, base: studio.base, content, ...more };
  }

  /** The content changed: say so, and ask the server soon. */
  changed() {
    this.dirty = true;
    const badge = one('dirty');
    if (badge) badge.hidden = false;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check(), 1200);
  }

  async check() {
    clearTimeout(this.timer);
    const round = ++this.round;
    try {
      const content = await this.editor.read();
      const { problems } = await send(studio.urls.check, this.body(content));
      if (round === this.round) this.tell(problems);
      return problems;
    } catch (error) {
      if (round === this.round) this.tell([{ severity: 'error', message: words.unread.replace('{why}', error.message), fix: '' }]);
      return null;
    }
  }

  tell(problems) {
    const errors = problems.filter((p) => p.severity === 'error').length;
    const count = one('problem-count');
    count.className = `badge ${errors ? 'bad' : problems.length ? 'warning' : 'good'}`;
    count.textContent = !problems.length ? words.none : [
      errors && words.errors.replace('{n}', errors),
      problems.length > errors && words.warnings.replace('{n}', problems.length - errors),
    ].filter(Boolean).join(', ');
    one('checked').textContent = words.checked.replace('{time}', new Date().toLocaleTimeString(studio.locale === 'zh' ? 'zh-CN' : 'en-GB'));
    one('problem-list').replaceChildren(...problems.map((p) => this.line(p)));
    this.editor.show?.(problems);
  }

  line(problem) {
    const item = document.createElement('li');
    item.className = problem.severity;
    const text = document.createElement('span');
    if (problem.element) {
      const link = document.createElement('button');
      link.type = 'button';
      link.textContent = problem.element;
      link.addEventListener('click', () => this.editor.go?.(problem));
      text.append(link, ' ');
    }
    const fix = document.createElement('span');
    fix.className = 'fix';
    fix.textContent = problem.fix;
    text.append(`${problem.message} `, fix);
    item.append(text);
    item.setAttribute('aria-label', `${words[problem.severity]}: ${problem.message}`);
    return item;
  }

  async download() {
    const suffix = { process: 'bpmn', decision: 'dmn', form: 'form' }[studio.kind];
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([await this.editor.read()], { type: 'application/octet-stream' }));
    link.download = `${studio.name}.${suffix}`;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  async upload(input) {
    const [file] = input.files;
    input.value = '';
    if (!file) return;
    try {
      await this.editor.write(await file.text());
      if (!studio.base) studio.file = file.name;
      this.changed();
    } catch (error) {
      this.tell([{ severity: 'error', message: words.unread.replace('{why}', error.message), fix: '' }]);
    }
  }

  async open() {
    const dialog = one('dialog');
    const button = one('confirm-deploy');
    const body = one('dialog-body');
    one('dialog-error').hidden = true;
    body.replaceChildren();
    button.disabled = true;
    dialog.showModal();
    try {
      const content = await this.editor.read();
      const { changes, problems } = await send(studio.urls.changes, this.body(content));
      this.tell(problems);
      const errors = problems.filter((p) => p.severity === 'error');
      body.replaceChildren(...(errors.length ? this.blocked(errors) : this.changes(changes)));
      button.disabled = errors.length > 0 || (studio.base && !changes.length);
      if (!button.disabled) one('comment').focus();
    } catch (error) {
      this.refuse(error);
    }
  }

  blocked(errors) {
    const lead = document.createElement('p');
    lead.textContent = words.blocked;
    const list = document.createElement('ul');
    list.className = 'problem-list';
    list.append(...errors.map((p) => this.line(p)));
    list.addEventListener('click', (event) => { if (event.target.matches('button')) one('dialog').close(); });
    return [lead, list];
  }

  changes(rows) {
    if (!rows.length) {
      const none = document.createElement('p');
      none.textContent = words.nothing;
      return studio.base ? [none] : [];
    }
    const list = document.createElement('ol');
    list.className = 'change-list';
    list.append(...rows.map(changeLine));
    return [list];
  }

  async deploy() {
    const comment = one('comment').value.trim();
    if (!comment) { this.refuse(new Error(words.comment)); one('comment').focus(); return; }
    const button = one('confirm-deploy');
    button.disabled = true;
    try {
      const { url } = await send(studio.urls.deploy, this.body(await this.editor.read(), { comment }));
      this.dirty = false;
      location.href = url;
    } catch (error) {
      button.disabled = false;
      this.refuse(error);
    }
  }

  refuse(error) {
    const place = one('dialog-error');
    const problems = (error.problems || []).map((p) => `${p.element || ''} ${p.message} ${p.fix}`);
    place.textContent = problems.length ? problems.join(' ') : error.message;
    place.hidden = false;
  }
}

/** One row of the change list, as the server words it. */
export function changeLine(row) {
  const item = document.createElement('li');
  const mark = document.createElement('span');
  mark.className = `change-mark ${row.kind}`;
  mark.textContent = row.word;
  const name = document.createElement('strong');
  name.textContent = row.name || row.element;
  const type = document.createElement('span');
  type.className = 'quiet small-text';
  type.textContent = row.type;
  item.append(mark, ' ', name, ' ', type);
  if (row.property || row.before || row.after) {
    const detail = document.createElement('div');
    detail.className = 'small-text';
    if (row.property) detail.append(`${row.property}: `);
    if (row.before) detail.append(Object.assign(document.createElement('del'), { textContent: clip(row.before) }));
    if (row.before && row.after) detail.append(' → ');
    if (row.after) detail.append(Object.assign(document.createElement('ins'), { textContent: clip(row.after) }));
    item.append(detail);
  }
  return item;
}

const clip = (text) => (text.length > 160 ? `${text.slice(0, 160)}…` : text);
