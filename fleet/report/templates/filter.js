'use strict';
(() => {
  const box = document.querySelector('#filter');
  const stacks = [...document.querySelectorAll('.stack')].map((one) => [one, one.textContent.toLowerCase()]);
  const told = document.querySelector('#shown');
  const show = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const [one, text] of stacks) {
      one.hidden = !words.every((word) => text.includes(word));
      shown += one.hidden ? 0 : 1;
    }
    told.textContent = words.length ? `${shown} of ${stacks.length}` : '';
  };
  box.addEventListener('input', show);
  box.closest('.filter').hidden = false;
  show();
})();
