'use strict';
/* Interactive timeline of a report: pan, zoom, hover, jump to misses. Reads the JSON in #timeline-data, draws on one canvas.
 * Names are put on the page as text only (textContent, fillText). Times are ns. */
(() => {
  const source = document.getElementById('timeline-data');
  const box = document.querySelector('.timeline');
  if (!source || !box) return;

  const data = JSON.parse(source.textContent);
  const canvas = box.querySelector('canvas');
  const spacer = box.querySelector('.spacer');
  const tip = document.querySelector('.tip');
  const where = document.getElementById('where');
  const pick = document.getElementById('run');
  const detail = document.querySelector('.hint .detail');
  const context = canvas.getContext('2d');

  const RUNNING = 0, RUNNABLE = 1;
  const HEAD = 26, ROW = 30, BAR = 18, LABEL = 150, SHORTEST_NS = 200;
  const STATES = { 0: 'running', 1: 'runnable, waiting', 4: 'unknown (records lost)' };

  /* --- the run on show --- */
  let run, rows, from, to;
  let wide = 0; /* of the box, px */

  /* Intervals of one row, ascending and without overlap; boxes[i] = [ts, end, state, reason, pcpu, vcpu]. */
  function unpack(json) {
    const vcpus = json.vcpus.map((v, i) => ({ kind: 'vcpu', index: i, label: `d${v.d}v${v.v}`, note: v.n || '', boxes: [], periods: [], misses: [] }));
    const pcpus = new Map(json.pcpus.map((p) => [p, { kind: 'pcpu', pcpu: p, label: `pCPU ${p}`, note: '', boxes: [], losses: [] }]));
    let ts = 0;
    for (let i = 0; i < json.iv.length; i += 4) {
      ts += json.iv[i];
      const code = json.iv[i + 3];
      const one = [ts, ts + json.iv[i + 1], code & 7, (code >> 3) & 31, (code >> 8) - 1, json.iv[i + 2]];
      vcpus[one[5]].boxes.push(one);
      if (one[2] === RUNNING && pcpus.has(one[4])) pcpus.get(one[4]).boxes.push(one);
    }
    for (let i = 0; i < json.ps.length; i += 6) {
      const [vcpu, release, length, supplied, budget, number] = json.ps.slice(i, i + 6);
      vcpus[vcpu].periods.push({ release, deadline: release + length, supplied, budget, number });
    }
    for (let i = 0; i < json.loss.length; i += 4) {
      const [pcpu, begin, length, records] = json.loss.slice(i, i + 4);
      if (pcpus.has(pcpu)) pcpus.get(pcpu).losses.push({ begin, end: begin + length, records });
    }
    for (let i = 0; i < json.misses.length; i += 4) {
      const [vcpu, release, deadline, number] = json.misses.slice(i, i + 4);
      vcpus[vcpu].misses.push({ release, deadline, number });
    }
    const all = [...pcpus.values(), ...vcpus];
    (json.overview || []).forEach((share) => {
      const row = share.pcpu !== undefined ? pcpus.get(share.pcpu) : vcpus[share.vcpu];
      if (row) (row.overview = row.overview || []).push(share);
    });
    return all;
  }

  function show(index) {
    run = data.runs[index];
    run.rows = run.rows || unpack(run);
    rows = run.rows;
    detail.textContent = !run.overview ? '' : `Boxes up to ${format(run.until)}; behind that columns of ${format(run.column)}, stacked by ` +
      `share of time${run.overview.some((share) => share.c === 'others') ? ' (grey on a pCPU: other domains together)' : ''}` +
      `${run.thinned ? ', and of misses one for each column and VCPU' : ''}.`;
    layOut();
    setView(0, run.ns);
  }

  /* The canvas covers what is seen of the rows; the spacer behind it makes the rest reachable. */
  function layOut() {
    const all = HEAD + rows.length * ROW + 4;
    box.style.height = `min(70vh, 60rem, ${all}px)`;
    spacer.style.height = `${Math.max(0, all - box.clientHeight)}px`;
    wide = box.clientWidth;
  }

  function setView(begin, end) {
    const least = Math.min(SHORTEST_NS, run.ns);
    const length = Math.min(Math.max(end - begin, least), run.ns);
    from = Math.min(Math.max(begin, 0), run.ns - length);
    to = from + length;
    where.textContent = `${format(from)} to ${format(to)} (${format(to - from)})`;
    schedule();
  }

  function zoom(factor, at = (from + to) / 2) {
    setView(at - (at - from) * factor, at + (to - at) * factor);
  }

  function pan(share) {
    setView(from + (to - from) * share, to + (to - from) * share);
  }

  /* The next miss after the middle of the view, or the one before it. */
  function jump(direction) {
    const middle = (from + to) / 2;
    let best = null;
    for (let i = 0; i < run.misses.length; i += 4) {
      const deadline = run.misses[i + 2], gap = (deadline - middle) * direction;
      if (gap > Math.max(1, (to - from) * 1e-6) && (!best || gap < best.gap)) best = { gap, i };
    }
    if (!best) {
      where.textContent = direction > 0 ? 'no further miss' : 'no earlier miss';
      return;
    }
    const [vcpu, release, deadline, number] = run.misses.slice(best.i, best.i + 4);
    const half = Math.min((to - from) / 2, (deadline - release) * 3);
    setView(deadline - half, deadline + half);
    const v = run.vcpus[vcpu];
    where.textContent = `miss ${number}: d${v.d}v${v.v}, deadline ${format(deadline)}`;
    const row = rows.findIndex((r) => r.kind === 'vcpu' && r.index === vcpu);
    const y = row * ROW;
    if (y < box.scrollTop || y + ROW + HEAD > box.scrollTop + box.clientHeight) box.scrollTop = Math.max(0, y - box.clientHeight / 2);
  }

  function format(ns) {
    const size = Math.abs(ns);
    const [unit, scale] = size >= 1e9 ? ['s', 1e9] : size >= 1e6 ? ['ms', 1e6] : size >= 1e3 ? ['µs', 1e3] : ['ns', 1];
    return `${parseFloat((ns / scale).toPrecision(9))} ${unit}`;
  }

  /* --- drawing --- */
  let colours, waiting = false;

  function readColours() {
    const style = getComputedStyle(document.documentElement);
    colours = {};
    for (const name of ['paper', 'ink', 'quiet', 'rule', 'band', 'wait', 'miss', 'lost', 'others']) colours[name] = style.getPropertyValue(`--${name}`).trim();
  }

  function schedule() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  }

  /* Asking the page for its width costs a layout: once per picture. */
  const width = () => wide;
  const x = (ts) => LABEL + ((ts - from) / (to - from)) * (wide - LABEL - 8);
  const timeAt = (px) => from + ((px - LABEL) / (wide - LABEL - 8)) * (to - from);

  function firstAfter(list, time, key) {
    let low = 0, high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (key(list[middle]) > time) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  function draw() {
    wide = box.clientWidth;
    const ratio = window.devicePixelRatio || 1, w = wide, h = box.clientHeight;
    if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
      canvas.width = Math.round(w * ratio);
      canvas.height = Math.round(h * ratio);
      canvas.style.height = `${h}px`;
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = colours.paper;
    context.fillRect(0, 0, w, h);
    const first = Math.floor(box.scrollTop / ROW), shift = HEAD - (box.scrollTop % ROW);
    for (let i = first; i < rows.length; i++) {
      const y = shift + (i - first) * ROW;
      if (y > h) break;
      drawRow(rows[i], i, y);
    }
    drawAxis(w);
  }

  function drawRow(row, i, y) {
    const top = y + (ROW - BAR) / 2;
    if (i % 2 === 0) {
      context.fillStyle = colours.band;
      context.fillRect(0, y, width(), ROW);
    }
    context.save();
    context.beginPath();
    context.rect(LABEL, y, width() - LABEL - 8, ROW);
    context.clip();
    for (const loss of row.losses || []) {
      if (loss.end < from || loss.begin > to) continue;
      context.fillStyle = colours.lost;
      context.fillRect(x(loss.begin), y, Math.max(1, x(loss.end) - x(loss.begin)), ROW);
    }
    if (row.overview && to > run.until) drawOverview(row, top);
    drawBoxes(row, top);
    if (row.kind === 'vcpu') drawPeriods(row, y, top);
    context.restore();
    context.fillStyle = colours.ink;
    context.font = "bold 12px 'Liberation Sans', Arial, sans-serif";
    context.textAlign = 'left';
    context.textBaseline = 'middle';
    context.fillText(row.label, 6, y + ROW / 2);
    const used = context.measureText(row.label).width + 12;
    context.font = "11px 'Liberation Sans', Arial, sans-serif";
    context.fillStyle = colours.quiet;
    context.fillText(fit(row.note, LABEL - used - 6), used, y + ROW / 2);
  }

  function fit(text, room) {
    if (!text || context.measureText(text).width <= room) return text;
    const letters = Array.from(text);
    while (letters.length > 0 && context.measureText(`${letters.join('')}…`).width > room) letters.pop();
    return letters.length > 0 ? `${letters.join('')}…` : '';
  }

  const colourOf = (b) => (b[2] === RUNNING ? run.vcpus[b[5]].c : b[2] === RUNNABLE ? colours.wait : colours.lost);

  /* Boxes of a pixel or more are drawn as they are. Shorter ones share their pixel column by the time that they take, so that
   * crowds look as dense as they are, and a lone one is still seen. */
  function drawBoxes(row, top) {
    const end = row.overview ? Math.min(to, run.until) : to, pixel = (to - from) / (width() - LABEL - 8);
    const colour = [], time = []; /* of the pixel column in work */
    let column = -1, n = 0;

    const flush = () => {
      for (let k = 0, filled = 0; k < n; k++) {
        const height = Math.max(1, Math.min(BAR - filled, (time[k] / pixel) * BAR));
        context.fillStyle = colour[k];
        context.fillRect(column, top + BAR - filled - height, 1, height);
        filled += height;
      }
      n = 0;
    };

    for (let i = firstAfter(row.boxes, from, (b) => b[1]); i < row.boxes.length && row.boxes[i][0] < end; i++) {
      const b = row.boxes[i], x0 = x(b[0]), x1 = x(b[1]);
      if (x1 - x0 >= 1) {
        if (b[2] === RUNNABLE) {
          context.fillStyle = colours.wait;
          context.fillRect(x0, top + BAR - 4, x1 - x0, 4);
          continue;
        }
        context.fillStyle = colourOf(b);
        context.fillRect(x0, top, x1 - x0, BAR);
        if (x1 - x0 > 4) {
          context.strokeStyle = colours.quiet;
          context.lineWidth = 0.5;
          context.strokeRect(x0 + 0.25, top + 0.25, x1 - x0 - 0.5, BAR - 0.5);
        }
        if (b[2] === RUNNING && x1 - x0 > 34) {
          context.fillStyle = run.vcpus[b[5]].k;
          context.font = "11px 'Liberation Sans', Arial, sans-serif";
          context.textAlign = 'center';
          context.textBaseline = 'middle';
          const text = row.kind === 'pcpu' ? `d${run.vcpus[b[5]].d}v${run.vcpus[b[5]].v}` : b[4] >= 0 ? `p${b[4]}` : '';
          const left = Math.max(x0, LABEL), right = Math.min(x1, width() - 8);
          context.fillText(text, (left + right) / 2, top + BAR / 2 + 0.5);
        }
        continue;
      }
      const at = Math.floor(x0);
      if (at !== column) {
        flush();
        column = at;
      }
      const own = colourOf(b);
      let k = 0;
      while (k < n && colour[k] !== own) k++;
      if (k === n) {
        colour[n] = own;
        time[n++] = 0;
      }
      time[k] += b[1] - b[0];
    }
    flush();
  }

  function drawOverview(row, top) {
    const n = row.overview[0].of255.length, filled = new Float64Array(n);
    for (const share of row.overview) {
      context.fillStyle = { wait: colours.wait, lost: colours.lost, others: colours.others }[share.c] || share.c;
      for (let c = Math.floor(Math.max(from, run.until) / run.column); c < n && c * run.column < to; c++) {
        const height = (share.of255[c] / 255) * BAR, left = x(c * run.column), right = x(Math.min((c + 1) * run.column, run.ns));
        if (height > 0) context.fillRect(left, top + BAR - filled[c] - height, Math.max(1, right - left), height);
        filled[c] += height;
      }
    }
  }

  function arrow(px, y0, y1, up, colour, lineWidth) {
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = lineWidth;
    context.beginPath();
    context.moveTo(px, y0);
    context.lineTo(px, y1);
    context.stroke();
    const tipY = up ? y0 : y1, base = up ? y0 + 5 : y1 - 5;
    context.beginPath();
    context.moveTo(px, tipY);
    context.lineTo(px - 3, base);
    context.lineTo(px + 3, base);
    context.fill();
  }

  function drawPeriods(row, y, top) {
    let lastMiss = -1e9;
    for (let i = firstAfter(row.periods, from, (p) => p.deadline); i < row.periods.length; i++) {
      const p = row.periods[i];
      if (p.release > to) break;
      if (p.number > 0) continue;
      if (x(p.deadline) - x(p.release) < 12) continue;
      arrow(x(p.release), y + 1, top + BAR, true, colours.ink, 1);
      arrow(x(p.deadline), y + 1, top + BAR, false, colours.ink, 1);
    }
    for (let i = firstAfter(row.misses, from, (m) => m.deadline); i < row.misses.length; i++) {
      const m = row.misses[i];
      if (m.release > to) break;
      const px = x(m.deadline);
      if (px - lastMiss < 2) continue;
      lastMiss = px;
      if (px - x(m.release) < 12) { /* a tick over the row, as in an overview: arrows would hide what it shows */
        context.fillStyle = colours.miss;
        context.fillRect(px - 0.75, y + 1, 1.5, top - y - 2);
        continue;
      }
      arrow(px, y + 1, top + BAR, false, colours.miss, 2);
      context.fillRect(x(m.release), top + BAR, px - x(m.release), 2);
      context.font = "bold 10px 'Liberation Sans', Arial, sans-serif";
      context.textAlign = 'left';
      context.textBaseline = 'top';
      context.fillText(String(m.number), px + 4, y + 1);
    }
  }

  function drawAxis(w) {
    context.fillStyle = colours.paper;
    context.fillRect(0, 0, w, HEAD);
    context.strokeStyle = colours.rule;
    context.fillStyle = colours.quiet;
    context.font = "11px 'Liberation Sans', Arial, sans-serif";
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    const rough = ((to - from) / Math.max(2, (w - LABEL) / 110));
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = Math.max(1, [1, 2, 5, 10].map((k) => k * power).find((s) => s >= rough));
    for (let ts = Math.ceil(from / step) * step; ts <= to; ts += step) {
      const px = x(ts);
      context.beginPath();
      context.moveTo(px, HEAD - 5);
      context.lineTo(px, box.clientHeight);
      context.stroke();
      if (px > LABEL + 20 && px < w - 30) context.fillText(format(ts), px, HEAD / 2);
    }
  }

  /* --- what is under the pointer --- */
  function describe(px, py) {
    const row = rows[Math.floor((py - HEAD + box.scrollTop) / ROW)];
    if (!row || py < HEAD || px < LABEL) return null;
    const ts = timeAt(px), slack = ((to - from) / width()) * 2;
    const lines = [row.kind === 'vcpu' ? `${row.label} ${row.note}` : row.label];
    const i = firstAfter(row.boxes, ts - slack, (b) => b[1]);
    const b = row.boxes[i];
    if (b && b[0] <= ts + slack) {
      const v = run.vcpus[b[5]];
      lines.push(`${row.kind === 'pcpu' ? `d${v.d}v${v.v} ${v.n || ''} ` : ''}${STATES[b[2]] || ''}${b[2] === RUNNING && b[4] >= 0 ? ` on pCPU ${b[4]}` : ''}`);
      lines.push(`${format(b[0])} to ${format(b[1])}, ${format(b[1] - b[0])}`);
      if (data.reasons[b[3]]) lines.push(`${b[2] === RUNNING ? 'ended' : 'began'}: ${data.reasons[b[3]]}`);
    } else {
      lines.push(row.kind === 'vcpu' ? 'blocked or offline' : 'idle');
      lines.push(format(ts));
    }
    if (row.kind === 'vcpu') {
      const v = run.vcpus[row.index];
      if (v.p) lines.push(`server: budget ${format(v.b)} every ${format(v.p)}${v.r ? ' (reference)' : ''}`);
      const p = row.periods[firstAfter(row.periods, ts, (q) => q.deadline)];
      if (p && p.release <= ts) {
        lines.push(`period ${format(p.release)} to ${format(p.deadline)}: got ${format(p.supplied)} of ${format(p.budget)}`);
        if (p.number > 0) lines.push(`MISSED, number ${p.number}`);
      }
    }
    return lines.join('\n');
  }

  function showTip(event) {
    const rect = canvas.getBoundingClientRect();
    const text = describe(event.clientX - rect.left, event.clientY - rect.top);
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    tip.style.left = `${Math.max(0, Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${Math.max(0, Math.min(event.clientY + 14, window.innerHeight - tip.offsetHeight - 8))}px`;
  }

  /* --- input --- */
  let drag = null;
  canvas.addEventListener('pointerdown', (event) => {
    drag = { x: event.clientX, from, to };
    canvas.setPointerCapture(event.pointerId);
    canvas.classList.add('dragging');
    box.focus({ preventScroll: true });
  });
  canvas.addEventListener('pointermove', (event) => {
    if (!drag) {
      showTip(event);
      return;
    }
    tip.hidden = true;
    const move = ((drag.x - event.clientX) / (width() - LABEL - 8)) * (drag.to - drag.from);
    setView(drag.from + move, drag.to + move);
  });
  for (const name of ['pointerup', 'pointercancel']) {
    canvas.addEventListener(name, () => {
      drag = null;
      canvas.classList.remove('dragging');
    });
  }
  canvas.addEventListener('pointerleave', () => { tip.hidden = true; });
  canvas.addEventListener('dblclick', (event) => zoom(0.4, timeAt(event.clientX - canvas.getBoundingClientRect().left)));
  canvas.addEventListener('wheel', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      event.preventDefault();
      zoom(Math.exp(event.deltaY * 0.002), timeAt(event.clientX - canvas.getBoundingClientRect().left));
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      pan((event.deltaX || event.deltaY) / width());
    }
  }, { passive: false });
  box.addEventListener('scroll', schedule);

  const actions = {
    ArrowLeft: () => pan(-0.2), ArrowRight: () => pan(0.2), PageUp: () => pan(-0.9), PageDown: () => pan(0.9),
    ArrowUp: () => { box.scrollTop -= ROW; }, ArrowDown: () => { box.scrollTop += ROW; },
    '+': () => zoom(0.5), '=': () => zoom(0.5), '-': () => zoom(2), Home: () => setView(0, run.ns), 0: () => setView(0, run.ns),
    n: () => jump(1), p: () => jump(-1),
  };
  box.addEventListener('keydown', (event) => {
    const action = actions[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  });
  for (const button of document.querySelectorAll('[data-key]')) button.addEventListener('click', () => actions[button.dataset.key]());
  pick.addEventListener('change', () => show(pick.selectedIndex));

  const dark = matchMedia('(prefers-color-scheme: dark)');
  const restyle = () => {
    readColours();
    schedule();
  };
  dark.addEventListener('change', restyle);
  document.getElementById('theme').addEventListener('click', () => {
    const root = document.documentElement;
    const isDark = root.dataset.theme ? root.dataset.theme === 'dark' : dark.matches;
    root.dataset.theme = isDark ? 'light' : 'dark';
    restyle();
  });
  window.addEventListener('resize', () => {
    layOut();
    schedule();
  });

  for (const one of data.runs) pick.add(new Option(one.policy ? `${one.name} (${one.policy})` : one.name));
  readColours();
  show(0);
  /* For tests. */
  window.xentrailTimeline = { view: () => [from, to], draw, describe, setView, rows: () => rows, jump };
})();
