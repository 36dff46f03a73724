// One panel of a plugin: texts, meters, fields, tables, buttons. The store is made once per model; every view draws it.
// The kernel sets `shown` and `status` (panel_state.py, panel_bridge.py). Whatever a plugin wrote is only ever text.
// A table's rows have one height, and only those in view are drawn, with some over; panel.css has the same numbers.
const ROW = 28, VIEW = 13, OVER = 6, FEW = 8;
let ids = 0;

const makeStore = () => ({
  shown: { at: -1, title: "", parts: [] }, status: { rev: -1, busy: true, back: false, line: null, wrong: {}, edits: {}, seen: {} },
  page: Math.random().toString(36).slice(2), seq: 0, edits: {}, timer: 0, waiting: null, live: true, views: new Set(), send: () => false,
});

const connect = (store, model, signal) => {
  let queued = false;
  store.redraw = () => {
    if (queued) return;
    queued = true;
    queueMicrotask(() => { queued = false; store.views.forEach((draw) => draw()); });
  };
  const lost = () => { store.live = false; store.waiting = null; store.redraw(); };
  store.send = (message) => {
    try { model.send(message); return true; } catch { lost(); return false; }
  };
  const take = () => {
    const shown = model.get("shown"), status = model.get("status");
    if (!shown?.parts || !status?.seen) return;
    if (shown.at !== store.shown.at) { store.edits = {}; clearTimeout(store.timer); store.timer = 0; }
    store.shown = shown;
    store.status = status;
    // What the kernel knows is older than what was typed here until it has seen the last of it.
    if ((status.seen[store.page] ?? 0) === store.seq && !store.timer) store.edits = { ...status.edits };
    if (store.waiting && !status.busy && status.rev > store.waiting.rev) { clearInterval(store.waiting.again); store.waiting = null; }
    store.redraw();
  };
  const ask = (message) => {
    // Asked for anew after a while, since an answer can be lost like anything else.
    store.waiting = { rev: store.status.rev, again: setInterval(() => store.send({ type: "resync" }), 5000) };
    if (!store.send(message)) clearInterval(store.waiting?.again);
    store.redraw();
  };
  const typed = () => {
    clearTimeout(store.timer);
    store.timer = 0;
    store.seq += 1;
    return { at: store.shown.at, page: store.page, seq: store.seq, edits: store.edits };
  };
  store.busy = () => !!store.waiting || store.status.busy || !store.live;
  store.edit = (name, value) => {
    store.edits = { ...store.edits, [name]: value };
    clearTimeout(store.timer);
    store.timer = setTimeout(() => store.send({ type: "edit", ...typed() }), 400);
    store.redraw();
  };
  store.act = (button, row = "") => { if (!store.busy()) ask({ type: "act", button, row, ...typed() }); };
  store.back = () => { if (!store.busy()) ask({ type: "back", at: store.shown.at }); };
  store.refresh = () => { if (!store.busy()) ask({ type: "refresh" }); };
  model.on("change:shown", take);
  model.on("change:status", take);
  model.on("comm_live_update", lost);
  signal?.addEventListener("abort", () => {
    model.off("change:shown", take);
    model.off("change:status", take);
    model.off("comm_live_update", lost);
  });
  take();
  store.send({ type: "resync" });
};

const add = (parent, tag, name, text = "") => {
  const node = parent.appendChild(document.createElement(tag));
  node.className = name.split(" ").filter(Boolean).map((one) => "airochat-" + one).join(" ");
  node.textContent = text;
  return node;
};

const addButton = (parent, name, text, label, act) => {
  const button = add(parent, "button", name, text);
  button.type = "button";
  if (label) { button.title = label; button.setAttribute("aria-label", label); }
  button.addEventListener("click", act);
  return button;
};

const setText = (node, text) => { if (node.textContent !== text) node.textContent = text; };

// Each of these makes the element of one part and returns it with a function that shows another part of its kind.

const makeText = (part) => {
  const node = document.createElement(part.tone === "heading" ? "h4" : "p");
  return { node, update: (next) => { node.className = `airochat-say airochat-${next.tone}`; setText(node, next.text); } };
};

const makeMeter = () => {
  const node = document.createElement("div");
  node.className = "airochat-meter";
  const label = add(node, "span", "label"), words = add(node, "span", "words"), bar = add(node, "div", "gauge");
  bar.setAttribute("role", "progressbar");
  bar.setAttribute("aria-valuemin", 0);
  bar.setAttribute("aria-valuemax", 100);
  return { node, update: (next) => {
    setText(label, next.label);
    setText(words, next.words);
    bar.style.setProperty("--done", next.done);
    bar.setAttribute("aria-label", next.label);
    bar.setAttribute("aria-valuetext", next.words);
    bar.setAttribute("aria-valuenow", Math.round(next.done * 100));
  } };
};

const makeInput = (part) => {
  const input = document.createElement({ lines: "textarea", choice: "select" }[part.type] ?? "input");
  if (part.type === "lines") input.rows = 3;
  else if (part.type === "choice") part.choices.forEach((choice, i) => { add(input, "option", "", choice).value = i; });
  else input.type = { bool: "checkbox", int: "number", float: "number" }[part.type] ?? "text";
  if (part.type === "int" || part.type === "float") {
    input.step = part.type === "int" ? 1 : "any";
    if (part.least !== null) input.min = part.least;
    if (part.most !== null) input.max = part.most;
  }
  input.autocomplete = "off";
  return input;
};

const makeField = (part, ui, store) => {
  const node = document.createElement("div");
  node.className = "airochat-field";
  const label = add(node, "label", "label"), input = node.appendChild(makeInput(part));
  const help = add(node, "div", "help"), wrong = add(node, "div", "wrong");
  input.id = `airochat-field-${++ids}`;
  label.htmlFor = input.id;
  help.id = `${input.id}-help`;
  wrong.id = `${input.id}-wrong`;
  input.setAttribute("aria-describedby", `${help.id} ${wrong.id}`);
  const fit = () => { if (part.type === "lines") { input.style.height = "auto"; input.style.height = `${Math.min(input.scrollHeight + 2, 260)}px`; } };
  input.addEventListener("input", () => {
    // A number field says "" of what is no number, which is refused as well.
    store.edit(part.name, { bool: () => input.checked, choice: () => +input.value }[part.type]?.() ?? input.value);
    fit();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || ["lines", "choice"].includes(part.type)) return;
    event.preventDefault();
    const at = store.shown.parts.findIndex((one) => one.kind === "field" && one.name === part.name);
    const next = store.shown.parts.slice(at).find((one) => one.kind === "button");
    if (next && !next.confirm) store.act(next.name);
  });
  return { node, update: (next) => {
    const value = store.edits[next.name] ?? next.value;
    if (next.type === "bool") input.checked = value;
    else if (input.value !== `${value}` && !(input.validity?.badInput && value === "")) { input.value = value; requestAnimationFrame(fit); }
    input.disabled = !store.live;
    setText(label, next.label);
    setText(help, next.help);
    help.hidden = !next.help || !!store.status.wrong[next.name];
    setText(wrong, store.status.wrong[next.name] ?? "");
    wrong.hidden = !wrong.textContent;
    input.setAttribute("aria-invalid", !wrong.hidden);
  } };
};

const makeButton = (part, ui, store) => {
  const node = document.createElement("button");
  node.type = "button";
  node.className = "airochat-button";
  let shown = part;
  node.addEventListener("click", () => ui.press(shown, "", node));
  return { node, update: (next) => { shown = next; setText(node, next.label); node.disabled = store.busy(); } };
};

const makeRows = (part, ui, store) => {
  const node = document.createElement("div");
  node.className = "airochat-rows";
  const bar = add(node, "div", "sieve"), filter = add(bar, "input", "filter"), count = add(bar, "span", "help");
  filter.type = "search";
  filter.placeholder = "Filter";
  filter.setAttribute("aria-label", "Filter");
  const port = add(node, "div", "port"), table = add(port, "table", "table"), columns = add(table, "colgroup", "");
  const head = add(add(table, "thead", ""), "tr", ""), body = add(table, "tbody", "");
  const empty = add(node, "p", "say soft"), hint = add(node, "div", "help");
  const id = `airochat-rows-${++ids}`;
  const t = { part: { rows: [], buttons: [] }, found: [], lower: null, key: null, active: -1 };
  port.tabIndex = 0;
  port.setAttribute("role", "grid");
  table.setAttribute("role", "none");
  head.setAttribute("role", "row");

  const sieve = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    t.lower ??= words.length ? t.part.rows.map((row) => row.slice(2).join(" ").toLowerCase()) : null;
    t.found = t.part.rows.map((_, i) => i);
    if (words.length) t.found = t.found.filter((i) => words.every((word) => t.lower[i].includes(word)));
    t.active = t.found.findIndex((i) => t.part.rows[i][0] === t.key);
    const total = t.part.rows.length, more = t.part.more ? `, and ${t.part.more.toLocaleString("en")} more that are not shown` : "";
    setText(count, `${words.length ? `${t.found.length.toLocaleString("en")} of ` : ""}${total.toLocaleString("en")}${more}`);
  };
  const spacer = (rows) => {
    const gap = add(body, "tr", "");
    gap.setAttribute("aria-hidden", true);
    add(gap, "td", "").style.cssText = `height: ${rows * ROW}px; padding: 0; border: 0`;
  };
  const addRow = (at) => {
    const [, marked, ...cells] = t.part.rows[t.found[at]];
    const row = add(body, "tr", "row");
    row.id = `${id}-${at}`;
    Object.assign(row.dataset, { at, marked });
    row.setAttribute("role", "row");
    row.setAttribute("aria-rowindex", at + 1);
    row.setAttribute("aria-selected", at === t.active);
    cells.forEach((cell, i) => {
      const place = add(row, "td", "", cell);
      place.setAttribute("role", "gridcell");
      place.title = cell;
      if (i === 0 && marked) place.insertBefore(document.createElement("span"), place.firstChild).className = "airochat-mark";
    });
    if (t.part.buttons.length > 1) {
      const tools = add(row, "td", "tools");
      tools.setAttribute("role", "gridcell");
      t.part.buttons.slice(1).forEach((button, i) => {
        const tool = addButton(tools, "link", button.label, "", () => {});
        tool.dataset.button = i + 1;
        tool.tabIndex = at === t.active ? 0 : -1;
        tool.disabled = store.busy();
      });
    }
  };
  const slice = () => {
    const within = port.contains(document.activeElement) && document.activeElement !== port;
    const first = Math.max(0, Math.floor(port.scrollTop / ROW) - OVER);
    const last = Math.min(t.found.length, Math.ceil(port.scrollTop / ROW) + VIEW + OVER);
    body.replaceChildren();
    if (first) spacer(first);
    for (let at = first; at < last; at++) addRow(at);
    if (last < t.found.length) spacer(t.found.length - last);
    if (within) port.focus({ preventScroll: true });
    const seen = t.active >= first && t.active < last;
    if (seen) port.setAttribute("aria-activedescendant", `${id}-${t.active}`); else port.removeAttribute("aria-activedescendant");
  };
  const choose = (at) => {
    t.active = Math.max(0, Math.min(t.found.length - 1, at));
    t.key = t.part.rows[t.found[t.active]]?.[0] ?? null;
    const top = t.active * ROW, below = top + ROW - (port.clientHeight - ROW);
    if (top < port.scrollTop) port.scrollTop = top; else if (below > port.scrollTop) port.scrollTop = below;
    slice();
  };
  const press = (number) => {
    const button = t.part.buttons[number];
    if (button && t.active >= 0) ui.press(button, t.key, port);
  };
  port.addEventListener("scroll", slice, { passive: true });
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-at]");
    const marked = getSelection();
    if (!row || (!marked.isCollapsed && marked.containsNode(row, true))) return;
    const number = event.target.closest("button")?.dataset.button ?? 0;
    choose(+row.dataset.at);
    port.focus({ preventScroll: true });
    press(+number);
  });
  port.addEventListener("keydown", (event) => {
    if (event.target !== port) return;
    const page = Math.max(1, Math.floor(port.clientHeight / ROW) - 2);
    const to = { ArrowDown: t.active + 1, ArrowUp: t.active - 1, PageDown: t.active + page, PageUp: t.active - page, Home: 0, End: t.found.length }[event.key];
    if (event.key === "Enter") press(0);
    else if (to !== undefined && t.found.length) choose(to);
    else return;
    event.preventDefault();
  });
  filter.addEventListener("input", () => { sieve(); port.scrollTop = 0; slice(); });
  filter.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "ArrowDown") return;
    event.preventDefault();
    port.focus();
    if (t.active < 0 && t.found.length) choose(0);
  });
  const build = () => {
    const tools = Math.min(40, t.part.buttons.slice(1).reduce((wide, button) => wide + button.label.length + 3, 1));
    const whole = t.part.widths.reduce((sum, one) => sum + one, 0);
    const least = t.part.widths.reduce((sum, one) => sum + Math.min(one, 10) + 3, t.part.buttons.length > 1 ? tools : 0);
    table.style.minWidth = `${least}ch`;
    columns.replaceChildren();
    head.replaceChildren();
    t.part.columns.forEach((name, i) => {
      add(columns, "col", "").style.width = `${(100 * t.part.widths[i]) / whole}%`;
      add(head, "th", "", name).setAttribute("role", "columnheader");
    });
    if (t.part.buttons.length > 1) { add(columns, "col", "").style.width = `${tools}ch`; add(head, "th", ""); }
  };
  const update = (next) => {
    if (next !== t.part) {
      t.part = next;
      t.lower = null;
      build();
      sieve();
    }
    port.setAttribute("aria-label", next.columns.join(", "));
    port.setAttribute("aria-rowcount", t.found.length);
    port.hidden = !next.rows.length;
    bar.hidden = next.rows.length <= FEW && !next.more;
    setText(empty, next.empty);
    empty.hidden = !!next.rows.length || !next.empty;
    setText(hint, next.buttons.length ? `enter or click: ${next.buttons[0].label}` : "");
    hint.hidden = !hint.textContent || !next.rows.length;
    slice();
  };
  return { node, update };
};

const MAKE = { text: makeText, meter: makeMeter, field: makeField, rows: makeRows, button: makeButton };

const nameOf = (part) => [part.kind, part.name ?? "", part.type ?? part.tone ?? "", part.type === "choice" ? part.choices.join("\n") : ""].join("\t");

const drawParts = (ui, store) => {
  const parts = store.shown.parts;
  if (ui.at !== store.shown.at) { ui.parts = []; ui.body.replaceChildren(); ui.at = store.shown.at; ui.ask(null); }
  parts.forEach((part, i) => {
    let made = ui.parts[i];
    if (made?.name !== nameOf(part)) {
      const old = made;
      made = ui.parts[i] = { name: nameOf(part), ...MAKE[part.kind](part, ui, store) };
      if (old) ui.body.replaceChild(made.node, old.node); else ui.body.append(made.node);
    }
    made.update(part);
  });
  for (const made of ui.parts.splice(parts.length)) made.node.remove();
};

const draw = (el, ui, store) => {
  const { shown, status } = store;
  setText(ui.title, shown.title);
  ui.back.hidden = !status.back;
  ui.back.disabled = ui.refresh.disabled = store.busy();
  drawParts(ui, store);
  const line = store.live ? status.line : { kind: "error", text: "The kernel is gone. Run the cell again to go on; what was saved is kept." };
  ui.line.hidden = !line;
  ui.line.dataset.kind = line?.kind ?? "";
  setText(ui.line, line?.text ?? "");
  ui.working.hidden = !store.live || !(store.waiting || status.busy);
  ui.yes.disabled = store.busy();
  const told = (status.seen[store.page] ?? 0) === store.seq && !store.timer;
  Object.assign(el.dataset, { typed: Object.keys(store.edits).length ? (told ? "told" : "here") : "", at: shown.at, rev: status.rev, busy: store.busy() && store.live, live: store.live, ready: "1" });
};

const build = (el, store) => {
  const ui = { parts: [], at: null };
  const head = add(el, "div", "head");
  ui.back = addButton(head, "link", "‹ Back", "", store.back);
  ui.title = add(head, "h3", "title");
  ui.working = add(head, "span", "help", "working …");
  ui.refresh = addButton(head, "link", "↻", "Show what is there now", store.refresh);
  ui.body = add(el, "div", "body");
  const sure = add(ui.body, "div", "sure"), question = add(sure, "span", "sure-words");
  sure.setAttribute("role", "alertdialog");
  question.id = `airochat-sure-${++ids}`;
  sure.setAttribute("aria-labelledby", question.id);
  let asked = null;
  ui.ask = (what) => {
    const before = asked;
    asked = what;
    sure.hidden = !what;
    // Beside what was pressed, so that nobody has to look for it.
    if (what) (what.node.closest(".airochat-body > *") ?? ui.body.lastChild).after(sure);
    setText(question, what?.button.confirm ?? "");
    setText(ui.yes, what?.button.label ?? "");
    if (what) ui.no.focus(); else before?.node.focus({ preventScroll: true });
  };
  ui.press = (button, row, node) => {
    if (store.busy()) return;
    if (button.confirm) ui.ask({ button, row, node }); else { ui.ask(null); store.act(button.name, row); }
  };
  ui.yes = addButton(sure, "button", "", "", () => { const { button, row } = asked; ui.ask(null); store.act(button.name, row); });
  ui.no = addButton(sure, "link", "Cancel", "", () => ui.ask(null));
  sure.addEventListener("keydown", (event) => { if (event.key === "Escape") ui.ask(null); });
  sure.hidden = true;
  ui.line = add(el, "div", "line");
  ui.line.setAttribute("role", "status");
  return ui;
};

export default () => {
  const store = makeStore();
  return {
    initialize({ model, signal }) { connect(store, model, signal); },
    render({ el }) {
      el.classList.add("airochat", "airochat-panel");
      // Lab listens while the event bubbles; Notebook 7 before. Both are needed.
      el.setAttribute("data-lm-suppress-shortcuts", "true");
      el.addEventListener("keydown", (event) => event.stopPropagation());
      const ui = build(el, store), redraw = () => draw(el, ui, store);
      store.views.add(redraw);
      redraw();
      return () => store.views.delete(redraw);
    },
  };
};
