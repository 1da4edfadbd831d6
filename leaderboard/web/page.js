"use strict";
// Table and plots of the board in `BOARD` (data.js). Every name is put into the page as text.
const $ = (id) => document.getElementById(id);
const chosen = { technique: 0, target: 0, axis: 0, measure: 0, scorer: 0 };
const short = (v) => (v === null ? "–" : Math.abs(v) < 0.005 ? "0" : v.toFixed(2).replace(/^(-?)0\./, "$1.").replace("-", "−"));
let table = null;

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function fill(what, names) {
  const select = $(what);
  names.forEach((name, i) => select.append(element("option", name, { value: i })));
  select.value = chosen[what];
  select.addEventListener("change", () => { chosen[what] = Number(select.value); show(); });
}

const RANGE = { slope: null, "rel@1": [0, 1], "regret@1": [0, 1] };

// The interval as a bar with a dot, on the scale of what the measure can be.
function interval(value, low, high, measure) {
  const range = measure in RANGE ? RANGE[measure] : [-1, 1];
  if (low === null || !range) return "";
  const at = (v) => (100 * (Math.min(Math.max(v, range[0]), range[1]) - range[0])) / (range[1] - range[0]);
  const zero = range[0] < 0 ? `<line x1="50" x2="50" y1="0" y2="12" stroke="currentColor" stroke-opacity=".35"/>` : "";
  return `<svg class="interval" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">${zero}` +
    `<line x1="${at(low)}" x2="${at(high)}" y1="6" y2="6" stroke="currentColor" stroke-width="2"/>` +
    `<rect x="${at(value) - 1}" width="2" y="2" height="8" fill="currentColor"/></svg>`;
}

function lines() {
  return BOARD.lines.filter((x) => x[1] === chosen.technique && x[2] === chosen.target && x[3] === chosen.axis && x[4] === chosen.measure);
}

function showTable() {
  const measure = BOARD.measures[chosen.measure];
  const rows = lines().map(([scorer, , , , , value, low, high, holm, ceiling, coverage]) => ({
    scorer, value: low === null ? null : value, low, high, holm, coverage, ceiling,
    given: BOARD.beyond[`${scorer}/${chosen.technique}/${chosen.axis}`] || null,
  }));
  const top = rows.find((row) => row.ceiling !== null);
  $("about").textContent =
    `${BOARD.targetWords[chosen.target]}, ${BOARD.techniques[chosen.technique]}, ${measure} ${BOARD.axisWords[chosen.axis]}` +
    (top ? `; noise ceiling ${short(top.ceiling)}` : "");
  table.column(6).visible(BOARD.targetNames[chosen.target] === "gain");
  table.clear().rows.add(rows).order([1, measure === "regret@1" ? "asc" : "desc"]).draw();
}

function makeTable(DataTable) {
  const last = () => (BOARD.measures[chosen.measure] === "regret@1" ? Infinity : -Infinity);
  const number = (of) => ({ data: of, render: (v, kind) => (kind === "sort" || kind === "type" ? (v === null ? last() : v) : short(v)) });
  table = new DataTable($("board"), {
    paging: false, info: true, autoWidth: false, data: [],
    columns: [
      { data: "scorer", className: "words", render: (i, kind) => {
        if (kind !== "display") return BOARD.scorers[i];
        const cell = document.createElement("span");
        cell.append(element("a", BOARD.scorers[i], { href: BOARD.pages[i] }));
        return cell;
      } },
      number("value"), number("low"), number("high"),
      { data: null, orderable: false, searchable: false, render: (row) => interval(row.value, row.low, row.high, BOARD.measures[chosen.measure]) },
      { data: "holm", render: (v, kind) => (kind !== "display" ? (v === null ? 9 : v) : v === null ? "–" : v < 0.001 ? "< .001" : v.toFixed(3).replace("0.", ".")) },
      { data: "given", render: (v, kind) => (kind !== "display" ? (v === null ? -Infinity : v[0]) : v === null ? "–" : short(v[0]) + (v[1] ? "*" : "")) },
      { data: "coverage", render: (v, kind) => (kind === "display" ? `${Math.round(100 * v)}%` : v) },
      { data: "scorer", orderable: false, searchable: false, render: (i, kind) => {
        if (kind !== "display") return "";
        const button = element("button", "plot", { type: "button", class: "pick", "aria-label": `plot ${BOARD.scorers[i]}` });
        button.addEventListener("click", () => { chosen.scorer = i; $("scorer").value = i; showPlots(); $("plots").scrollIntoView({ behavior: "smooth" }); });
        return button;
      } },
    ],
    language: { search: "Find a scorer:" },
  });
}

function plot(place, target) {
  const style = getComputedStyle(document.documentElement);
  const ink = getComputedStyle(document.body).color, quiet = style.getPropertyValue("--line") || "#888";
  const key = `${chosen.technique}/${target}`;
  const y = BOARD.measured[key], own = BOARD.scores[`${chosen.scorer}/${key}`] || BOARD.scores[`${chosen.scorer}`];
  const name = BOARD.scorers[chosen.scorer], what = BOARD.targetNames[target], traces = [];
  if (!y || !own) { $(place).textContent = `There is no ${what} for ${name} under ${BOARD.techniques[chosen.technique]}.`; return; }
  const fit = BOARD.fits[`${chosen.scorer}/${key}`];
  if (fit) {
    traces.push({ x: [...fit.x, ...fit.x.slice().reverse()], y: [...fit.high, ...fit.low.slice().reverse()], fill: "toself", mode: "none", hoverinfo: "skip", showlegend: false, fillcolor: "rgba(128,128,128,.25)" });
    traces.push({ x: fit.x, y: fit.y, mode: "lines", hoverinfo: "skip", showlegend: false, line: { color: ink, width: 1.5 } });
  }
  BOARD.models.forEach((model, i) => {
    const text = BOARD.tasks.map((task) => `${task}, ${model}`.replace(/[<>&]/g, (c) => ({ "<": "&lt;", ">": "&gt;", "&": "&amp;" })[c]));
    traces.push({ x: own[i], y: y[i], text, name: model.replace(/[<>&]/g, " "), mode: "markers", marker: { size: 7, symbol: i }, hovertemplate: "%{text}<br>score %{x:.3g}, " + what + " %{y:.2f}<extra></extra>" });
  });
  const scored = BOARD.turned[`${chosen.scorer}/${target}`] ? "score (r is of its negative)" : "score";
  const axis = { gridcolor: quiet, zerolinecolor: quiet };
  $(place).replaceChildren();
  Plotly.newPlot(place, traces, {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink }, margin: { t: 30, r: 10, l: 55, b: 45 },
    title: { text: what, font: { size: 15 } }, xaxis: { ...axis, title: { text: scored } }, yaxis: { ...axis, title: { text: what } },
    legend: { orientation: "h", y: -0.25 },
  }, { responsive: true, displayModeBar: false });
}

function correlation(target) {
  const line = BOARD.lines.find((x) => x[0] === chosen.scorer && x[1] === chosen.technique && x[2] === target && x[3] === 0 && x[4] === 0);
  return line && line[6] !== null ? `r over tasks ${short(line[5])} [${short(line[6])}, ${short(line[7])}]` : "r over tasks has no interval";
}

function showPlots() {
  const name = BOARD.scorers[chosen.scorer];
  $("scatter-title").textContent = `${name} against what was measured under ${BOARD.techniques[chosen.technique]}`;
  $("scatter-words").textContent = `Gain: ${correlation(0)}. Forgetting: ${correlation(2)}. Each point is a task of a model; the line is the least-squares fit of all points, the band its 95 % interval from leaving out one task at a time.`;
  plot("gain-plot", 0);
  plot("forgetting-plot", 2);
}

function show() { showTable(); showPlots(); }

async function start() {
  const url = URL.createObjectURL(new Blob([TABLE_MODULE], { type: "text/javascript" }));
  const module = await import(url);
  URL.revokeObjectURL(url);
  chosen.technique = Math.max(0, BOARD.techniques.indexOf("full"));
  chosen.scorer = Math.max(0, BOARD.scorers.indexOf("iimm"));
  fill("technique", BOARD.techniques);
  fill("target", BOARD.targetNames);
  fill("axis", BOARD.axisWords);
  fill("measure", BOARD.measures);
  fill("scorer", BOARD.scorers);
  makeTable(module.default);
  show();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showPlots);
  document.body.dataset.ready = "yes";
}
start();
