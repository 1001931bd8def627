// The timeline: zooms and moves the picture that the page came with. Other parts draw into it with
// holdfast.timeline.
(function () {
  var byId = holdfast.byId, make = holdfast.make, tip = holdfast.tip, tipOf = holdfast.tipOf;
  var holder = byId('picture'), chart = holder && holder.querySelector('svg.chart');
  if (!chart) return;
  var outerTitle = chart.querySelector(':scope > title');
  if (outerTitle) { chart.setAttribute('aria-label', outerTitle.textContent); outerTitle.remove(); chart.removeAttribute('aria-labelledby'); }
  var whole = { a: +chart.dataset.from, b: +chart.dataset.to };
  var view = { a: whole.a, b: whole.b };
  var height = +chart.getAttribute('height'), margin = +chart.dataset.margin;
  var width = 0, gutter = 0, layers = [];
  // What other parts draw from data leaves the picture that is for readers without a script.
  if (holdfast.operations) chart.querySelectorAll('g.row[id]').forEach(function (row) {
    row.querySelectorAll(':scope > :not(.lane, .level)').forEach(function (e) { e.remove(); });
  });
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
    layers.forEach(function (layer) { layer.draw(); });
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
    });
    var calls = holdfast.operations ? holdfast.operations.call : [];
    for (var i = 0; i < calls.length; i++) {
      var at = Math.max(0, Math.min(n - 1, Math.floor((calls[i] - whole.a) / (whole.b - whole.a) * n)));
      most = Math.max(most, busy[at] = (busy[at] || 0) + 1);
    }
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
  // What is under the pointer: something of a layer, else an element of the picture.
  function point(ev, elements) {
    var box = chart.getBoundingClientRect(), text = '';
    for (var i = 0; i < layers.length && !text; i++) {
      if (layers[i].tip) text = layers[i].tip(ev.clientX - box.left, ev.clientY - box.top);
    }
    if (text) tip.place(text, ev.clientX, ev.clientY);
    else tip.show(ev.target.closest && ev.target.closest(elements), ev.clientX, ev.clientY);
  }
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
      tip.hide();
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
    if (!drag) point(ev, 'rect[data-a], circle[data-a], text.label');
  });
  function drop(ev) {
    if (!drag) return;
    var d = drag, px = local(ev);
    drag = null;
    brush.setAttribute('visibility', 'hidden');
    if (d.moved && !d.touch && !ev.shiftKey && ev.type === 'pointerup') {
      look(timeAt(Math.max(gutter, Math.min(px, d.x))), timeAt(Math.min(width - margin, Math.max(px, d.x))));
    } else if (!d.moved) {
      point(ev, 'rect[data-a], circle[data-a]');
    }
  }
  holder.addEventListener('pointerup', drop);
  holder.addEventListener('pointercancel', drop);
  holder.addEventListener('pointerleave', function () { if (!drag) tip.hide(); });
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
  function key(ev) {
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
  }
  holder.addEventListener('keydown', key);
  byId('in').addEventListener('click', function () { zoom(.5); });
  byId('out').addEventListener('click', function () { zoom(2); });
  byId('fit').addEventListener('click', fit);
  byId('earlier').addEventListener('click', function () { pan(-.5); });
  byId('later').addEventListener('click', function () { pan(.5); });

  // show looks at the time from a to b with some room around it.
  function show(a, b) {
    var around = Math.max((b - a) * 4, 250000);
    look(a - around, b + around);
    byId('timeline').scrollIntoView({ block: 'start' });
  }
  document.querySelectorAll('button.look').forEach(function (button) {
    button.addEventListener('click', function () {
      var a = +button.dataset.from, b = +button.dataset.to, room = (b - a) / 2;
      look(a - room, b + room);
      byId('timeline').scrollIntoView({ block: 'start' });
    });
  });
  holdfast.timeline = {
    chart: chart, whole: whole, show: show, look: look, key: key, fits: fits, x: x, timeAt: timeAt,
    view: function () { return view; },
    size: function () { return { left: gutter, right: width - margin }; },
    redraw: function () { draw(); },
    // add draws a layer now and after every change: draw(), and tip(x, y) for what is under the pointer.
    add: function (layer) { layers.push(layer); layer.draw(); }
  };

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
