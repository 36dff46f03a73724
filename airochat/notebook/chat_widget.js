// One chat: the messages, the growing reply, a composer. The store is made once per model; every view draws it.
// Messages of the kernel: `full` {rev, state, draft} and `change` {rev, splice, text, grown, set, back}, see transcript.py.
const EMPTY = { messages: [], earlier: 0, horizon: null, running: null, swipe: null, cards: [], replies: 1, model: "", why: "", partner: "", activity: "", progress: null, line: null, question: null };

const makeStore = () => ({
  rev: -1, state: EMPTY, draft: "", live: true, synced: false, asked: 0, pending: [], panels: "", views: new Set(), send: () => false,
});

const connect = (store, model, signal) => {
  const redraw = () => store.views.forEach((draw) => draw());
  const lost = () => { store.live = false; redraw(); };
  store.send = (message) => {
    try { model.send(message); return true; } catch { lost(); return false; }
  };
  const resync = () => {
    // Asked again after a while, since the answer can be lost like anything else.
    if (Date.now() < store.asked + 2000) return;
    store.asked = Date.now();
    store.send({ type: "resync" });
  };
  const takeFull = (full) => {
    if (!full?.state || full.rev <= store.rev) return;
    store.rev = full.rev;
    store.state = { ...EMPTY, ...full.state };
  };
  const takeChange = (change) => {
    if (change.rev <= store.rev) return true;
    if (change.rev !== store.rev + 1) return false;
    const state = { ...store.state, ...change.set };
    if (change.splice) state.messages = state.messages.slice(0, change.splice[0]).concat(change.splice[1]);
    if (change.text) state.running = { ...state.running, text: state.running.text + change.text };
    if (change.grown) state.cards = state.cards.map((card) => ({ ...card }));
    for (const [i, text] of change.grown ?? []) state.cards[i].text += text;
    if (change.back && !store.draft) store.draft = change.back;
    store.rev = change.rev;
    store.state = state;
    return true;
  };
  const onMessage = (message) => {
    if (message.type === "full") {
      store.asked = 0;
      store.draft ||= store.synced ? "" : message.draft;
      store.synced = true;
      takeFull(message);
    } else if (message.type === "change") store.pending.push(message);
    store.pending = store.pending.filter((change) => !takeChange(change));
    if (store.pending.length) resync();
    redraw();
  };
  const onPanels = () => { const id = model.get("panels"); store.panels = typeof id === "string" ? id : ""; redraw(); };
  store.showPanels = async (id, place) => {
    const manager = model.widget_manager, view = await manager.create_view(await manager.get_model(id), {});
    if (place.airochat === id) place.replaceChildren(view.el); else view.remove();
  };
  const onSnapshot = () => { takeFull(model.get("snapshot")); redraw(); };
  model.on("change:snapshot", onSnapshot);
  model.on("change:panels", onPanels);
  model.on("msg:custom", onMessage);
  model.on("comm_live_update", lost);
  signal?.addEventListener("abort", () => {
    model.off("change:snapshot", onSnapshot);
    model.off("change:panels", onPanels);
    model.off("msg:custom", onMessage);
    model.off("comm_live_update", lost);
  });
  takeFull(model.get("snapshot"));
  onPanels();
  resync();
};

const add = (parent, tag, name, text = "") => {
  const node = parent.appendChild(document.createElement(tag));
  node.className = "airochat-" + name;
  node.textContent = text;
  return node;
};

const addButton = (parent, name, text, label, act) => {
  const button = add(parent, "button", name, text);
  button.type = "button";
  button.title = label;
  if (label) button.setAttribute("aria-label", label);
  button.addEventListener("click", act);
  return button;
};

const addMessage = (parent, message) => {
  const node = add(parent, "article", "message");
  node.dataset.role = message.role ?? "assistant";
  const head = add(node, "div", "name", message.name);
  if (message.note) add(head, "span", "note", message.note);
  const body = add(node, "div", "text");
  // The kernel has cleaned this HTML (markdown.py); a growing reply is never parsed.
  if (message.html !== undefined) body.innerHTML = message.html;
  return node;
};

const drawMessages = (list, messages, horizon) => {
  messages.forEach((message, i) => {
    let node = list.children[i];
    if (node?.airochat !== message) {
      const old = node;
      node = addMessage(list, message);
      node.airochat = message;
      if (old) list.replaceChild(node, old);
    }
    node.classList.toggle("airochat-horizon", message.id === horizon);
  });
  while (list.children.length > messages.length) list.lastChild.remove();
};

const setText = (node, text) => {
  if (!node.firstChild) node.append("");
  const old = node.firstChild;
  if (text.startsWith(old.data)) old.appendData(text.slice(old.data.length));
  else old.data = text;
};

const drawCards = (place, s, show) => {
  const shown = s.running ? s.running.id : s.messages.at(-1)?.id;
  place.hidden = !s.cards.length;
  while (place.children.length > s.cards.length) place.lastChild.remove();
  s.cards.forEach((card, i) => {
    let node = place.children[i];
    if (!node) {
      node = addButton(place, "card", "", "", () => show(node.airochat));
      add(node, "span", "number", `${i + 1}`);
      add(add(node, "span", "preview"), "span", "words");
    }
    node.airochat = card.id;
    node.setAttribute("aria-pressed", card.id === shown);
    node.title = `Alternative ${i + 1} of ${s.cards.length}`;
    setText(node.lastChild.firstChild, card.id === s.running?.id ? s.running.text : card.text);
  });
};

const drawRunning = (place, running) => {
  if (!running) { place.replaceChildren(); return; }
  if (place.firstChild?.airochat !== running.id) {
    place.replaceChildren();
    const node = addMessage(place, { name: running.name });
    node.airochat = running.id;
    node.classList.add("airochat-growing");
  }
  setText(place.firstChild.lastChild, running.text);
};

const ANSWERS = [["once", "Yes, once"], ["chat", "In this chat"], ["always", "Always"], ["no", "No"], ["never", "Never"]];

const drawQuestion = (place, question, answer) => {
  place.hidden = !question;
  if (place.airochat === question?.id) return;
  place.airochat = question?.id;
  place.replaceChildren();
  if (!question) return;
  add(place, "div", "asks", `May the model use ${question.title}?`);
  add(place, "div", "about", `by the plugin ${question.plugin} · ${question.about}`);
  add(place, "pre", "arguments", question.arguments);
  for (const [word, text] of ANSWERS) addButton(place, "button", text, "", () => answer(question.id, word));
};

const build = (el, store) => {
  const ui = {};
  ui.log = add(el, "div", "log");
  ui.log.tabIndex = 0;
  ui.log.setAttribute("role", "log");
  ui.log.setAttribute("aria-label", "Conversation");
  const page = add(ui.log, "div", "page");
  ui.earlier = addButton(page, "link", "", "Show earlier messages", () => store.send({ type: "earlier" }));
  ui.list = add(page, "div", "list");
  ui.growing = add(page, "div", "list");
  ui.cards = add(page, "div", "cards");
  ui.cards.setAttribute("role", "group");
  ui.cards.setAttribute("aria-label", "Alternatives");
  ui.cards.setAttribute("aria-live", "off");
  ui.bar = add(page, "div", "bar");
  ui.previous = addButton(ui.bar, "link", "‹", "Previous alternative", () => store.send({ type: "previous" }));
  ui.count = addButton(ui.bar, "link airochat-count", "", "", () => store.send({ type: "cards" }));
  ui.count.title = "Show the alternatives side by side";
  ui.next = addButton(ui.bar, "link", "›", "Next alternative", () => store.send({ type: "next" }));
  ui.again = addButton(ui.bar, "link", "again", "Write another reply", () => store.send({ type: "again" }));
  ui.activity = add(ui.bar, "span", "activity");
  ui.question = add(el, "div", "question");
  ui.question.setAttribute("role", "alertdialog");
  ui.question.setAttribute("aria-label", "The model wants to use a tool");
  ui.line = add(el, "div", "line");
  ui.line.setAttribute("role", "alert");
  ui.progress = add(el, "div", "progress");
  const composer = add(el, "div", "composer");
  ui.input = add(composer, "textarea", "input");
  ui.input.rows = 1;
  ui.input.setAttribute("aria-label", "Message");
  ui.replies = add(composer, "select", "replies");
  ui.replies.setAttribute("aria-label", "Replies at once");
  for (let n = 1; n <= 16; n++) add(ui.replies, "option", "", n === 1 ? "1 reply" : `${n} replies`).value = n;
  ui.stop = addButton(composer, "button", "Stop", "Stop the reply (Escape)", () => store.send({ type: "stop" }));
  ui.sendButton = addButton(composer, "button", "Send", "Send the message (Enter)", () => {});
  const foot = add(el, "div", "foot");
  ui.model = add(foot, "span", "model");
  ui.turnPanels = addButton(foot, "link", "panels", "Panels of plugins, and their settings", () => store.send({ type: "panels" }));
  ui.hint = add(foot, "span", "hint");
  ui.panels = add(el, "div", "panels");
  ui.panels.airochat = "";
  return ui;
};

const drawPanels = (place, store) => {
  if (place.airochat === store.panels) return;
  place.airochat = store.panels;
  place.replaceChildren();
  // A saved notebook may name one that is gone with its kernel.
  if (store.panels) store.showPanels(store.panels, place).catch(() => {});
};

const draw = (el, ui, store) => {
  const s = store.state, busy = !!s.running;
  drawMessages(ui.list, s.messages, s.horizon);
  drawRunning(ui.growing, s.running);
  drawCards(ui.cards, s, (id) => store.send({ type: "show", id }));
  ui.earlier.hidden = !s.earlier;
  ui.earlier.textContent = `show earlier · ${s.earlier}`;
  ui.count.textContent = s.swipe ? `${s.swipe[0]} of ${s.swipe[1]}` : "";
  for (const node of [ui.previous, ui.count, ui.next]) node.hidden = !s.swipe || s.swipe[1] < 2;
  ui.previous.disabled = !s.swipe || s.swipe[0] <= 1;
  ui.next.disabled = !s.swipe || s.swipe[0] >= s.swipe[1];
  ui.again.hidden = busy || !s.messages.length || !store.live;
  ui.activity.textContent = s.activity;
  drawQuestion(ui.question, store.live ? s.question : null, (id, word) => store.send({ type: "approve", id, answer: word }));
  const line = store.live ? s.line : { kind: "error", text: "The kernel is gone.", hint: "Run the cell again to go on; your chats are kept." };
  ui.line.hidden = !line;
  ui.line.dataset.kind = line?.kind ?? "";
  ui.line.textContent = line ? `${line.text} ${line.hint}`.trim() : "";
  ui.progress.hidden = s.progress === null;
  ui.progress.style.setProperty("--done", s.progress ?? 0);
  ui.replies.value = s.replies;
  ui.replies.disabled = !store.live;
  ui.stop.hidden = !busy;
  ui.sendButton.hidden = busy;
  ui.stop.disabled = ui.sendButton.disabled = ui.input.disabled = !store.live;
  ui.input.placeholder = s.messages.length ? `Write a message, or press enter to let ${s.partner} go on` : "Write the first message";
  drawPanels(ui.panels, store);
  ui.turnPanels.disabled = !store.live;
  ui.turnPanels.setAttribute("aria-expanded", !!store.panels);
  ui.model.textContent = s.model;
  ui.model.title = s.why;
  ui.hint.textContent = busy ? "esc stop" : "enter send · shift+enter new line";
  Object.assign(el.dataset, { rev: store.rev, busy, live: store.live, ready: "1" });
};

const wireComposer = (ui, store) => {
  const fit = () => { ui.input.style.height = "auto"; ui.input.style.height = Math.min(ui.input.scrollHeight, 200) + "px"; };
  let timer = 0;
  const keepDraft = () => { clearTimeout(timer); timer = 0; store.send({ type: "draft", text: store.draft }); };
  const submit = () => {
    const text = ui.input.value;
    if (store.state.running || (!text.trim() && !store.state.messages.length)) return;
    clearTimeout(timer);
    if (store.send({ type: "send", text })) { ui.input.value = store.draft = ""; fit(); }
  };
  ui.input.addEventListener("input", () => {
    store.draft = ui.input.value;
    fit();
    clearTimeout(timer);
    timer = setTimeout(keepDraft, 500);
  });
  ui.input.addEventListener("keydown", (event) => {
    // Lab listens while the event bubbles; Notebook 7 before, hence the attribute in `render`. Both are needed.
    event.stopPropagation();
    const empty = !ui.input.value, arrow = { ArrowLeft: ui.previous, ArrowRight: ui.next }[event.key];
    if (event.key === "Escape" && store.state.running) ui.stop.click();
    else if (arrow && empty && !arrow.hidden) arrow.click();
    else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit();
    else return;
    event.preventDefault();
  });
  ui.replies.addEventListener("keydown", (event) => event.stopPropagation());
  ui.replies.addEventListener("change", () => store.send({ type: "replies", n: +ui.replies.value }));
  ui.sendButton.addEventListener("click", () => { submit(); ui.input.focus(); });
  return fit;
};

export default () => {
  const store = makeStore();
  return {
    initialize({ model, signal }) { connect(store, model, signal); },
    render({ el }) {
      el.classList.add("airochat");
      el.setAttribute("data-lm-suppress-shortcuts", "true");
      const ui = build(el, store);
      const fit = wireComposer(ui, store);
      const redraw = () => {
        if (!ui.input.value && store.draft) { ui.input.value = store.draft; fit(); }
        draw(el, ui, store);
      };
      store.views.add(redraw);
      redraw();
      return () => store.views.delete(redraw);
    },
  };
};
