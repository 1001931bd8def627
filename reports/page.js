'use strict';
(function () {
  document.documentElement.classList.add('scripted');
  var NS = 'http://www.w3.org/2000/svg';
  function byId(id) { return document.getElementById(id); }
  function make(name, attrs, into) {
    var e = document.createElementNS(NS, name);
    for (var k in attrs) e.setAttribute(k, attrs[k]);
    if (into) into.appendChild(e);
    return e;
  }

  // The command.
  var copy = byId('copy');
  if (copy) copy.addEventListener('click', function () {
    var text = byId('command').textContent;
    function done(ok) {
      copy.textContent = ok ? 'Copied' : 'Press Ctrl+C';
      setTimeout(function () { copy.textContent = 'Copy'; }, 1800);
    }
    function select() {
      var range = document.createRange();
      range.selectNodeContents(byId('command'));
      var s = getSelection();
      s.removeAllRanges();
      s.addRange(range);
      var ok = false;
      try { ok = document.execCommand('copy'); } catch (e) { ok = false; }
      done(ok);
    }
    if (navigator.clipboard && navigator.clipboard.writeText) {
      navigator.clipboard.writeText(text).then(function () { done(true); }, select);
    } else select();
  });

  // Log lines.
  var log = byId('log');
  if (log) {
    var rows = Array.prototype.slice.call(log.rows);
    var filter = function () {
      var machine = byId('log-machine').value, level = byId('log-level').value;
      var text = byId('log-text').value.toLowerCase(), shown = 0;
      rows.forEach(function (row) {
        var c = row.cells;
        var ok = (!machine || c[1].textContent === machine) && (!level || c[3].textContent === level) &&
          (!text || row.textContent.toLowerCase().indexOf(text) >= 0);
        row.hidden = !ok;
        if (ok) shown++;
      });
      byId('log-count').textContent = shown + ' of ' + rows.length + ' lines';
    };
    ['log-machine', 'log-level', 'log-text'].forEach(function (id) { byId(id).addEventListener('input', filter); });
    filter();
  }

  // Tips: the titles of the picture's parts, shown at once and also on touch.
  var tip = byId('tip'), tips = new WeakMap();
  function tipOf(e) {
    var own = e.querySelector(':scope > title');
    if (own) { tips.set(e, own.textContent); own.remove(); }
    if (tips.has(e)) return tips.get(e);
    var other = e.dataset.o && byId(e.dataset.o);
    return other ? tipOf(other) : '';
  }
  function showTip(e, x, y) {
    var text = e ? tipOf(e) : '';
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    var r = tip.getBoundingClientRect();
    var left = Math.min(Math.max(10, x + 14), innerWidth - r.width - 10);
    var top = y + 18;
    if (top + r.height > innerHeight - 8) top = Math.max(8, y - r.height - 14);
    tip.style.left = left + 'px';
    tip.style.top = top + 'px';
  }

  // The timeline.
  var holder = byId('picture'), chart = holder && holder.querySelector('svg.chart');
  if (!chart) return;
  var outerTitle = chart.querySelector(':scope > title');
  if (outerTitle) { chart.setAttribute('aria-label', outerTitle.textContent); outerTitle.remove(); chart.removeAttribute('aria-labelledby'); }
  var whole = { a: +chart.dataset.from, b: +chart.dataset.to };
  var view = { a: whole.a, b: whole.b };
  var height = +chart.getAttribute('height'), margin = +chart.dataset.margin;
  var width = 0, gutter = 0;
  var timed = Array.prototype.slice.call(chart.querySelectorAll('[data-a]')).map(function (e) {
    return { e: e, tag: e.tagName, a: +e.dataset.a, b: +e.dataset.b, full: e.dataset.full || e.textContent, next: e.dataset.next === undefined ? undefined : +e.dataset.next,
      bar: e.classList.contains('bar'), inside: e.classList.contains('in') };
  });
  var axis = chart.querySelector('.axis'), top = +axis.dataset.top, bottom = +axis.dataset.bottom;
  var labels = Array.prototype.slice.call(chart.querySelectorAll('text.label'));
  var brush = make('rect', { 'class': 'brush', y: top, height: bottom - top, visibility: 'hidden' }, chart);

  function fits(w) { return Math.floor((w - 8) / 6.2); }
  function x(t) { return gutter + (t - view.a) / (view.b - view.a) * (width - gutter - margin); }
  function timeAt(px) { return view.a + (px - gutter) / (width - gutter - margin) * (view.b - view.a); }

  function fitWidth() {
    width = Math.max(300, Math.floor(holder.clientWidth));
    gutter = width < 600 ? 74 : +chart.dataset.gutter;
    chart.setAttribute('width', width);
    chart.setAttribute('viewBox', '0 0 ' + width + ' ' + height);
    var left = width < 600 ? 2 : margin, room = fits(gutter - left);
    labels.forEach(function (l) {
      l.setAttribute('x', left);
      var full = l.dataset.full;
      var text = full.length > room ? full.slice(0, Math.max(1, room - 1)) + '…' : full;
      var node = Array.prototype.filter.call(l.childNodes, function (n) { return n.nodeType === 3; })[0];
      if (node) node.nodeValue = text;
    });
    chart.querySelectorAll('.heading').forEach(function (h) { h.setAttribute('x', left); });
    chart.querySelectorAll('.scale').forEach(function (s) { s.setAttribute('x', gutter - 6); });
    chart.querySelectorAll('.rule, .level').forEach(function (l) {
      l.setAttribute('x1', gutter);
      l.setAttribute('x2', width - margin);
    });
    chart.querySelectorAll('.lane, #inner rect').forEach(function (r) {
      r.setAttribute('x', gutter);
      r.setAttribute('width', width - gutter - margin);
    });
  }

  function step(span, most) {
    var s = 1000000, small = [1, 2, 5], large = [10, 20, 30, 60, 120, 300, 600, 1200, 1800];
    for (var d = 6; d >= 0; d--) for (var i = 0; i < 3; i++) {
      var v = s / Math.pow(10, d) * small[i];
      if (span / v < most) return { size: v, decimals: d };
    }
    for (var j = 0; j < large.length; j++) if (span / (large[j] * s) < most) return { size: large[j] * s, decimals: 0 };
    for (var h = 3600 * s; span / h >= most;) h *= 2;
    return { size: h, decimals: 0 };
  }
  function drawAxis() {
    var st = step(view.b - view.a, Math.max(2, (width - gutter - margin) / 90));
    axis.textContent = '';
    for (var t = Math.ceil(view.a / st.size) * st.size; t <= view.b; t += st.size) {
      var at = x(t).toFixed(2);
      make('line', { 'class': 'grid', x1: at, x2: at, y1: top - 4, y2: bottom }, axis);
      make('text', { 'class': 'tick', x: at, y: top - 10 }, axis).textContent = (t / 1e6).toFixed(st.decimals) + ' s';
    }
  }

  // A bar says what it is when it is wide enough.
  function barText(p, x0, x1) {
    var from = Math.max(x0, gutter), chars = fits(Math.min(x1, width - margin) - from);
    if (chars < 4) { if (p.text) p.text.style.display = 'none'; return; }
    if (!p.text) {
      var lines = tipOf(p.e).split('\n');
      p.words = /^violation /.test(lines[0]) ? lines[1] : lines[0];
      p.text = make('text', { 'class': 'in ' + (p.e.classList.contains('info') ? 'problem' : 'onbar') }, p.e.parentNode);
      p.text.setAttribute('y', +p.e.getAttribute('y') + +p.e.getAttribute('height') / 2 + 4);
    }
    p.text.style.display = '';
    p.text.setAttribute('x', (from + 4).toFixed(2));
    p.text.textContent = chars >= p.words.length ? p.words : p.words.slice(0, chars - 1) + '…';
  }

  function draw() {
    drawAxis();
    timed.forEach(function (p) {
      var x0 = x(p.a);
      if (p.tag === 'circle') { p.e.setAttribute('cx', x0.toFixed(2)); return; }
      if (p.tag === 'g') { p.e.setAttribute('transform', 'translate(' + x0.toFixed(2) + ' 0)'); return; }
      var x1 = x(p.b), off = x1 < gutter - 4 || x0 > width;
      p.e.style.display = off ? 'none' : '';
      if (off && p.text) p.text.style.display = 'none';
      if (off) return;
      if (p.inside) {
        var from = Math.max(x0, gutter), chars = fits(Math.min(x1, width - margin) - from);
        var spill = chars < p.full.length && p.next !== undefined && x1 > gutter &&
          fits(Math.min(x(p.next), width - margin) - x1) >= p.full.length;
        if (spill) { from = x1; chars = p.full.length; }
        p.e.classList.toggle('spilt', !!spill);
        p.e.setAttribute('x', (from + 4).toFixed(2));
        p.e.textContent = chars >= p.full.length ? p.full : chars >= 3 ? p.full.slice(0, chars - 1) + '…' : '';
        return;
      }
      if (p.bar) barText(p, x0, x1);
      x0 = Math.max(x0, -50);
      p.e.setAttribute('x', x0.toFixed(2));
      p.e.setAttribute('width', Math.max(Math.min(x1, width + 50) - x0, p.bar ? 2.5 : .5).toFixed(2));
    });
    var span = view.b - view.a, decimals = span < 2e4 ? 6 : span < 2e6 ? 4 : span < 2e7 ? 2 : 1;
    byId('range').textContent = (view.a / 1e6).toFixed(decimals) + ' to ' + (view.b / 1e6).toFixed(decimals) + ' s';
    drawLens();
  }

  function look(a, b) {
    var span = Math.min(Math.max(b - a, 100), whole.b - whole.a);
    var mid = (a + b) / 2;
    a = Math.min(Math.max(mid - span / 2, whole.a), whole.b - span);
    view = { a: a, b: a + span };
    draw();
    clearTimeout(noting);
    noting = setTimeout(note, 250);
  }
  // What is on show stands in the address, so that a copied link shows the same.
  var noting = 0;
  function note() {
    var full = view.b - view.a >= whole.b - whole.a;
    if (full && !/^#t=/.test(location.hash)) return;
    try {
      history.replaceState(null, '', full ? '#timeline' : '#t=' + (view.a / 1e6).toFixed(6) + '-' + (view.b / 1e6).toFixed(6));
    } catch (e) { /* not allowed for this address: nothing is lost */ }
  }
  function zoom(factor, mid) {
    if (mid === undefined) mid = (view.a + view.b) / 2;
    look(mid - (mid - view.a) * factor, mid + (view.b - mid) * factor);
  }
  function pan(share) { var d = (view.b - view.a) * share; look(view.a + d, view.b + d); }
  function fit() { look(whole.a, whole.b); }

  // The overview: how busy the run is, where faults are, and what is on show.
  var overview = byId('overview'), strip, lens;
  function drawOverview() {
    overview.textContent = '';
    var w = Math.max(300, overview.clientWidth), h = 34, n = Math.floor((w - gutter - margin) / 3), busy = [], most = 1;
    strip = make('svg', { viewBox: '0 0 ' + w + ' ' + h, preserveAspectRatio: 'none', 'aria-hidden': 'true' }, overview);
    function ox(t) { return gutter + (t - whole.a) / (whole.b - whole.a) * (w - gutter - margin); }
    make('rect', { 'class': 'ground', x: gutter, width: w - gutter - margin, height: h, rx: 5 }, strip);
    timed.forEach(function (p) {
      if (p.e.classList.contains('window')) {
        make('rect', { 'class': 'shade', x: ox(p.a), width: Math.max(1, ox(p.b) - ox(p.a)), height: h }, strip);
      }
      if (!p.bar) return;
      var k = Math.min(n - 1, Math.floor((p.a - whole.a) / (whole.b - whole.a) * n));
      most = Math.max(most, busy[k] = (busy[k] || 0) + 1);
    });
    for (var k = 0; k < n; k++) if (busy[k]) {
      var bar = busy[k] / most * (h - 8);
      make('rect', { 'class': 'dense', x: gutter + k * 3, width: 2, y: h - bar, height: bar }, strip);
    }
    timed.forEach(function (p) {
      if (p.tag === 'g' && p.e.classList.contains('alert')) make('rect', { 'class': 'alerts', x: ox(p.a) - 1, width: 2, height: h }, strip);
    });
    lens = make('rect', { 'class': 'lens', y: 1, height: h - 2, rx: 4 }, strip);
    overview.shown = { ox: ox, w: w };
  }
  function drawLens() {
    if (!lens) return;
    var ox = overview.shown.ox;
    lens.style.display = view.b - view.a >= whole.b - whole.a ? 'none' : '';
    lens.setAttribute('x', ox(view.a));
    lens.setAttribute('width', Math.max(3, ox(view.b) - ox(view.a)));
  }
  function overviewTime(ev) {
    var r = overview.getBoundingClientRect();
    return whole.a + (ev.clientX - r.left - gutter) / (overview.shown.w - gutter - margin) * (whole.b - whole.a);
  }
  var grip = null;
  overview.addEventListener('pointerdown', function (ev) {
    var t = overviewTime(ev), full = view.b - view.a >= whole.b - whole.a;
    grip = full || t < view.a || t > view.b ? { fresh: t } : { from: t, a: view.a, b: view.b };
    overview.setPointerCapture(ev.pointerId);
  });
  overview.addEventListener('pointermove', function (ev) {
    if (!grip) return;
    var t = overviewTime(ev);
    if (grip.fresh === undefined) look(grip.a + t - grip.from, grip.b + t - grip.from);
    else if (Math.abs(t - grip.fresh) > (whole.b - whole.a) / 200) look(Math.min(t, grip.fresh), Math.max(t, grip.fresh));
  });
  overview.addEventListener('pointerup', function () { grip = null; });
  overview.addEventListener('pointercancel', function () { grip = null; });

  // Pointer: drag to zoom with a mouse, to move with a finger.
  function local(ev) { return ev.clientX - chart.getBoundingClientRect().left; }
  var drag = null;
  holder.addEventListener('pointerdown', function (ev) {
    if (ev.button !== 0 || local(ev) < gutter) return;
    drag = { x: local(ev), touch: ev.pointerType === 'touch', view: view, moved: false };
  });
  holder.addEventListener('pointermove', function (ev) {
    var px = local(ev);
    if (drag && Math.abs(px - drag.x) > 4) {
      if (!drag.moved) holder.setPointerCapture(ev.pointerId);
      drag.moved = true;
      tip.hidden = true;
      if (drag.touch || ev.shiftKey) {
        var d = (drag.x - px) / (width - gutter - margin) * (drag.view.b - drag.view.a);
        look(drag.view.a + d, drag.view.b + d);
        return;
      }
      var a = Math.max(gutter, Math.min(px, drag.x)), b = Math.min(width - margin, Math.max(px, drag.x));
      brush.setAttribute('x', a);
      brush.setAttribute('width', Math.max(0, b - a));
      brush.setAttribute('visibility', 'visible');
      return;
    }
    if (!drag) showTip(ev.target.closest && ev.target.closest('rect[data-a], circle[data-a], text.label'), ev.clientX, ev.clientY);
  });
  function drop(ev) {
    if (!drag) return;
    var d = drag, px = local(ev);
    drag = null;
    brush.setAttribute('visibility', 'hidden');
    if (d.moved && !d.touch && !ev.shiftKey && ev.type === 'pointerup') {
      look(timeAt(Math.max(gutter, Math.min(px, d.x))), timeAt(Math.min(width - margin, Math.max(px, d.x))));
    } else if (!d.moved) {
      showTip(ev.target.closest && ev.target.closest('rect[data-a], circle[data-a]'), ev.clientX, ev.clientY);
    }
  }
  holder.addEventListener('pointerup', drop);
  holder.addEventListener('pointercancel', drop);
  holder.addEventListener('pointerleave', function () { if (!drag) tip.hidden = true; });
  holder.addEventListener('dblclick', fit);
  holder.addEventListener('wheel', function (ev) {
    if (ev.ctrlKey || ev.metaKey) {
      ev.preventDefault();
      zoom(Math.pow(1.0025, ev.deltaY), timeAt(local(ev)));
    } else if (Math.abs(ev.deltaX) > Math.abs(ev.deltaY) || ev.shiftKey) {
      ev.preventDefault();
      pan((ev.deltaX || ev.deltaY) / (width - gutter));
    }
  }, { passive: false });
  holder.addEventListener('keydown', function (ev) {
    var done = true;
    switch (ev.key) {
      case '+': case '=': zoom(.5); break;
      case '-': zoom(2); break;
      case '0': fit(); break;
      case 'ArrowLeft': pan(-.2); break;
      case 'ArrowRight': pan(.2); break;
      default: done = false;
    }
    if (done) ev.preventDefault();
  });
  addEventListener('scroll', function () { tip.hidden = true; }, { passive: true });
  byId('in').addEventListener('click', function () { zoom(.5); });
  byId('out').addEventListener('click', function () { zoom(2); });
  byId('fit').addEventListener('click', fit);
  byId('earlier').addEventListener('click', function () { pan(-.5); });
  byId('later').addEventListener('click', function () { pan(.5); });

  // From a violation to its place in the picture.
  document.querySelectorAll('button.show').forEach(function (button) {
    var target = byId(button.dataset.op);
    if (!target) { button.hidden = true; return; }
    button.addEventListener('click', function () {
      var a = +target.dataset.a, b = +target.dataset.b, around = Math.max((b - a) * 4, 250000);
      look(a - around, b + around);
      chart.querySelectorAll('.found').forEach(function (e) { e.classList.remove('found'); });
      target.classList.add('found');
      byId('timeline').scrollIntoView({ block: 'start' });
    });
  });

  function layout() { fitWidth(); drawOverview(); draw(); }
  layout();
  var wanted = /^#t=(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)$/.exec(location.hash);
  if (wanted && +wanted[2] > +wanted[1]) {
    look(wanted[1] * 1e6, wanted[2] * 1e6);
    byId('timeline').scrollIntoView({ block: 'start' });
  }
  var waiting = 0;
  addEventListener('resize', function () {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(layout);
  });
})();
