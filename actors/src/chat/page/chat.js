// SPDX-License-Identifier: BSD-3-Clause
// The chat in a browser: says lines as one would type them into a terminal, and hears events as JSON.
// Whatever others have written goes to the page as text (textContent), never as HTML.
"use strict";

const $ = (id) => document.getElementById(id);
const make = (tag, className, text) => {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
};
const LINE_LIMIT = 1000; // bytes
const KEPT_HERE = 500; // entries of a conversation
const GROUP = 5 * 60e3; // ms in which lines of one person stand together
const bytes = (text) => new TextEncoder().encode(text).length;
const same = (a, b) => fold(a) === fold(b);
const fold = (name) => name.replace(/[A-Z]/g, (c) => c.toLowerCase());

const chat = {
  socket: null, nick: "", wanted: "", inside: false, leaving: false,
  room: "", // where one is
  view: "", // what is looked at: the room, or "@nick"
  home: "", // the first room
  rooms: [], people: new Set(),
  talks: new Map(), // view -> {entries, ids, unread}
  waiting: [], // one's own lines that are not yet shown by the server
  attempt: 0, timer: null, poll: null,
};

function talk(view) {
  if (!chat.talks.has(view)) chat.talks.set(view, { entries: [], ids: new Set(), unread: 0 });
  return chat.talks.get(view);
}

// -- the connection

function connect() {
  clearTimeout(chat.timer);
  state("", "connecting…");
  const url = new URL("chat", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(url);
  chat.socket = socket;
  socket.onopen = () => socket.send(chat.wanted);
  socket.onmessage = (m) => {
    if (chat.socket === socket) for (const line of m.data.split("\n")) hear(JSON.parse(line));
  };
  socket.onclose = () => {
    if (chat.socket === socket) lost();
  };
}

function lost() {
  chat.socket = null;
  clearInterval(chat.poll);
  const was = chat.inside;
  chat.inside = false;
  if (chat.leaving || (!was && document.body.classList.contains("outside"))) {
    if (!chat.leaving) door("The chat does not answer. Try again in a moment.");
    chat.leaving = false;
    return;
  }
  state("off", "offline");
  // 0.5 s, 1 s, ... 15 s, and some chance, so that not all come back at once
  const delay = Math.min(15e3, 500 * 2 ** chat.attempt++) * (0.7 + 0.6 * Math.random());
  const at = Date.now() + delay;
  clearTimeout(chat.timer);
  const tick = () => {
    const left = Math.ceil((at - Date.now()) / 1000);
    if (left <= 0) return connect();
    banner("bad", `Connection lost. Trying again in ${left} s.`, "Now", connect);
    chat.timer = setTimeout(tick, Math.min(1000, at - Date.now()));
  };
  tick();
}

function send(line) {
  if (chat.socket && chat.socket.readyState === WebSocket.OPEN) chat.socket.send(line);
}

// -- what is heard

function hear(e) {
  switch (e.what) {
    case "notice": return heardNotice(e);
    case "welcome": return welcome(e);
    case "entered": return entered(e);
    case "line": return heardLine(e);
    case "whisper": return heardWhisper(e);
    case "joined": return changed(e, true);
    case "left": return changed(e, false);
    case "members":
      if (e.room === chat.room) chat.people = new Set(e.names || []);
      return showPeople();
    case "rooms":
      chat.rooms = (e.names || []).map((n) => {
        const blank = n.lastIndexOf(" ");
        return { name: n.slice(0, blank), people: Number(n.slice(blank + 1)) };
      });
      return showRooms();
    case "trouble": return banner("warn", `History is not kept right now: ${e.text || "the store is in trouble"}`);
    case "recovered":
      banner();
      return note(chat.room, "History is kept again." + (e.text ? ` ${e.text}.` : ""));
    case "goodbye":
      if (e.text) note(chat.room, e.text);
  }
}

function heardNotice(e) {
  const text = e.text || "";
  if (chat.inside) {
    if (text.startsWith("your line was dropped") || text.startsWith("the line was dropped")) {
      const bad = chat.waiting.shift();
      if (bad) { bad.failed = text; redraw(); return; }
    }
    return note(chat.view, text);
  }
  if (text.startsWith("welcome!")) return;
  const socket = chat.socket;
  if (!document.body.classList.contains("outside") && text.includes("is taken") && chat.attempt < 6) {
    socket.close(); // one's own old connection has not been missed yet
    return;
  }
  chat.socket = null;
  socket.close();
  door(text);
}

function welcome(e) {
  chat.nick = e.nick;
  chat.inside = true;
  chat.back = chat.room && chat.room !== chat.home ? chat.room : "";
  chat.attempt = 0;
  remember("nick", e.nick);
  document.body.classList.remove("outside");
  $("door").hidden = true;
  $("chat").hidden = false;
  $("me").textContent = e.nick;
  state("on", "online");
  banner();
  clearInterval(chat.poll);
  chat.poll = setInterval(() => document.hidden || send("/rooms"), 10e3);
}

function entered(e) {
  if (!chat.home) chat.home = e.room;
  if (chat.back) { // back to where one was when the connection broke
    const room = chat.back;
    chat.back = "";
    return send(`/join ${room}`);
  }
  const follow = chat.view === "" || chat.view === chat.room || chat.view === chat.asked;
  chat.room = e.room;
  chat.asked = "";
  chat.people = new Set(e.names || []);
  // a line that was under way when the connection broke is in the history, or was not said
  for (const mine of chat.waiting.splice(0)) {
    const t = talk(mine.view);
    const said = t.entries.some((x) => x.id > mine.sent && x.nick === chat.nick && x.text === mine.text);
    if (said) t.entries = t.entries.filter((x) => x !== mine);
    else mine.failed = "not sent";
  }
  if (follow) look(e.room);
  showPeople();
  send("/rooms");
}

function heardLine(e) {
  const t = talk(e.room);
  if (t.ids.has(e.id)) return;
  if (!e.old && e.nick === chat.nick) {
    const mine = chat.waiting.shift();
    if (mine) t.entries = t.entries.filter((x) => x !== mine);
  }
  t.ids.add(e.id);
  add(e.room, { ...e, kind: "line", at: e.id / 1000 });
}

function heardWhisper(e) {
  const other = same(e.nick, chat.nick) ? e.to : e.nick;
  const view = "@" + other;
  add(view, { ...e, kind: "line", at: Date.now(), kept: true });
  if (chat.view !== view) talk(view).unread++;
  showPrivate();
}

function changed(e, here) {
  if (e.room !== chat.room) return;
  if (here) chat.people.add(e.nick);
  else chat.people.delete(e.nick);
  if (!(here && e.nick === chat.nick))
    note(e.room, `${e.nick} has ${here ? "joined" : "left"}${e.text ? ` (${e.text})` : ""}`);
  showPeople();
  clearTimeout(chat.soon);
  chat.soon = setTimeout(() => send("/rooms"), 400 + 800 * Math.random());
}

// -- what is said

function say(text) {
  const line = text.replace(/\s*\n\s*/g, " ").trim();
  if (!line) return true;
  if (bytes(line) > LINE_LIMIT) return false;
  if (!chat.inside) return false;
  const to = chat.view.startsWith("@") ? chat.view.slice(1) : "";
  if (line === "/quit") leave();
  else if (line.startsWith("/join ")) join(line.slice(6).trim());
  else if (line.startsWith("/")) send(line);
  else if (to) send(`/msg ${to} ${line}`);
  else {
    const mine = { kind: "line", nick: chat.nick, text: line, at: Date.now(), sent: (Date.now() - 60e3) * 1000, view: chat.room };
    chat.waiting.push(mine);
    add(chat.room, mine);
    toEnd();
    send(line);
  }
  return true;
}

function join(room) {
  if (!room) return;
  if (room === chat.room) return look(room);
  chat.asked = room;
  look(chat.room);
  send(`/join ${room}`);
}

function leave() {
  chat.leaving = true;
  chat.room = chat.view = "";
  chat.talks.clear();
  chat.waiting = [];
  clearTimeout(chat.timer);
  if (chat.socket) { send("/quit"); chat.socket.close(); }
  door("");
}

// -- what is seen

function door(error) {
  document.body.classList.add("outside");
  $("door").hidden = false;
  $("chat").hidden = true;
  $("door-error").textContent = error ? error[0].toUpperCase() + error.slice(1) : "";
  $("enter").disabled = false;
  document.title = "Chat";
  $("nick").focus();
}

function state(className, text) {
  $("state").className = "state " + className;
  $("state").textContent = text;
}

function banner(kind, text, action, act) {
  const b = $("banner");
  b.hidden = !text;
  b.className = kind === "bad" ? "bad" : "";
  b.textContent = text || "";
  if (action) {
    const button = make("button", "", action);
    button.onclick = act;
    b.append(button);
  }
}

function note(view, text) { add(view, { kind: "note", text, at: Date.now() }); }

function add(view, entry) {
  const t = talk(view);
  const last = t.entries[t.entries.length - 1];
  const place = entry.id && last && last.at > entry.at ? t.entries.findIndex((x) => x.at > entry.at) : -1;
  if (place >= 0) t.entries.splice(place, 0, entry); // history that comes late
  else t.entries.push(entry);
  if (t.entries.length > KEPT_HERE) t.entries.splice(0, t.entries.length - KEPT_HERE);
  if (view !== chat.view) return;
  if (document.hidden && entry.kind === "line" && !entry.old) {
    chat.missed = (chat.missed || 0) + 1;
    title();
  }
  redraw();
}

let drawing = false;
function redraw() { // at most once a frame, however much comes
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(draw);
  setTimeout(draw, 200); // a hidden page has no frames
}

function draw() {
  if (!drawing) return;
  drawing = false;
  const log = $("log");
  const atEnd = isAtEnd();
  const entries = talk(chat.view).entries;
  const items = [];
  let before = null;
  let day = "";
  for (const e of entries) {
    const today = new Date(e.at).toDateString();
    if (today !== day) {
      day = today;
      if (e.kind === "line" || before) items.push(e.dayItem ||= make("li", "day", dayName(e.at)));
      before = null;
    }
    items.push(item(e, before));
    before = e;
  }
  if (!entries.some((e) => e.kind === "line")) items.push(empty());
  // what is there already stays: who listens hears only what is new
  items.forEach((e, i) => log.children[i] === e || log.insertBefore(e, log.children[i] || null));
  while (log.children.length > items.length) log.lastChild.remove();
  if (atEnd) toEnd();
  else $("newer").hidden = false;
}

function empty() {
  return make("li", "empty", chat.view.startsWith("@") ? `Only ${chat.view.slice(1)} and you can see this. It is not kept.`
    : "Nothing has been said here yet.");
}

function item(e, before) {
  if (e.kind === "note") return (e.element ||= make("li", "note", e.text));
  const more = before && before.kind === "line" && before.nick === e.nick && e.at - before.at < GROUP;
  const key = `${more} ${e.failed || ""} ${e.id || ""}`;
  if (e.element && e.key === key) return e.element;
  e.key = key;
  const li = make("li", "line");
  li.classList.toggle("more", Boolean(more));
  li.classList.toggle("mine", e.nick === chat.nick);
  li.style.setProperty("--hue", hue(e.nick));
  const by = make("div", "by");
  const name = make("strong", "", e.nick);
  name.dir = "auto";
  const time = make("time", "", new Date(e.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  time.dateTime = new Date(e.at).toISOString();
  by.append(name, time);
  const what = make("div", "what");
  what.dir = "auto";
  linked(what, e.text || "");
  if (e.failed) mark(li, what, "failed", e.failed, e);
  else if (e.view) li.classList.add("pending");
  else if (!e.kept) mark(li, what, "unkept", "not kept");
  li.append(face(e.nick), by, what);
  e.element = li;
  return li;
}

function mark(li, what, className, text, again) {
  li.classList.add(className);
  const m = make("span", "mark", "⚠ " + text + " ");
  if (again) {
    const button = make("button", "", "Say it again");
    button.onclick = () => {
      const t = talk(again.view);
      t.entries = t.entries.filter((x) => x !== again);
      say(again.text);
      redraw();
    };
    m.append(button);
  }
  what.append(m);
}

function linked(to, text) {
  let at = 0;
  for (const m of text.matchAll(/https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}]/g)) {
    to.append(text.slice(at, m.index));
    const a = make("a", "", m[0]);
    a.href = m[0];
    a.target = "_blank";
    a.rel = "noopener noreferrer nofollow";
    to.append(a);
    at = m.index + m[0].length;
  }
  to.append(text.slice(at));
}

function hue(name) {
  let h = 0;
  for (const c of fold(name)) h = (h * 31 + c.codePointAt(0)) % 360;
  return h;
}

function face(name) {
  const f = make("span", "face", [...name][0].toUpperCase());
  f.setAttribute("aria-hidden", "true");
  f.style.setProperty("--hue", hue(name));
  return f;
}

function dayName(at) {
  const day = new Date(at);
  if (day.toDateString() === new Date().toDateString()) return "Today";
  return day.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long", year: "numeric" });
}

function look(view) {
  chat.view = view;
  talk(view).unread = 0;
  const secret = view.startsWith("@");
  $("where-mark").textContent = secret ? "@" : "#";
  $("where").textContent = secret ? view.slice(1) : view;
  $("text").placeholder = secret ? `Tell ${view.slice(1)}, in private` : `Say something in ${view}`;
  $("newer").hidden = true;
  $("log").replaceChildren();
  title();
  redraw();
  showRooms();
  showPrivate();
  closePanels();
  requestAnimationFrame(toEnd);
}

function title() {
  const place = chat.view.startsWith("@") ? chat.view : "#" + chat.view;
  document.title = (chat.missed ? `(${chat.missed}) ` : "") + (chat.view ? `${place} – Chat` : "Chat");
}

function isAtEnd() {
  const log = $("log");
  return log.scrollHeight - log.scrollTop - log.clientHeight < 60;
}

function toEnd() {
  chat.atEnd = true;
  const log = $("log");
  log.scrollTop = log.scrollHeight;
  $("newer").hidden = true;
}

function entry(label, number, current, act, unread, withFace) {
  const li = make("li");
  const b = make("button");
  if (withFace) b.append(face(label));
  const l = make("span", "label", withFace ? label : "# " + label);
  l.dir = "auto";
  b.append(l);
  if (number) b.append(make("span", "number", number));
  if (unread) b.append(make("span", "badge", String(unread)));
  if (current) b.setAttribute("aria-current", "true");
  b.onclick = act;
  li.append(b);
  return li;
}

function showRooms() {
  let rooms = chat.rooms;
  if (chat.room && !rooms.some((r) => r.name === chat.room)) rooms = [...rooms, { name: chat.room, people: chat.people.size }];
  $("rooms").replaceChildren(...rooms.map((r) =>
    entry(r.name, String(r.name === chat.room ? chat.people.size : r.people), r.name === chat.view, () => join(r.name))));
}

function showPrivate() {
  const views = [...chat.talks.keys()].filter((v) => v.startsWith("@"));
  $("private-title").hidden = views.length === 0;
  $("private").replaceChildren(...views.map((v) =>
    entry(v.slice(1), "", v === chat.view, () => look(v), talk(v).unread, true)));
  const unread = views.reduce((n, v) => n + talk(v).unread, 0);
  $("rooms-badge").hidden = unread === 0;
  $("rooms-badge").textContent = String(unread);
}

function showPeople() {
  const names = [...chat.people].sort((a, b) => a.localeCompare(b));
  $("count").textContent = String(names.length);
  $("people").replaceChildren(...names.map((n) => {
    const me = n === chat.nick;
    const li = entry(n, me ? "you" : "", false, () => {
      if (me) return;
      look("@" + n);
      $("text").focus();
    }, 0, true);
    if (!me) li.firstChild.title = `Talk to ${n} in private`;
    return li;
  }));
  showRooms();
}

function closePanels() {
  for (const [button, panel] of [["show-rooms", "rooms-panel"], ["show-people", "people-panel"]]) {
    $(panel).classList.remove("open");
    $(button).setAttribute("aria-expanded", "false");
  }
  $("shade").hidden = true;
}

function openPanel(button, panel) {
  const open = !$(panel).classList.contains("open");
  closePanels();
  if (!open) return;
  $(panel).classList.add("open");
  $(button).setAttribute("aria-expanded", "true");
  $("shade").hidden = false;
  $(panel).querySelector("button, input").focus();
}

// -- what is remembered, on this machine alone

function remember(key, value) {
  try { localStorage.setItem("chat." + key, value); } catch { /* not allowed to */ }
}
function remembered(key) {
  try { return localStorage.getItem("chat." + key) || ""; } catch { return ""; }
}

function theme(name) { document.documentElement.dataset.theme = name; }

// -- the beginning

theme(remembered("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (e) =>
  remembered("theme") || theme(e.matches ? "dark" : "light"));
$("theme").onclick = () => {
  theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  remember("theme", document.documentElement.dataset.theme);
};

$("nick").value = remembered("nick");
$("door-form").onsubmit = (e) => {
  e.preventDefault();
  chat.wanted = $("nick").value.trim();
  if (!chat.wanted) return;
  $("door-error").textContent = "";
  $("enter").disabled = true;
  chat.leaving = false;
  chat.attempt = 0;
  connect();
};

const text = $("text");
function fit() {
  text.style.height = "auto";
  text.style.height = `${Math.min(text.scrollHeight + 2, 144)}px`;
  const size = bytes(text.value);
  $("too-long").textContent = size > LINE_LIMIT ? `Too long: ${size} of ${LINE_LIMIT} bytes` : "";
  $("send").disabled = size > LINE_LIMIT;
}
text.oninput = fit;
text.onkeydown = (e) => {
  if (e.key !== "Enter" || e.shiftKey || e.isComposing) return;
  e.preventDefault();
  $("say-form").requestSubmit();
};
$("say-form").onsubmit = (e) => {
  e.preventDefault();
  if (say(text.value)) text.value = "";
  fit();
};
$("join-form").onsubmit = (e) => {
  e.preventDefault();
  join($("join-name").value.trim());
  $("join-name").value = "";
};
$("leave").onclick = leave;
$("newer").onclick = toEnd;
$("log").onscroll = () => {
  chat.atEnd = isAtEnd();
  if (chat.atEnd) $("newer").hidden = true;
};
new ResizeObserver(() => chat.atEnd && toEnd()).observe($("log"));
$("show-rooms").onclick = () => openPanel("show-rooms", "rooms-panel");
$("show-people").onclick = () => openPanel("show-people", "people-panel");
$("shade").onclick = closePanels;
addEventListener("keydown", (e) => e.key === "Escape" && closePanels());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  chat.missed = 0;
  title();
  if (chat.inside) send("/rooms");
});
addEventListener("online", () => chat.socket || !chat.nick || document.body.classList.contains("outside") || connect());
