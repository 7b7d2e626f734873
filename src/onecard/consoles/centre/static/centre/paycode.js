// A payment code on the page: counts down, then takes the picture away, since a terminal would refuse it.
(() => {
  "use strict";
  const code = document.getElementById("paycode");
  if (!code) return;
  const until = Date.now() + Number(code.dataset.left) * 1000;
  const tick = () => {
    const left = Math.max(0, Math.ceil((until - Date.now()) / 1000));
    document.getElementById("paycode-left").textContent = String(left);
    if (left > 0) {
      window.setTimeout(tick, 250);
      return;
    }
    document.getElementById("paycode-picture").remove();
    document.getElementById("paycode-note").remove();
    document.getElementById("paycode-over").hidden = false;
  };
  tick();
})();
