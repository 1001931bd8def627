// Finds operations by key, client, function, machine, outcome and text. Those found keep their colours in the
// timeline, and are listed page by page.
(function () {
  var ops = holdfast.operations, line = holdfast.timeline, byId = holdfast.byId;
  if (!ops || !line || !byId('find')) return;
  var d = ops.data, n = ops.count, words = holdfast.words, PAGE = 50, MOST_KEYS = 1000;
  var fields = ['key', 'client', 'function', 'node', 'outcome', 'text'].map(function (f) { return byId('find-' + f); });

  function options(select, list) {
    list.forEach(function (o) { select.add(new Option(o[1], o[0])); });
    if (!list.length) select.parentNode.hidden = true;
  }
  function texts(list) {
    return list.map(function (text, k) { return [k, text]; }).slice(1)
      .sort(function (a, b) { return a[1] < b[1] ? -1 : 1; });
  }
  var clients = Array.from(new Set(d.client)).sort(function (a, b) { return a - b; });
  options(byId('find-client'), clients.map(function (c) { return [c, c]; }));
  options(byId('find-function'), texts(d.functions));
  options(byId('find-node'), texts(d.nodes));
  if (!d.violation.some(function (v) { return v; })) byId('find-outcome').remove(4);
  texts(d.keys).slice(0, MOST_KEYS).forEach(function (k) { byId('find-keys').appendChild(new Option(k[1], k[1])); });

  // withText returns, for each text of a list, whether it contains what the reader typed.
  function withText(list, wanted) {
    return list.map(function (text) { return text.toLowerCase().indexOf(wanted) >= 0; });
  }
  function matches() {
    var key = byId('find-key').value, client = byId('find-client').value, f = byId('find-function').value;
    var node = byId('find-node').value, outcome = byId('find-outcome').value;
    var text = byId('find-text').value.trim().toLowerCase();
    if (!key && !client && !f && !node && !outcome && !text) return null;
    var exact = d.keys.indexOf(key), keys = exact > 0 ? null : withText(d.keys, key.toLowerCase());
    var contain = ['functions', 'keys', 'nodes', 'errors', 'values'].map(function (l) { return withText(d[l], text); });
    var match = new Uint8Array(n);
    for (var i = 0; i < n; i++) {
      match[i] = (!key || (keys ? keys[d.key[i]] : d.key[i] === exact)) && (!client || d.client[i] === +client) &&
        (!f || d.function[i] === +f) && (!node || d.node[i] === +node) &&
        (!outcome || (outcome === 'violation' ? d.violation[i] > 0 : d.outcome[i] === +outcome)) &&
        (!text || contain[0][d.function[i]] || contain[1][d.key[i]] || contain[2][d.node[i]] ||
          contain[3][d.error[i]] || contain[4][d.input[i]] || contain[4][d.output[i]] ||
          d.ids[i].toLowerCase().indexOf(text) >= 0) ? 1 : 0;
    }
    return match;
  }

  var found = [], page = 0;
  function cell(row, text, name) {
    var c = row.insertCell();
    c.className = name || '';
    c.textContent = text;
    return c;
  }
  function list() {
    var body = byId('found');
    body.textContent = '';
    found.slice(page * PAGE, page * PAGE + PAGE).forEach(function (i) {
      var row = body.insertRow();
      cell(row, words.instant(ops.call[i]), 'num');
      cell(row, 'client ' + d.client[i] + (d.node[i] ? ' → ' + d.nodes[d.node[i]] : ''));
      var code = document.createElement('code');
      code.textContent = ops.callWords(i);
      cell(row, '').appendChild(code);
      var dot = document.createElement('span'), outcome = cell(row, '');
      dot.className = 'dot ' + ['ok', 'fail', 'info'][d.outcome[i]];
      outcome.append(dot, ops.outcomeWords(i));
      cell(row, ops.tookWords(i).replace(/^took /, ''), 'num');
      cell(row, d.ids[i]);
      var show = document.createElement('button');
      show.type = 'button';
      show.className = 'show';
      show.textContent = 'show';
      show.title = 'Show this operation in the timeline';
      show.addEventListener('click', function () { ops.choose(i); });
      cell(row, '', 'goto').appendChild(show);
    });
    var last = Math.min(found.length, page * PAGE + PAGE);
    byId('found-place').textContent = found.length ? words.groupDigits(page * PAGE + 1) + ' to ' +
      words.groupDigits(last) + ', ' + words.groupDigits(found.length - last) + ' more' : '';
    byId('found-back').disabled = !page;
    byId('found-next').disabled = last >= found.length;
  }
  function find() {
    ops.match = matches();
    found = [];
    for (var i = 0; i < n; i++) if (!ops.match || ops.match[i]) found.push(i);
    page = 0;
    byId('find-count').textContent = words.groupDigits(found.length) + ' of ' + words.groupDigits(n) + ' operations';
    byId('find-clear').disabled = !ops.match;
    list();
  }
  var waiting = 0;
  function soon() {
    clearTimeout(waiting);
    waiting = setTimeout(function () { find(); line.redraw(); }, 120);
  }
  fields.forEach(function (e) { e.addEventListener('input', soon); });
  byId('find').addEventListener('submit', function (ev) { ev.preventDefault(); });
  byId('find-clear').addEventListener('click', function () {
    fields.forEach(function (e) { e.value = ''; });
    find();
    line.redraw();
  });
  function turn(by) {
    page += by;
    list();
  }
  byId('found-back').addEventListener('click', function () { turn(-1); });
  byId('found-next').addEventListener('click', function () { turn(1); });
  find();
})();
