// Draws the operations into the timeline: single ones where there is room for them, else how many are under
// way in each stretch of time. holdfast.operations.match tells those that the reader looks for.
(function () {
  var ops = holdfast.operations, line = holdfast.timeline;
  var buttons = document.querySelectorAll('button.show[data-op]');
  if (!ops || !line) {
    buttons.forEach(function (button) { button.hidden = true; });
    return;
  }
  var d = ops.data, n = ops.count, make = holdfast.make, words = holdfast.words;
  var COLUMN = 3, MOST_SINGLE = 6000, names = ['ok', 'fail', 'info'], nouns = ['ok', 'failed', 'unknown'];
  var end = new Float64Array(n);
  for (var i = 0; i < n; i++) end[i] = ops.end(i, line.whole.b);

  // Rows: of each client, and one of all other clients.
  function rowOf(id) {
    var g = document.getElementById('row-' + id), lane = g && g.querySelector('.lane');
    return g && { g: g, y: +lane.getAttribute('y'), h: +lane.getAttribute('height') };
  }
  var rows = [], byClient = {}, others = rowOf('client-others');
  line.chart.querySelectorAll('g.row[id^="row-client-"]').forEach(function (g) {
    var id = g.id.slice(4), row = rowOf(id);
    row.members = [];
    row.shared = id === 'client-others';
    if (row.shared) others = row;
    else byClient[id.slice(7)] = row;
    rows.push(row);
  });
  for (i = 0; i < n; i++) {
    var home = byClient[d.client[i]] || others;
    if (home) home.members.push(i);
  }
  rows.forEach(function (row) {
    var sorted = row.members.every(function (op, k) { return !k || ops.call[row.members[k - 1]] <= ops.call[op]; });
    if (!sorted) row.members.sort(function (a, b) { return ops.call[a] - ops.call[b] || a - b; });
    // reach[k]: how far the first k+1 operations reach; an operation may be under way for long.
    row.reach = new Float64Array(row.members.length);
    var most = -Infinity;
    row.members.forEach(function (op, k) { row.reach[k] = most = Math.max(most, end[op]); });
  });
  // firstAt returns the first position whose value, which never falls, is at least so much.
  function firstAt(length, valueAt, least) {
    var low = 0, high = length;
    while (low < high) {
      var mid = (low + high) >> 1;
      if (valueAt(mid) < least) low = mid + 1; else high = mid;
    }
    return low;
  }
  // inView returns the positions [from, to) of the row's operations that may be under way between a and b.
  function inView(row, a, b) {
    var length = row.members.length;
    return {
      from: firstAt(length, function (k) { return row.reach[k]; }, a),
      to: firstAt(length, function (k) { return ops.call[row.members[k]]; }, b + 1e-3)
    };
  }

  var layer = make('g', { 'clip-path': 'url(#inner)', 'class': 'drawn' });
  line.chart.insertBefore(layer, line.chart.querySelector('.mark') ? line.chart.querySelector('.mark').parentNode : null);
  var paths = {};
  ['dim', 'ok', 'fail', 'info', 'alert', 'found'].forEach(function (c) {
    paths[c] = make('path', { 'class': 'ops ' + c }, layer);
    paths['dot-' + c] = make('path', { 'class': 'dots ' + c }, layer);
  });
  var texts = [], note = holdfast.byId('resolution');
  var single = false, columns = null;

  function px(v) { return Math.round(v * 10) / 10; }
  function rect(x, y, w, h) { return 'M' + px(x) + ' ' + px(y) + 'h' + px(w) + 'v' + px(h) + 'h' + -px(w) + 'z'; }
  function dot(x, y) { return 'M' + px(x) + ' ' + px(y) + 'h0'; }
  function shape(row, i) {
    var size = line.size(), x0 = Math.max(line.x(ops.call[i]), size.left - 9);
    var x1 = Math.min(line.x(end[i]), size.right + 9);
    var high = d.outcome[i] === 1 ? .5 : .86;
    return { x: x0, y: row.y + row.h * (1 - high), w: Math.max(2.5, x1 - x0), h: row.h * (high - .14) };
  }
  function rowFor(i) { return byClient[d.client[i]] || others; }
  function classOf(i) { return ops.match && !ops.match[i] ? 'dim' : names[d.outcome[i]]; }

  function drawSingle(row, span, out) {
    var size = line.size();
    for (var k = span.from; k < span.to; k++) {
      var i = row.members[k];
      if (end[i] < line.view().a) continue;
      var s = shape(row, i);
      out[classOf(i)].push(rect(s.x, s.y, s.w, s.h));
      var from = Math.max(s.x, size.left), chars = line.fits(Math.min(s.x + s.w, size.right) - from);
      if (chars >= 4) out.texts.push({ i: i, x: from + 4, y: row.y + row.h / 2 + 4, chars: chars });
    }
  }

  // count returns how many operations of each kind are under way in each column: of each outcome, and those
  // that the reader does not look for.
  function count(row, span, view, size, wide) {
    var counts = new Uint32Array(wide * 4), scale = wide / (view.b - view.a);
    for (var k = span.from; k < span.to; k++) {
      var i = row.members[k];
      if (end[i] < view.a) continue;
      var kind = ops.match && !ops.match[i] ? 3 : d.outcome[i];
      var last = Math.min(wide - 1, Math.floor((end[i] - view.a) * scale));
      for (var c = Math.max(0, Math.floor((ops.call[i] - view.a) * scale)); c <= last; c++) counts[c * 4 + kind]++;
    }
    return counts;
  }
  function total(counts, c) { return counts[c * 4] + counts[c * 4 + 1] + counts[c * 4 + 2] + counts[c * 4 + 3]; }
  function drawColumns(row, counts, most, size, out) {
    var order = [[3, 'dim'], [0, 'ok'], [1, 'fail'], [2, 'info']];
    for (var c = 0; c * 4 < counts.length; c++) {
      var all = total(counts, c);
      if (!all) continue;
      var room = row.h - 2, height = 3 + (room - 3) * Math.sqrt(all / most), y = row.y + row.h - 1;
      order.forEach(function (part) {
        var here = counts[c * 4 + part[0]];
        if (!here) return;
        var h = Math.min(Math.max(height * here / all, 3), Math.max(y - row.y - 1, 2)); // never too small to see
        y -= h;
        out[part[1]].push(rect(size.left + c * COLUMN, y, COLUMN - .4, h));
      });
    }
  }

  // Latencies and throughput.
  var latency = rowOf('latency'), throughput = rowOf('throughput');
  var low = Math.log10(d.latency[0] || 1), high = Math.log10(d.latency[1] || 10);
  var latencies = new Float64Array(n); // as heights from 0 to 1; -1 for none
  for (i = 0; i < n; i++) {
    var took = ops.latency(i);
    latencies[i] = took < 0 ? -1 : (Math.log10(Math.max(took, 1)) - low) / (high - low);
  }
  function drawLatencies(out, view) {
    if (!latency) return;
    var size = line.size(), scale = (size.right - size.left) / (view.b - view.a);
    // Where there are many, those in one cell are one dot.
    var across = Math.ceil((size.right - size.left) / 3) + 1, seen = single ? null : new Uint8Array(across * (latency.h + 3));
    for (var k = 0; k < n; k++) {
      if (ops.call[k] < view.a || ops.call[k] > view.b || latencies[k] < 0) continue;
      var x = (ops.call[k] - view.a) * scale, y = latency.h * (1 - latencies[k]);
      var dim = ops.match && !ops.match[k];
      if (seen) {
        var column = Math.round(x / 3), row = Math.round(y / 3), bit = 1 << (dim ? 3 : d.outcome[k]);
        if (seen[row * across + column] & bit) continue;
        seen[row * across + column] |= bit;
        x = column * 3;
        y = row * 3;
      }
      out['dot-' + (dim ? 'dim' : names[d.outcome[k]])].push(dot(size.left + x, latency.y + y));
      if (d.violation[k]) out['dot-alert'].push(dot(size.left + x, latency.y + y));
    }
  }
  var sizes = [1e3, 1e4, 1e5, 1e6, 2e6, 5e6, 1e7, 3e7, 6e7, 3e8, 6e8, 3.6e9, 2.16e10], buckets = null;
  function drawThroughput(out, view) {
    if (!throughput) return;
    var size = sizes.find(function (s) { return (view.b - view.a) / s < 120; }) || sizes[sizes.length - 1];
    var first = Math.floor(view.a / size), many = Math.floor(view.b / size) - first + 1, most = 1;
    var counts = new Uint32Array(many * 4);
    for (var k = 0; k < n; k++) {
      var at = Math.floor(end[k] / size) - first;
      if (at < 0 || at >= many) continue;
      counts[at * 4 + (ops.match && !ops.match[k] ? 3 : d.outcome[k])]++;
    }
    for (var c = 0; c < many; c++) most = Math.max(most, total(counts, c));
    buckets = { counts: counts, size: size, first: first };
    for (c = 0; c < many; c++) {
      var x = line.x((first + c) * size), w = line.x((first + c + 1) * size) - x, below = 0;
      [0, 1, 2, 3].forEach(function (kind) {
        var here = counts[c * 4 + kind];
        if (!here) return;
        var y = throughput.y + throughput.h * (1 - .9 * (below += here) / most);
        out[kind === 3 ? 'dim' : names[kind]].push(rect(x, y, Math.max(w - .7, .5), throughput.h * .9 * here / most));
      });
    }
    var label = throughput.g.previousElementSibling, scales = [], e = throughput.g;
    while ((e = e.nextElementSibling) && e.classList.contains('scale')) scales.push(e);
    var text = 'per ' + words.duration(size * 1000);
    label.dataset.full = text;
    label.textContent = text;
    if (scales[1]) scales[1].textContent = words.groupDigits(most);
  }

  function draw() {
    var out = { texts: [] }, view = line.view(), size = line.size(), visible = 0, crowded = false;
    Object.keys(paths).forEach(function (c) { out[c] = []; });
    var wide = Math.max(1, Math.floor((size.right - size.left) / COLUMN));
    var spans = rows.map(function (row) {
      var span = inView(row, view.a, view.b);
      visible += span.to - span.from;
      if (!row.shared && span.to - span.from > wide) crowded = true;
      return span;
    });
    single = !crowded && visible <= MOST_SINGLE;
    columns = { of: new Map(), wide: wide };
    rows.forEach(function (row, k) {
      if (single && !row.shared) drawSingle(row, spans[k], out);
      else columns.of.set(row, count(row, spans[k], view, size, wide));
    });
    var most = { own: 1, shared: 1 }; // the row of many clients would make all others low
    function scaleOf(row) { return row.shared ? 'shared' : 'own'; }
    columns.of.forEach(function (counts, row) {
      for (var c = 0; c < wide; c++) most[scaleOf(row)] = Math.max(most[scaleOf(row)], total(counts, c));
    });
    columns.of.forEach(function (counts, row) { drawColumns(row, counts, most[scaleOf(row)], size, out); });
    marked(out);
    drawLatencies(out, view);
    drawThroughput(out, view);
    Object.keys(paths).forEach(function (c) { paths[c].setAttribute('d', out[c].join('')); });
    drawTexts(out.texts);
    if (note) {
      note.textContent = !single ? 'Each column counts the operations under way in ' +
        words.duration(Math.round((view.b - view.a) / wide * 1000)) + '; zoom in to see them one by one.' :
        'Every operation is drawn by itself' + (others ? '; those of the clients that share a row are counted.' : '.');
    }
  }
  // What violations speak of, and what the reader has chosen, is never only a number.
  var special = [];
  for (i = 0; i < n; i++) if (d.violation[i]) special.push(i);
  function marked(out) {
    var view = line.view();
    special.concat(ops.chosen === undefined ? [] : [ops.chosen]).forEach(function (i) {
      var row = rowFor(i);
      if (!row || end[i] < view.a || ops.call[i] > view.b) return;
      var s = shape(row, i), path = rect(s.x, s.y, s.w, s.h);
      if (!single || row.shared) out[names[d.outcome[i]]].push(path);
      out[i === ops.chosen ? 'found' : 'alert'].push(path);
    });
  }
  function drawTexts(list) {
    while (texts.length < list.length) texts.push(make('text', {}, layer));
    texts.forEach(function (e, k) {
      var t = list[k];
      e.style.display = t ? '' : 'none';
      if (!t) return;
      var full = ops.callWords(t.i);
      e.setAttribute('class', 'in ' + (classOf(t.i) === 'info' || classOf(t.i) === 'dim' ? 'problem' : 'onbar'));
      e.setAttribute('x', px(t.x));
      e.setAttribute('y', t.y);
      e.textContent = t.chars >= full.length ? full : full.slice(0, t.chars - 1) + '…';
    });
  }

  function countsTip(counts, c, from, to, what) {
    var all = total(counts, c);
    if (!all) return '';
    var text = words.groupDigits(all) + ' operations ' + what;
    nouns.forEach(function (noun, k) { if (counts[c * 4 + k]) text += '\n' + words.groupDigits(counts[c * 4 + k]) + ' ' + noun; });
    if (counts[c * 4 + 3]) text += '\n' + words.groupDigits(counts[c * 4 + 3]) + ' that do not match';
    return text + '\n' + words.instant(from) + ' to ' + words.instant(to);
  }
  function inside(row, y) { return row && y >= row.y && y <= row.y + row.h; }
  function tip(x, y) {
    var view = line.view(), size = line.size();
    if (x < size.left || x > size.right) return '';
    var row = rows.find(function (r) { return inside(r, y); }), at = line.timeAt(x), near = line.timeAt(x + 3) - at;
    if (row && columns.of.has(row)) {
      var c = Math.floor((x - size.left) / COLUMN), step = (view.b - view.a) / columns.wide;
      if (c >= columns.wide) return '';
      return countsTip(columns.of.get(row), c, view.a + c * step, view.a + (c + 1) * step, 'under way');
    }
    if (row) {
      var span = inView(row, at - near, at + near), best = -1;
      for (var k = span.to - 1; k >= span.from; k--) {
        var i = row.members[k];
        if (end[i] >= at - near && (best < 0 || ops.call[i] <= at && ops.call[best] > at)) best = i;
      }
      return best < 0 ? '' : ops.tip(best);
    }
    if (inside(throughput, y) && buckets) {
      var b = Math.floor(at / buckets.size) - buckets.first, from = (buckets.first + b) * buckets.size;
      return countsTip(buckets.counts, b, from, from + buckets.size, 'ended');
    }
    if (inside(latency, y)) return latencyTip(x, y);
    return '';
  }
  function latencyTip(x, y) {
    var best = -1, closest = 25;
    var a = line.timeAt(x - 5), b = line.timeAt(x + 5);
    for (var k = 0; k < n; k++) {
      if (ops.call[k] < a || ops.call[k] > b || latencies[k] < 0) continue;
      var dx = line.x(ops.call[k]) - x, dy = latency.y + latency.h * (1 - latencies[k]) - y;
      if (dx * dx + dy * dy < closest) { closest = dx * dx + dy * dy; best = k; }
    }
    return best < 0 ? '' : ops.tip(best);
  }

  line.add({ draw: draw, tip: tip });
  // choose marks an operation and shows it.
  ops.choose = function (i) {
    ops.chosen = i;
    line.show(ops.call[i], Math.min(end[i], line.whole.b));
    line.redraw();
  };

  // From a violation to its place in the picture.
  if (!buttons.length) return;
  var byIndex = new Map();
  for (i = 0; i < n; i++) byIndex.set('op-' + ops.index[i], i);
  buttons.forEach(function (button) {
    var i = byIndex.get(button.dataset.op);
    if (i === undefined) button.hidden = true;
    else button.addEventListener('click', function () { ops.choose(i); });
  });
})();
