// The task page: what is typed is kept as a draft, and leaving with unsaved entries asks first.
const form = document.querySelector('form[data-draft]');
if (form) keepDraft(form);

function keepDraft() {
  const note = document.getElementById('draft-note');
  let timer;
  let changed = false;

  async function save() {
    clearTimeout(timer);
    timer = undefined;
    const answer = await fetch(form.dataset.draft, {
      method: 'POST', body: new FormData(form), headers: { 'X-Carelane-Autosave': '1' }, credentials: 'same-origin',
    }).catch(() => null);
    changed = !(answer && answer.ok && !answer.redirected);
    const at = new Date().toLocaleTimeString('en-GB', { timeZone: 'Asia/Shanghai' });
    note.textContent = changed ? note.dataset.failed : note.dataset.saved.replace('{time}', at);
    note.classList.toggle('late', changed);
  }

  form.addEventListener('input', () => {
    changed = true;
    timer ??= setTimeout(save, 4000);
  });
  form.addEventListener('submit', () => { changed = false; clearTimeout(timer); });
  window.addEventListener('beforeunload', (event) => { if (changed) event.preventDefault(); });
}
