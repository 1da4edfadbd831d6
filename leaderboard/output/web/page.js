"use strict";
// Table and plots of the board in `BOARD` (data.js). Names are inserted as text, never as HTML.
const $ = (id) => document.getElementById(id);
const selected = { technique: 0, target: 0, axis: 0, measure: 0, scorer: 0 };
const short = (v) => (v === null ? "–" : Math.abs(v) < 0.005 ? "0" : v.toFixed(2).replace(/^(-?)0\./, "$1.").replace("-", "−"));
let table = null;

function element(name, text, attributes = {}) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

function fillSelect(id, names) {
  const select = $(id);
  names.forEach((name, i) => select.append(element("option", name, { value: i })));
  select.value = selected[id];
  select.addEventListener("change", () => { selected[id] = Number(select.value); show(); });
}

const RANGE = { slope: null, "rel@1": [0, 1], "regret@1": [0, 1] };

// The interval as a bar with a mark at the value, on the range of the measure.
function interval(value, low, high, measure) {
  const range = measure in RANGE ? RANGE[measure] : [-1, 1];
  if (low === null || !range) return "";
  const at = (v) => (100 * (Math.min(Math.max(v, range[0]), range[1]) - range[0])) / (range[1] - range[0]);
  const zero = range[0] < 0 ? `<line x1="50" x2="50" y1="0" y2="12" stroke="currentColor" stroke-opacity=".35"/>` : "";
  return `<svg class="interval" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">${zero}` +
    `<line x1="${at(low)}" x2="${at(high)}" y1="6" y2="6" stroke="currentColor" stroke-width="2"/>` +
    `<rect x="${at(value) - 1}" width="2" y="2" height="8" fill="currentColor"/></svg>`;
}

function selectedRows() {
  return BOARD.rows.filter((x) => x[1] === selected.technique && x[2] === selected.target && x[3] === selected.axis && x[4] === selected.measure);
}

function showTable() {
  const measure = BOARD.measures[selected.measure];
  const rows = selectedRows().map(([scorer, , , , , value, low, high, holm, ceiling, coverage]) => ({
    scorer, value: low === null ? null : value, low, high, holm, coverage, ceiling,
    given: BOARD.partials[`${scorer}/${selected.technique}/${selected.axis}`] || null,
  }));
  const top = rows.find((row) => row.ceiling !== null);
  $("caption").textContent =
    `${BOARD.targetTitles[selected.target]}, ${BOARD.techniques[selected.technique]}, ${measure} ${BOARD.axisLabels[selected.axis]}` +
    (top ? `; noise ceiling ${short(top.ceiling)}` : "");
  table.column(6).visible(BOARD.targetNames[selected.target] === "gain");
  table.clear().rows.add(rows).order([1, measure === "regret@1" ? "asc" : "desc"]).draw();
}

function makeTable(DataTable) {
  const last = () => (BOARD.measures[selected.measure] === "regret@1" ? Infinity : -Infinity);
  const number = (column) => ({ data: column, render: (v, kind) => (kind === "sort" || kind === "type" ? (v === null ? last() : v) : short(v)) });
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
      { data: null, orderable: false, searchable: false, render: (row) => interval(row.value, row.low, row.high, BOARD.measures[selected.measure]) },
      { data: "holm", render: (v, kind) => (kind !== "display" ? (v === null ? 9 : v) : v === null ? "–" : v < 0.001 ? "< .001" : v.toFixed(3).replace("0.", ".")) },
      { data: "given", render: (v, kind) => (kind !== "display" ? (v === null ? -Infinity : v[0]) : v === null ? "–" : short(v[0]) + (v[1] ? "*" : "")) },
      { data: "coverage", render: (v, kind) => (kind === "display" ? `${Math.round(100 * v)}%` : v) },
      { data: "scorer", orderable: false, searchable: false, render: (i, kind) => {
        if (kind !== "display") return "";
        const button = element("button", "plot", { type: "button", class: "pick", "aria-label": `plot ${BOARD.scorers[i]}` });
        button.addEventListener("click", () => { selected.scorer = i; $("scorer").value = i; showPlots(); $("plots").scrollIntoView({ behavior: "smooth" }); });
        return button;
      } },
    ],
    language: { search: "Find a scorer:" },
  });
}

function plot(place, target) {
  const style = getComputedStyle(document.documentElement);
  const ink = getComputedStyle(document.body).color, quiet = style.getPropertyValue("--line") || "#888";
  const key = `${selected.technique}/${target}`;
  const y = BOARD.measured[key], x = BOARD.scores[`${selected.scorer}/${key}`] || BOARD.scores[`${selected.scorer}`];
  const name = BOARD.scorers[selected.scorer], targetName = BOARD.targetNames[target], traces = [];
  if (!y || !x) { $(place).textContent = `${name} has no ${targetName} under ${BOARD.techniques[selected.technique]}.`; return; }
  const fit = BOARD.fits[`${selected.scorer}/${key}`];
  if (fit) {
    traces.push({ x: [...fit.x, ...fit.x.slice().reverse()], y: [...fit.high, ...fit.low.slice().reverse()], fill: "toself", mode: "none", hoverinfo: "skip", showlegend: false, fillcolor: "rgba(128,128,128,.25)" });
    traces.push({ x: fit.x, y: fit.y, mode: "lines", hoverinfo: "skip", showlegend: false, line: { color: ink, width: 1.5 } });
  }
  BOARD.models.forEach((model, i) => {
    const text = BOARD.tasks.map((task) => `${task}, ${model}`.replace(/[<>&]/g, (c) => ({ "<": "&lt;", ">": "&gt;", "&": "&amp;" })[c]));
    traces.push({ x: x[i], y: y[i], text, name: model.replace(/[<>&]/g, " "), mode: "markers", marker: { size: 7, symbol: i }, hovertemplate: "%{text}<br>score %{x:.3g}, " + targetName + " %{y:.2f}<extra></extra>" });
  });
  const scored = BOARD.negated[`${selected.scorer}/${target}`] ? "score (r is of its negative)" : "score";
  const axis = { gridcolor: quiet, zerolinecolor: quiet };
  $(place).replaceChildren();
  Plotly.newPlot(place, traces, {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink }, margin: { t: 30, r: 10, l: 55, b: 45 },
    title: { text: targetName, font: { size: 15 } }, xaxis: { ...axis, title: { text: scored } }, yaxis: { ...axis, title: { text: targetName } },
    legend: { orientation: "h", y: -0.25 },
  }, { responsive: true, displayModeBar: false });
}

function correlation(target) {
  const row = BOARD.rows.find((x) => x[0] === selected.scorer && x[1] === selected.technique && x[2] === target && x[3] === 0 && x[4] === 0);
  return row && row[6] !== null ? `r over tasks ${short(row[5])} [${short(row[6])}, ${short(row[7])}]` : "r over tasks has no interval";
}

function showPlots() {
  const name = BOARD.scorers[selected.scorer];
  $("scatter-title").textContent = `${name} against the measurements under ${BOARD.techniques[selected.technique]}`;
  $("scatter-words").textContent = `Gain: ${correlation(0)}. Forgetting: ${correlation(2)}. Each point is one task of one model; the line is the least-squares fit to all points, the band its 95 % interval from leaving out one task at a time.`;
  plot("gain-plot", 0);
  plot("forgetting-plot", 2);
}

function show() { showTable(); showPlots(); }

async function start() {
  const url = URL.createObjectURL(new Blob([TABLE_MODULE], { type: "text/javascript" }));
  const module = await import(url);
  URL.revokeObjectURL(url);
  selected.technique = Math.max(0, BOARD.techniques.indexOf("full"));
  selected.scorer = Math.max(0, BOARD.scorers.indexOf("iimm"));
  fillSelect("technique", BOARD.techniques);
  fillSelect("target", BOARD.targetNames);
  fillSelect("axis", BOARD.axisLabels);
  fillSelect("measure", BOARD.measures);
  fillSelect("scorer", BOARD.scorers);
  makeTable(module.default);
  show();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showPlots);
  document.body.dataset.ready = "yes";
}
start();
