// The operations: columns as arrays of numbers, and their words. The words are those of the Go code, which a
// test compares.
(function () {
  var element = holdfast.byId('operation-data');
  if (!element) return;
  var d = JSON.parse(element.textContent), n = d.count;
  element.remove();
  var call = new Float64Array(n), took = new Float64Array(n), index = new Float64Array(n);
  var at = 0, number = 0;
  for (var i = 0; i < n; i++) {
    at += d.call[i];
    number += d.index[i];
    call[i] = at / 1000;
    took[i] = d.took[i];
    index[i] = number;
  }
  var space = '\u00a0', NEVER = -1;

  function groupDigits(v) { return String(v).replace(/\B(?=(\d{3})+$)/g, '\u202f'); }
  function seconds(ns, decimals) {
    var sign = ns < 0 ? '-' : '';
    ns = Math.abs(ns);
    var whole = sign + Math.floor(ns / 1e9);
    return decimals ? whole + '.' + String(1e9 + Math.floor(ns % 1e9)).slice(1, 1 + decimals) : whole;
  }
  function instant(us) { return seconds(Math.round(us * 1000), 3) + space + 's'; }
  function duration(ns) {
    if (ns < 0) return '-' + duration(-ns);
    var units = [[1e9, 's'], [1e6, 'ms'], [1e3, 'µs']];
    for (var i = 0; i < 3; i++) {
      var size = units[i][0];
      if (ns < size) continue;
      var whole = String(Math.floor(ns / size));
      var rest = String(1000 + Math.floor(ns % size * 1000 / size)).slice(1);
      rest = rest.slice(0, Math.max(0, 3 - whole.length)).replace(/0+$/, '');
      return whole + (rest ? '.' + rest : '') + space + units[i][1];
    }
    return ns + space + 'ns';
  }
  function revision(v) { return v > 0 ? String(v - 1) : v < 0 ? d.revisions[-v] : ''; }

  function callWords(i) {
    var f = d.functions[d.function[i]], words = f;
    if (d.key[i]) words += ' ' + d.keys[d.key[i]];
    if (d.input[i]) words += (f === 'rename' ? ' to ' : ' = ') + d.values[d.input[i]];
    if (d.expect[i]) words += ' if at revision ' + revision(d.expect[i]);
    return words;
  }
  var outcomes = ['ok', 'failed', 'outcome unknown'];
  function outcomeWords(i) {
    var words = outcomes[d.outcome[i]], rev = revision(d.revision[i]), mod = revision(d.modified[i]);
    if (d.error[i]) words += ' (' + d.errors[d.error[i]] + ')';
    if (d.output[i]) words += ', answer ' + d.values[d.output[i]];
    if (rev) words += ', revision ' + rev;
    if (mod && mod !== rev) words += ', last changed at ' + mod;
    return words;
  }
  function tookWords(i) {
    var t = took[i];
    return t >= 0 ? 'took ' + duration(t) : t === NEVER ? 'never answered' : 'given up after ' + duration(-t - 2);
  }
  function tip(i) {
    var words = callWords(i) + '\n→ ' + outcomeWords(i) + '\nclient ' + d.client[i];
    if (d.node[i]) words += ' on ' + d.nodes[d.node[i]];
    words += ', at ' + instant(call[i]) + ', ' + tookWords(i);
    if (d.ids[i]) words += '\nrequest ' + d.ids[i];
    return d.violation[i] ? 'violation ' + d.violation[i] + '\n' + words : words;
  }

  holdfast.operations = {
    count: n, data: d, call: call, index: index,
    // end returns when an operation stops being drawn; most is the end of the run.
    end: function (i, most) {
      var t = took[i];
      return t >= 0 ? call[i] + t / 1000 : t === NEVER ? Math.max(most, call[i]) : call[i] + (-t - 2) / 1000;
    },
    // latency returns the ns that an operation took, or until its client gave up; -1 if neither happened.
    latency: function (i) { return took[i] >= 0 ? took[i] : took[i] === NEVER ? -1 : -took[i] - 2; },
    callWords: callWords, outcomeWords: outcomeWords, tookWords: tookWords, tip: tip
  };
  holdfast.words = { groupDigits: groupDigits, instant: instant, duration: duration };
})();
