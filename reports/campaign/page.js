'use strict';
(function () {
  document.documentElement.classList.add('scripted');

  // Commands.
  document.querySelectorAll('.copy').forEach(function (button) {
    var code = button.parentNode.querySelector('code');
    function done(ok) {
      button.textContent = ok ? 'Copied' : 'Press Ctrl+C';
      setTimeout(function () { button.textContent = 'Copy'; }, 1800);
    }
    function select() {
      var range = document.createRange();
      range.selectNodeContents(code);
      var s = getSelection();
      s.removeAllRanges();
      s.addRange(range);
      var ok = false;
      try { ok = document.execCommand('copy'); } catch (e) { ok = false; }
      done(ok);
    }
    button.addEventListener('click', function () {
      if (navigator.clipboard && navigator.clipboard.writeText) {
        navigator.clipboard.writeText(code.textContent).then(function () { done(true); }, select);
      } else select();
    });
  });

  // Rows of tables.
  document.querySelectorAll('.filter').forEach(function (input) {
    var rows = Array.prototype.slice.call(document.getElementById(input.dataset.rows).rows);
    var form = input.closest('form'), count = form.querySelector('.range');
    function filter() {
      var text = input.value.toLowerCase(), shown = 0;
      rows.forEach(function (row) {
        row.hidden = text !== '' && row.textContent.toLowerCase().indexOf(text) < 0;
        if (!row.hidden) shown++;
      });
      count.textContent = shown + ' of ' + rows.length;
    }
    form.addEventListener('submit', function (e) { e.preventDefault(); });
    input.addEventListener('input', filter);
    filter();
  });
})();
