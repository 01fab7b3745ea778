"use strict";

const { report, texts, clock: clockWords, exact } = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const ROW = 26;
const LANE = 150;
const LEFT = 96;
const TOP = 46;

/** An element with attributes and children; texts are always texts, never markup. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function draw(name, attributes = {}, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

const byId = (id) => document.getElementById(id);

/** Milliseconds as `1:02:03.004`. */
function clock(ms) {
  const pad = (number, width) => String(number).padStart(width, "0");
  const hours = Math.floor(ms / 3600000);
  return `${hours}:${pad(Math.floor(ms / 60000) % 60, 2)}:${pad(Math.floor(ms / 1000) % 60, 2)}.${pad(ms % 1000, 3)}`;
}

/** Each marker has one colour, wherever it stands. */
function colour(marker) {
  let hash = 0;
  for (const sign of marker) hash = (hash * 31 + sign.codePointAt(0)) % 360;
  return `light-dark(hsl(${hash} 70% 34%), hsl(${hash} 75% 70%))`;
}

// What went wrong, in the order of the report.

function findings() {
  const fixtures = new Map(report.fixtures.map((fixture) => [fixture.fixture, fixture]));
  const found = [];
  for (const rule of report.rules) {
    for (const breach of rule.breaches ?? []) {
      found.push({ ...breach, rule: rule.rule, standing: breach.known ? "known" : rule.standing, of: fixtures.get(breach.fixture) });
    }
  }
  for (const fixture of report.fixtures) {
    for (const unmet of fixture.unmet ?? []) {
      const standing = unmet.known ? "known" : "fail";
      found.push({ ...unmet, fixture: fixture.fixture, replay: fixture.replay, standing, of: fixture });
    }
    if (fixture.outcome === "undriven") {
      found.push({ fixture: fixture.fixture, replay: fixture.replay, standing: "fail", seen: fixture.why, of: fixture, undriven: true });
    }
  }
  return found;
}

function titleOf(finding) {
  if (finding.undriven) return [`${finding.fixture} could not be driven`];
  if (!finding.rule) return [`expectation ${finding.expectation} of ${finding.fixture} is unmet`];
  const link = make("a", { href: `#rule-${finding.rule}` }, finding.rule);
  return [link, ` is broken in ${finding.fixture}`];
}

/** A text in which each marker can be pressed. */
function withMarkers(text) {
  return text.split(/(⟦[^⟦⟧]+⟧)/u).map((part) => {
    const name = part.match(/^⟦(.+)⟧$/u)?.[1];
    if (!name) return part;
    const button = make("button", { class: "marker", type: "button", "data-marker": name, "aria-pressed": "false", style: `color: ${colour(name)}` }, part);
    button.addEventListener("click", () => follow(button.closest("article"), name));
    return button;
  });
}

/** Shows where one text went: everything else of the picture fades. */
function follow(article, marker) {
  const same = article.dataset.marker === marker;
  article.dataset.marker = same ? "" : marker;
  for (const button of article.querySelectorAll(".marker")) {
    button.setAttribute("aria-pressed", String(!same && button.dataset.marker === marker));
  }
  for (const group of article.querySelectorAll("[data-markers]")) {
    const carries = group.dataset.markers.split(" ").includes(marker);
    group.classList.toggle("dim", !same && !carries);
  }
}

function lineOf(line, breaking) {
  const row = make("div", { class: line.entry === breaking ? "line breaking" : "line" });
  row.append(make("span", { class: "number", style: "width: 3em" }, String(line.entry)));
  row.append(make("span", { class: "time", style: "width: 9em" }, clock(line.at)));
  row.append(...withMarkers(line.line ?? line.text));
  return row;
}

function article(finding, number) {
  const body = make("article", { id: `finding-${number}`, class: finding.standing, tabindex: "-1" });
  body.append(make("h3", {}, ...titleOf(finding)));
  const title = finding.of?.title;
  if (title) body.append(make("p", { class: "faint" }, title));
  body.append(make("p", { class: "seen" }, make("b", {}, "Seen: "), ...withMarkers(finding.seen ?? "")));
  if (finding.right) body.append(make("p", { class: "right" }, make("b", {}, "Right would be: "), ...withMarkers(finding.right)));
  if (exact[finding.rule]) body.append(make("p", { class: "faint" }, `By a clock that runs by itself: ${exact[finding.rule]}`));
  if (finding.known) body.append(make("p", { class: "faint" }, `Known: ${finding.known}`));
  body.append(make("code", { class: "replay" }, finding.replay));
  const steps = finding.of?.steps ?? [];
  const lines = steps.length > 0 ? steps : finding.lines ?? [];
  if (lines.length > 0) {
    const transcript = make("div", { class: "transcript" }, ...lines.map((line) => lineOf(line, finding.entry)));
    body.append(make("details", {}, make("summary", {}, "Transcript"), transcript));
  }
  if (steps.length > 0) {
    const details = make("details", {}, make("summary", {}, "Picture"));
    // A picture is drawn when somebody wants to see it.
    details.addEventListener("toggle", () => {
      if (details.open && !details.querySelector("svg")) {
        const frame = make("div", { class: "picture" });
        frame.append(picture(steps, finding));
        details.append(frame);
      }
    });
    details.open = number === 0;
    body.append(details);
  }
  return body;
}

// The picture: lanes for conversations, the gateway and sessions; time runs downward.

const addressOf = (at) => `${at.channel}/${at.conversation}${at.thread ? `/${at.thread}` : ""}${at.account && at.account !== "default" ? ` (${at.account})` : ""}`;

/** What an entry is: its kind and its content. */
function read(step) {
  const side = step.stimulus ? "stimulus" : step.effect ? "effect" : "world";
  const content = step[side];
  const kind = typeof content === "string" ? content : Object.keys(content)[0];
  return { kind, what: typeof content === "string" ? {} : content[kind] };
}

/** Entries as moves between lanes. */
function moves(steps) {
  const lanes = new Map();
  const lane = (kind, name) => {
    const id = `${kind} ${name}`;
    if (!lanes.has(id)) lanes.set(id, { id, kind, name });
    return id;
  };
  const gateway = lane("gateway", "gateway");
  const sessions = new Map();
  const places = new Map();
  const all = [];
  const session = (run) => (sessions.has(run) ? lane("session", sessions.get(run)) : gateway);
  steps.forEach((step, row) => {
    const { kind, what } = read(step);
    const move = (from, to, word) => all.push({ step, row, from, to, word, kind, run: what.run });
    switch (kind) {
      case "inbound": return move(lane("place", addressOf(what.at)), gateway, `${what.from}: ${what.text}`);
      case "start_run":
        sessions.set(what.run, what.session_key);
        return move(gateway, session(what.run), `run ${what.run}`);
      case "run_started": return move(session(what.run), gateway, `${what.run} ${what.outcome}`);
      case "run_progress": return move(session(what.run), gateway, what.text);
      case "run_ended": return move(session(what.run), gateway, `${what.run} ${what.outcome}: ${what.text ?? ""}`);
      case "steer_run": return move(gateway, session(what.run), `into ${what.run}`);
      case "cancel_run": return move(gateway, session(what.run), `stop ${what.run}`);
      case "call": return move(session(what.by?.run), gateway, what.method);
      case "answer": return move(gateway, gateway, `answer to ${what.call}: ${what.result?.status ?? ""}`);
      case "deliver":
        places.set(what.delivery, addressOf(what.to));
        return move(gateway, lane("place", addressOf(what.to)), what.text);
      case "posted": return move(lane("place", addressOf(what.at)), lane("place", addressOf(what.at)), "stands there");
      case "receipt": {
        const from = places.has(what.delivery) ? lane("place", places.get(what.delivery)) : gateway;
        return move(from, gateway, ["accepted", "refused", "unknown"].find((outcome) => outcome in what) ?? "");
      }
      default: return move(gateway, gateway, step.line);
    }
  });
  const order = { place: 0, gateway: 1, session: 2 };
  const sorted = [...lanes.values()].sort((a, b) => order[a.kind] - order[b.kind]);
  return { lanes: sorted, all };
}

function short(text, width) {
  const signs = [...text];
  return signs.length > width ? `${signs.slice(0, width - 1).join("")}…` : text;
}

function picture(steps, finding) {
  const { lanes, all } = moves(steps);
  const x = new Map(lanes.map((lane, number) => [lane.id, LEFT + LANE / 2 + number * LANE]));
  const broken = steps.findIndex((step) => step.entry === finding.entry);
  // Below the entry that breaks something there is room for what would have been right.
  const y = (row) => TOP + ROW * (row + 1 + (broken >= 0 && row > broken ? 1 : 0));
  const width = LEFT + LANE * lanes.length + 260;
  const height = y(steps.length + 1);
  const svg = draw("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img" });
  svg.append(draw("title", {}, `What happened in ${finding.fixture}, from above to below`));
  for (const lane of lanes) {
    const at = x.get(lane.id);
    svg.append(draw("line", { class: "lane", x1: at, x2: at, y1: TOP, y2: height - ROW / 2 }));
    svg.append(draw("text", { class: "lane-kind", x: at, y: 14, "text-anchor": "middle" }, lane.kind === "place" ? "conversation" : lane.kind === "gateway" ? "" : "session"));
    const name = draw("text", { class: "lane-name", x: at, y: 30, "text-anchor": "middle" }, short(lane.name, 20));
    name.append(draw("title", {}, lane.name));
    svg.append(name);
  }
  for (const [run, bar] of bars(all)) {
    const at = x.get(bar.lane);
    const rect = draw("rect", { class: "run", x: at - 5, y: y(bar.from), width: 10, height: Math.max(4, y(bar.to) - y(bar.from)), rx: 4 });
    rect.append(draw("title", {}, `run ${run}`));
    svg.append(rect);
  }
  let time = null;
  for (const move of all) svg.append(...drawn(move, { x, y, width, finding, isNew: time !== (time = move.step.at) }));
  return svg;
}

/** How long each run lived, in rows. */
function bars(all) {
  const found = new Map();
  for (const move of all) {
    if (move.kind === "start_run") found.set(move.run, { lane: move.to, from: move.row, to: move.row });
    else if (found.has(move.run)) found.get(move.run).to = move.row;
  }
  return found;
}

function drawn(move, { x, y, width, finding, isNew }) {
  const { step, row } = move;
  const [from, to, at] = [x.get(move.from), x.get(move.to), y(row)];
  const markers = step.markers ?? [];
  const group = draw("g", { "data-markers": markers.join(" ") });
  const parts = [group];
  if (step.entry === finding.entry) {
    group.append(draw("rect", { class: "halo", x: 2, y: at - ROW / 2 - 2, width: width - 4, height: ROW, rx: 6 }));
    if (finding.right) parts.push(draw("text", { class: "should", x: LEFT, y: at + ROW - 4 }, short(`right would be: ${finding.right}`, 120)));
  }
  if (isNew) group.append(draw("text", { class: "clock", x: LEFT - 14, y: at + 4, "text-anchor": "end" }, clock(step.at)));
  if (move.kind === "crashed") group.append(draw("line", { class: "crash", x1: LEFT, x2: width, y1: at, y2: at }));
  const style = markers.length > 0 ? `stroke: ${colour(markers[markers.length - 1])}` : "";
  const shape = markers.length > 0 ? "arrow marked" : "arrow";
  if (from === to) {
    group.append(draw("circle", { class: shape, style, cx: from, cy: at, r: 4 }));
  } else {
    const ahead = from < to ? 1 : -1;
    group.append(draw("line", { class: shape, style, x1: from, x2: to - 3 * ahead, y1: at, y2: at }));
    group.append(draw("path", { class: shape, style, d: `M ${to - 8 * ahead} ${at - 4} L ${to - 2 * ahead} ${at} L ${to - 8 * ahead} ${at + 4}` }));
  }
  const right = Math.max(from, to);
  const word = draw("text", { class: "word", x: (from === to ? right + 10 : Math.min(from, to) + 10), y: at - 5 }, short(move.word, from === to ? 60 : Math.floor(Math.abs(to - from) / 7) - 2));
  word.append(draw("title", {}, `${step.entry}  ${step.line}`));
  group.append(word);
  return parts;
}

// The page.

const STANDINGS = {
  pass: "kept", fail: "broken", known: "broken as known", warn: "should be otherwise",
  inconclusive: "never put to the test", inapplicable: "not promised",
};

function matrix() {
  const families = new Map();
  for (const rule of report.rules) families.set(rule.family, [...(families.get(rule.family) ?? []), rule]);
  for (const [family, rules] of families) {
    const cells = rules.map((rule) => {
      const timed = exact[rule.rule];
      const words = `${rule.rule}: ${STANDINGS[rule.standing]}${timed ? `, by a clock that runs by itself: ${timed}` : ""}`;
      return make("a", { class: `cell ${rule.standing}${timed ? " timed" : ""}`, href: `#rule-${rule.rule}`, title: words, "aria-label": words }, rule.rule);
    });
    const kept = rules.filter((rule) => rule.standing === "pass").length;
    byId("matrix").append(make("tr", {},
      make("th", { scope: "row" }, family), make("td", { class: "faint" }, `${kept} of ${rules.length}`),
      make("td", {}, make("div", { class: "cells" }, ...cells))));
  }
  const present = new Set(report.rules.map((rule) => rule.standing));
  for (const [standing, words] of Object.entries(STANDINGS)) {
    if (present.has(standing)) byId("legend").append(make("span", {}, make("i", { class: `cell ${standing}` }), words));
  }
  if (Object.keys(exact).length > 0) byId("legend").append(make("span", {}, make("i", { class: "cell timed" }), "by a clock that runs by itself"));
  for (const rule of report.rules) {
    const timed = exact[rule.rule] ? make("span", { class: "faint" }, ` (${exact[rule.rule]})`) : "";
    byId("rules").append(make("dt", { id: `rule-${rule.rule}` }, rule.rule, timed), make("dd", {}, texts[rule.rule] ?? ""));
  }
}

const all = findings();
const articles = all.map(article);
let current = -1;

function shown() {
  return articles.filter((one) => !one.hidden);
}

function search(words) {
  const wanted = words.toLowerCase().split(/\s+/u).filter(Boolean);
  articles.forEach((one) => {
    const text = one.textContent.toLowerCase();
    one.hidden = !wanted.every((word) => text.includes(word));
  });
  current = -1;
  for (const one of articles) one.classList.remove("current");
  byId("count").textContent = wanted.length > 0 ? `${shown().length} of ${articles.length}` : "";
}

function go(by) {
  const here = shown();
  if (here.length === 0) return;
  current = Math.min(Math.max(current + by, 0), here.length - 1);
  for (const one of articles) one.classList.toggle("current", one === here[current]);
  here[current].scrollIntoView({ block: "start" });
  here[current].focus({ preventScroll: true });
}

document.addEventListener("keydown", (event) => {
  const typing = event.target === byId("search");
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") { byId("search").value = ""; search(""); byId("search").blur(); }
  else if (typing) return;
  else if (event.key === "/") { event.preventDefault(); byId("search").focus(); }
  else if (event.key === "j") go(1);
  else if (event.key === "k") go(-1);
});
byId("search").addEventListener("input", (event) => search(event.target.value));

document.title = `${report.gateway.name}: ${report.verdict.replaceAll("_", " ")}`;
byId("verdict").textContent = report.verdict.replaceAll("_", " ");
byId("verdict").classList.add(report.verdict);
byId("gateway").textContent = report.gateway.name;
byId("about").textContent = `moorline ${report.moorline}, profile ${report.profile}: ${report.rules.length} rules, ${report.fixtures.length} fixtures, ${report.seconds.toFixed(1)} s`;
byId("clock").textContent = clockWords ? `Note: ${clockWords}.` : "";
matrix();
if (articles.length > 0) {
  byId("findings").append(make("h2", {}, articles.length === 1 ? "1 finding" : `${articles.length} findings`), ...articles);
}
