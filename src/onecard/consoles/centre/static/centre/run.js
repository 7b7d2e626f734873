// The page of a settlement run: asks how far it is until it is done, then loads the finished sheets.
(() => {
  "use strict";
  const run = document.getElementById("run");
  if (run.dataset.done === "1") return;
  const poll = async () => {
    try {
      const answer = await fetch(run.dataset.url, { headers: { "X-Onecard-Poll": "1" }, redirect: "manual", credentials: "same-origin" });
      if (answer.ok) {
        const progress = await answer.json();
        if (progress.done) {
          window.location.reload();
          return;
        }
        const state = document.getElementById("run-state");
        state.textContent = progress.state;
        state.className = `oc-badge ${progress.tone}`;
        document.getElementById("run-note").textContent = progress.note;
        document.getElementById("run-progress").value = progress.steps;
      }
    } catch {
      // The next question may get through.
    }
    window.setTimeout(poll, 1000);
  };
  window.setTimeout(poll, 1000);
})();
