// The public board: a tone when a ticket is newly called, and the ticket marked for ten seconds. The text says it too.
(() => {
  const button = document.getElementById('sound');
  const board = document.getElementById('tickets');
  const called = () => [...board.querySelectorAll('.called [data-ticket]')];
  let known = new Set(called().map((item) => item.dataset.ticket));
  let audio = null;

  button.addEventListener('click', () => {
    audio = audio ? null : new AudioContext();
    button.setAttribute('aria-pressed', String(Boolean(audio)));
    button.textContent = audio ? button.dataset.on : button.dataset.off;
  });

  function tone() {
    if (!audio) return;
    [880, 660].forEach((pitch, index) => {
      const start = audio.currentTime + index * 0.35;
      const voice = audio.createOscillator();
      const volume = audio.createGain();
      voice.frequency.value = pitch;
      volume.gain.setValueAtTime(0.25, start);
      volume.gain.exponentialRampToValueAtTime(0.001, start + 0.33);
      voice.connect(volume).connect(audio.destination);
      voice.start(start);
      voice.stop(start + 0.34);
    });
  }

  document.body.addEventListener('htmx:afterSwap', () => {
    const fresh = called().filter((item) => !known.has(item.dataset.ticket));
    known = new Set(called().map((item) => item.dataset.ticket));
    if (!fresh.length) return;
    tone();
    fresh.forEach((item) => {
      item.classList.add('fresh');
      setTimeout(() => item.classList.remove('fresh'), 10000);
    });
  });
})();
