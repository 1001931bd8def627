// What every part of the page uses, and the parts that need nothing else: the command, the log lines.
var holdfast = {};
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
  function showTip(e, x, y) { placeTip(e ? tipOf(e) : '', x, y); }
  function placeTip(text, x, y) {
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

  function hideTip() { tip.hidden = true; }
  addEventListener('scroll', hideTip, { passive: true });

  holdfast.byId = byId;
  holdfast.make = make;
  holdfast.tipOf = tipOf;
  holdfast.tip = {
    show: showTip,
    place: placeTip,
    hide: hideTip
  };
})();
