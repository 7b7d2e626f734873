// The home page: asks for the live figures every two seconds and draws them. Nothing is fetched from anywhere else.
(() => {
  "use strict";
  const POLL_MS = 2000;
  const root = document.getElementById("live");
  const stale = document.getElementById("live-stale");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const lineChart = (id, datasets) => {
    const grid = { color: "rgba(128,128,128,.15)" };
    return new Chart(document.getElementById(id), {
      type: "line",
      data: { labels: [], datasets },
      options: {
        animation: false,
        maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        plugins: { legend: { display: datasets.length > 1, position: "bottom" } },
        scales: {
          x: { grid: { display: false }, ticks: { maxTicksLimit: 6, maxRotation: 0, autoSkipPadding: 12 } },
          y: { beginAtZero: true, grid, ticks: { maxTicksLimit: 6, precision: 0 } },
        },
      },
    });
  };
  const line = (label, stroke, fill) => ({
    label, data: [], borderColor: stroke, backgroundColor: fill || stroke, borderWidth: 2, pointRadius: 0, tension: 0.25, fill: Boolean(fill),
  });

  const rateCanvas = document.getElementById("chart-rate");
  const latencyCanvas = document.getElementById("chart-latency");
  const blue = colour("--color-primary-600") || "#2563eb";
  const charts = {
    rate: lineChart("chart-rate", [line(rateCanvas.dataset.label, blue, "rgba(37,99,235,.12)")]),
    latency: lineChart("chart-latency", [line(latencyCanvas.dataset.labelP50, blue), line(latencyCanvas.dataset.labelP99, "#f97316")]),
  };

  const fillTable = (id, rows) => {
    if (!rows.length) return;
    const body = document.querySelector(`#${id} tbody`);
    body.replaceChildren(...rows.map((row) => {
      const tr = document.createElement("tr");
      [row.name, row.count, row.sum].forEach((text, index) => {
        const td = document.createElement("td");
        td.textContent = text;
        if (index) td.className = "num";
        tr.append(td);
      });
      return tr;
    }));
  };

  const draw = (figures) => {
    for (const element of root.querySelectorAll("[data-live]")) {
      const value = figures.tiles[element.dataset.live];
      if (value !== undefined) element.textContent = value;
    }
    const labels = figures.series.map((point) => point.at);
    charts.rate.data.labels = labels;
    charts.rate.data.datasets[0].data = figures.series.map((point) => point.rate);
    charts.rate.update();
    charts.latency.data.labels = labels;
    charts.latency.data.datasets[0].data = figures.series.map((point) => point.p50);
    charts.latency.data.datasets[1].data = figures.series.map((point) => point.p99);
    charts.latency.update();
    fillTable("by-operator", figures.operators);
    fillTable("by-unit", figures.units);
  };

  const poll = async () => {
    try {
      const answer = await fetch(root.dataset.url, { headers: { "X-Onecard-Poll": "1" }, redirect: "manual", credentials: "same-origin" });
      if (answer.type === "opaqueredirect" || answer.status === 403) {
        window.location.assign(root.dataset.login);
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      draw(await answer.json());
      stale.hidden = true;
      root.dataset.polls = String(Number(root.dataset.polls || 0) + 1);
    } catch {
      stale.hidden = false;
    }
    window.setTimeout(poll, POLL_MS);
  };
  poll();
})();
