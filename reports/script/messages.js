// The space-time diagram: who sent what to whom, and what clients called, in the time that the timeline shows.
(function () {
  var element = holdfast.byId('message-data'), line = holdfast.timeline, byId = holdfast.byId;
  var place = byId('space');
  if (!element || !line || !place) return;
  var m = JSON.parse(element.textContent), ops = holdfast.operations, words = holdfast.words, make = holdfast.make;
  element.remove();
  var MOST_ARROWS = 400, MOST_ROWS = 60, CLOSE = 40, COLUMN = 3, TONES = 6, CALLS = 'calls';
  var TOP = 20, STEP = 54, BAR = 26, clients = -1;

  // Everything that can be drawn, in one form; times in µs, -1 for unknown ones.
  var items = [];
  for (var i = 0; i < m.from.length; i++) {
    items.push({ from: m.from[i], to: m.to[i], sent: m.sent[i] < 0 ? -1 : m.sent[i] / 1000,
      received: m.received[i] < 0 ? -1 : m.received[i] / 1000, process: m.process[i], kind: m.kind[i], at: i });
  }
  var messages = items.length, machineOf = {};
  m.machines.forEach(function (name, k) { machineOf[name] = k; });
  if (ops) for (i = 0; i < ops.count; i++) {
    var node = machineOf[ops.data.nodes[ops.data.node[i]]];
    if (node === undefined) continue;
    items.push({ from: clients, to: node, sent: ops.call[i], received: Math.min(ops.end(i, line.whole.b), line.whole.b),
      call: i, process: -1, kind: CALLS });
  }
  if (!items.length) { byId('messages').hidden = true; return; }
  items.forEach(function (t) {
    t.a = t.sent < 0 ? t.received : t.sent;
    t.b = t.received < 0 ? t.sent : t.received;
  });
  items.sort(function (a, b) { return a.a - b.a; });

  function options(id, list) {
    list.forEach(function (text, k) { byId(id).add(new Option(text, k)); });
    if (!list.length) byId(id).parentNode.hidden = true;
  }
  options('message-machine', m.machines);
  options('message-process', m.processes);
  options('message-kind', m.kinds);
  if (items.length > messages) byId('message-kind').add(new Option('calls of clients', CALLS));

  function nameOf(machine) { return machine === clients ? 'clients' : m.machines[machine] || '?'; }
  function details(t) { return t.call === undefined ? m.texts[m.text[t.at]] : ops.callWords(t.call); }
  function seen(t, text) {
    return text.toLowerCase().indexOf(wanted.text) >= 0;
  }
  var wanted = {};
  function read() {
    wanted = { machine: byId('message-machine').value, process: byId('message-process').value,
      kind: byId('message-kind').value, text: byId('message-text').value.trim().toLowerCase() };
  }
  function wants(t) {
    return (!wanted.machine || t.from === +wanted.machine || t.to === +wanted.machine) &&
      (!wanted.process || t.process === +wanted.process) &&
      (!wanted.kind || String(t.kind) === wanted.kind) &&
      (t.call === undefined || !ops.match || ops.match[t.call]) &&
      (!wanted.text || seen(t, details(t)) || t.call !== undefined && seen(t, ops.outcomeWords(t.call)));
  }
  function inView() {
    var v = line.view();
    return items.filter(function (t) { return t.a <= v.b && t.b >= v.a && wants(t); });
  }

  var svg, drawn = [];
  function y(machine) { return TOP + BAR + (machine + 1) * STEP; }
  function px(v) { return Math.round(v * 10) / 10; }
  function clip(v, size) { return Math.max(size.left - 400, Math.min(size.right + 400, v)); }
  function arrow(x0, y0, x1, y1) {
    var length = Math.hypot(x1 - x0, y1 - y0) || 1, ux = (x1 - x0) / length, uy = (y1 - y0) / length;
    var bx = x1 - ux * 7, by = y1 - uy * 7;
    return 'M' + px(bx - uy * 3) + ' ' + px(by + ux * 3) + 'L' + px(x1) + ' ' + px(y1) + 'L' + px(bx + uy * 3) + ' ' + px(by - ux * 3);
  }
  function segment(x0, y0, x1, y1) { return 'M' + px(x0) + ' ' + px(y0) + 'L' + px(x1) + ' ' + px(y1); }
  function classOf(t) {
    if (t.call !== undefined) return ['ok', 'fail', 'info'][ops.data.outcome[t.call]];
    return 'tone-' + t.kind % TONES;
  }
  // path adds the lines of one item to the paths, by class.
  function path(t, paths, size) {
    function add(name, text) { paths[name] = (paths[name] || '') + text; }
    var x0 = clip(line.x(t.a), size), x1 = clip(line.x(t.b), size), y0 = y(t.from), y1 = t.to < 0 ? y0 + 16 : y(t.to), c = classOf(t);
    if (t.call !== undefined) { // when the machine worked on it is not known: in the middle
      var mid = (x0 + x1) / 2;
      add(c, segment(x0, y0, mid, y1) + arrow(x0, y0, mid, y1));
      if (ops.data.outcome[t.call] !== 2) add(c, segment(mid, y1, x1, y0) + arrow(mid, y1, x1, y0));
      drawn.push({ t: t, lines: [[x0, y0, mid, y1], [mid, y1, x1, y0]] });
    } else if (t.sent < 0 || t.received < 0) { // one end is not known: half an arrow
      var known = t.received < 0, toward = y0 + (y1 - y0) * .35, back = y1 - (y1 - y0) * .35;
      var l = known ? [x0, y0, x0 + 10, toward] : [x1 - 10, back, x1, y1];
      add(c + ' half', segment(l[0], l[1], l[2], l[3]));
      if (!known) add(c, arrow(l[0], l[1], l[2], l[3]));
      drawn.push({ t: t, lines: [l] });
    } else {
      add(c, segment(x0, y0, x1, y1) + arrow(x0, y0, x1, y1));
      drawn.push({ t: t, lines: [[x0, y0, x1, y1]] });
    }
  }
  // columns adds, for each machine, how many of its items begin in each column of the diagram.
  function columns(list, paths, size) {
    var view = line.view(), wide = Math.floor((size.right - size.left) / COLUMN), most = 1, rows = {};
    list.forEach(function (t) {
      var c = Math.floor((t.a - view.a) / (view.b - view.a) * wide), row = rows[t.from] = rows[t.from] || new Uint32Array(wide);
      if (c >= 0 && c < wide) most = Math.max(most, ++row[c]);
    });
    var d = '';
    Object.keys(rows).forEach(function (machine) {
      rows[machine].forEach(function (n, c) {
        if (!n) return;
        var h = 2 + (BAR - 2) * Math.sqrt(n / most);
        d += 'M' + px(size.left + c * COLUMN) + ' ' + px(y(+machine) - h) + 'h2.4v' + px(h) + 'h-2.4z';
      });
    });
    paths.dense = d;
  }
  // axis copies the ticks of the timeline.
  function axis(height) {
    line.chart.querySelectorAll('.axis .tick').forEach(function (tick) {
      var x = tick.getAttribute('x');
      make('line', { 'class': 'grid', x1: x, x2: x, y1: 16, y2: height }, svg);
      make('text', { 'class': 'tick', x: x, y: 11 }, svg).textContent = tick.textContent;
    });
  }
  function draw() {
    read();
    var size = line.size(), width = +line.chart.getAttribute('width'), height = y(m.machines.length - 1) + 26;
    place.textContent = '';
    svg = make('svg', { 'class': 'chart space', width: width, height: height, viewBox: '0 0 ' + width + ' ' + height,
      role: 'img', 'aria-label': 'Space-time diagram; the table below has the same messages' }, place);
    var inner = make('clipPath', { id: 'space-inner' }, svg);
    make('rect', { x: size.left - 1, y: 0, width: size.right - size.left + 2, height: height }, inner);
    axis(height);
    for (var k = clients; k < m.machines.length; k++) {
      make('text', { 'class': 'label', x: 4, y: y(k) + 4 }, svg).textContent = nameOf(k).slice(0, 16);
      make('line', { 'class': 'life', x1: size.left, x2: size.right, y1: y(k), y2: y(k) }, svg);
    }
    var list = inView(), paths = {}, close = list.length <= MOST_ARROWS;
    drawn = [];
    if (close) list.forEach(function (t) { path(t, paths, size); });
    else columns(list, paths, size);
    var layer = make('g', { 'clip-path': 'url(#space-inner)' }, svg);
    Object.keys(paths).forEach(function (name) { make('path', { 'class': 'arrow ' + name, d: paths[name] }, layer); });
    byId('message-count').textContent = words.groupDigits(list.length) + ' in this time';
    byId('message-note').textContent = close ? 'The diagram shows the time of the timeline above. Half an arrow: no record tells of the other end.' :
      'Columns count what is sent in ' + words.duration(Math.round((line.view().b - line.view().a) / ((size.right - size.left) / COLUMN) * 1000)) +
      '; arrows appear when at most ' + MOST_ARROWS + ' are on show.';
    items.shown = list.length;
    byId('message-closer').disabled = list.length < 3;
    table(list);
  }

  function tip(t) {
    var text = nameOf(t.from) + ' → ' + (t.to < 0 ? 'unknown' : nameOf(t.to));
    if (t.call !== undefined) return ops.tip(t.call);
    text += ': ' + m.kinds[t.kind] + '\n' + details(t);
    text += '\n' + (t.sent < 0 ? 'no record of its sending' : 'sent at ' + exact(t.sent));
    return text + '\n' + (t.received < 0 ? 'no record of a receipt' : 'received at ' + exact(t.received) +
      (t.sent < 0 ? '' : ', after ' + words.duration(Math.round((t.received - t.sent) * 1000))));
  }
  function exact(us) { return (us / 1e6).toFixed(6) + '\u00a0s'; }
  function table(list) {
    var body = byId('message-rows'), view = line.view();
    body.textContent = '';
    list.slice(0, MOST_ROWS).forEach(function (t) {
      var row = body.insertRow();
      function cell(text, name) {
        var c = row.insertCell();
        c.className = name || '';
        c.textContent = text;
      }
      var call = t.call !== undefined;
      cell(t.sent < 0 ? '–' : exact(t.sent), 'num');
      cell((call ? 'client ' + ops.data.client[t.call] : nameOf(t.from)) + ' → ' + (t.to < 0 ? '?' : nameOf(t.to)));
      cell(call ? 'call' : m.kinds[t.kind]);
      cell(call ? ops.callWords(t.call) + ': ' + ops.outcomeWords(t.call) : details(t));
      cell(t.received < 0 ? '–' : exact(t.received), 'num');
    });
    var more = list.length - MOST_ROWS;
    byId('message-more').textContent = more > 0 ? 'and ' + words.groupDigits(more) + ' more in this time' : '';
  }

  function distance(p, q, l) {
    var dx = l[2] - l[0], dy = l[3] - l[1], k = ((p - l[0]) * dx + (q - l[1]) * dy) / (dx * dx + dy * dy || 1);
    k = Math.max(0, Math.min(1, k));
    return Math.hypot(p - l[0] - k * dx, q - l[1] - k * dy);
  }
  place.addEventListener('pointermove', function (ev) {
    var box = svg.getBoundingClientRect(), best = null, closest = 6;
    drawn.forEach(function (d) {
      d.lines.forEach(function (l) {
        var far = distance(ev.clientX - box.left, ev.clientY - box.top, l);
        if (far < closest) { closest = far; best = d.t; }
      });
    });
    holdfast.tip.place(best ? tip(best) : '', ev.clientX, ev.clientY);
  });
  place.addEventListener('pointerleave', holdfast.tip.hide);

  // Closer: the messages nearest to the middle of the view, or to where the reader begins.
  byId('message-closer').addEventListener('click', function () {
    var view = line.view(), whole = view.b - view.a >= line.whole.b - line.whole.a;
    var middle = whole ? m.focus / 1000 : (view.a + view.b) / 2;
    var list = inView().sort(function (a, b) { return Math.abs(a.a - middle) - Math.abs(b.a - middle); })
      .slice(0, Math.min(CLOSE, Math.ceil(items.shown / 2)));
    var a = Math.min.apply(null, list.map(function (t) { return t.a; }));
    var b = Math.max.apply(null, list.map(function (t) { return t.a; }));
    var room = Math.max((b - a) * .01, 50);
    line.look(a - room, b + room);
  });
  var waiting = 0;
  ['machine', 'process', 'kind', 'text'].forEach(function (f) {
    byId('message-' + f).addEventListener('input', function () {
      clearTimeout(waiting);
      waiting = setTimeout(draw, 120);
    });
  });
  byId('message-filter').addEventListener('submit', function (ev) { ev.preventDefault(); });
  place.addEventListener('keydown', line.key);
  line.add({ draw: draw });
})();
