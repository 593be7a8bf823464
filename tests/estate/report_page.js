// What test_report_page.py asks of a page. Runs beside the page's policy, which bars scripts of its own.
'use strict';

globalThis.look = (() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  function parts(colour) {
    const found = colour.match(/[\d.]+/g).map(Number);
    return found.length > 3 ? found : [...found, 1];
  }

  // WCAG 2.2, «relative luminance» and «contrast ratio».
  function luminance([red, green, blue]) {
    const linear = [red, green, blue].map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  }

  function contrast(one, other) {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  }

  // What is painted under an element: the nearest background; the page's own canvas is white.
  function under(element) {
    for (let one = element; one; one = one.parentElement) {
      const colour = parts(getComputedStyle(one).backgroundColor);
      if (colour[3] === 1) return colour;
      if (colour[3] > 0) throw new Error(`half transparent: ${one.className}`);
    }
    return [255, 255, 255, 1];
  }

  // Every text that is seen: its size in pixels, its contrast, and the boxes of its lines.
  function texts() {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement;
      if (!node.data.trim() || element.closest('svg') || !element.checkVisibility()) continue;
      const style = getComputedStyle(element);
      if (style.opacity !== '1') throw new Error(`faded: ${node.data}`);
      const range = document.createRange();
      range.selectNodeContents(node);
      found.push({
        text: node.data.trim().slice(0, 60),
        size: parseFloat(style.fontSize),
        contrast: contrast(parts(style.color), under(element)),
        boxes: [...range.getClientRects()].map((box) => [box.left, box.top, box.right, box.bottom]),
      });
    }
    return found;
  }

  // Pairs of lines of text that lie on each other; that large type is set tight does not count.
  function overlaps() {
    const lines = texts()
      .flatMap(({ text, boxes }) => boxes.map(([left, top, right, bottom]) => ({ text, left, top, right, bottom })))
      .filter((line) => line.right - line.left > 1)
      .sort((one, other) => one.top - other.top);
    const found = [];
    lines.forEach((line, at) => {
      for (let next = at + 1; next < lines.length && lines[next].top < line.bottom; next += 1) {
        const other = lines[next];
        const wide = Math.min(line.right, other.right) - Math.max(line.left, other.left);
        const high = Math.min(line.bottom, other.bottom) - other.top;
        const least = Math.min(line.bottom - line.top, other.bottom - other.top);
        if (wide > 2 && high > least / 3) found.push([line.text, other.text]);
      }
    });
    return found;
  }

  function signs() {
    return all('svg.mark .fill, svg.mark .ring, svg.mark .line, svg.mark .start').map((one) => {
      const style = getComputedStyle(one);
      const colour = parts(one.matches('.fill') ? style.fill : style.stroke);
      return { kind: one.getAttribute('class'), contrast: contrast(colour, under(one.closest('svg').parentElement)) };
    });
  }

  function tooWide(width) {
    return all('body *')
      .filter((one) => {
        const box = one.getBoundingClientRect();
        return box.width && (box.right > width + 0.5 || box.left < -0.5);
      })
      .map((one) => `${one.tagName}.${one.getAttribute('class')}`);
  }

  function hops() {
    return all('.path .hop').map((one) => ({
      name: one.querySelector('.hop-name bdi').innerText.trim(),
      word: one.querySelector('.word').innerText,
      sign: [...one.querySelector('svg').classList].find((kind) => kind !== 'mark'),
      drawn: all('svg, .word', one)
        .every((part) => part.checkVisibility() && part.getBoundingClientRect().width > 10),
    }));
  }

  function shapes() {
    const drawn = (kind) => all('path, circle', document.querySelector(`svg.mark.${kind}`)).map((one) => one.outerHTML);
    return ['ok', 'failed', 'notProven'].map((kind) => drawn(kind).join(''));
  }

  // How far the arrow of the first trouble is from the failed station, and how far below the path its box is.
  function arrow(lane) {
    const box = lane.querySelector('.trouble');
    const frame = box.getBoundingClientRect();
    const mark = lane.querySelector('.station.failed .mark').getBoundingClientRect();
    const tip = getComputedStyle(box, '::before');
    const at = frame.left + parseFloat(tip.left) + parseFloat(tip.width) / 2;
    const gap = frame.top - lane.querySelector('.path').getBoundingClientRect().bottom;
    return { aside: Math.abs(at - (mark.left + mark.width / 2)), gap };
  }

  // Puts in what an attacker would want to; the page's policy has to stop each.
  function attack() {
    const wanted = [
      ['img', 'src', 'https://evil.example/x.png'],
      ['iframe', 'src', 'https://evil.example/'],
      ['script', 'text', 'window.ran = true'],
      ['style', 'textContent', 'body { color: red }'],
    ];
    wanted.forEach(([tag, place, text]) => {
      const one = document.createElement(tag);
      one[place] = text;
      document.body.append(one);
    });
  }

  const columns = (lane) => new Set(all('.drawing', lane).map((one) => Math.round(one.getBoundingClientRect().left))).size;
  const rows = (lane) => new Set(all('.drawing', lane).map((one) => Math.round(one.getBoundingClientRect().top))).size;
  const folded = () => all('details > :not(summary)').filter((one) => !one.getBoundingClientRect().height).length;
  const unfold = () => all('details').forEach((one) => { one.open = true; });
  const levels = () => all('h1, h2, h3, h4, h5').map((one) => Number(one.tagName[1]));
  return { arrow, attack, columns, folded, hops, levels, overlaps, rows, shapes, signs, texts, tooWide, unfold };
})();
