"use strict";
/* Follows the runs of a page. On a new state the page is loaded in the background, and the parts
   marked data-live that differ are taken over; what a person has opened, typed or focused stays. */
(() => {
  const box = document.getElementById("live");
  const words = document.getElementById("live-words");
  const pause = document.getElementById("live-pause");
  const runs = (box.dataset.runs || "").split(" ").filter(Boolean);
  const query = (since) => {
    const found = new URLSearchParams(runs.map((run) => ["run", run]));
    if (since) found.set("since", since);
    return found.toString();
  };
  const POLL = 3000;
  let mark = box.dataset.mark;
  let stream = null;
  let timer = 0;
  let retry = 0;
  /* There is a newer state than the one shown. */
  let stale = false;
  let paused = false;
  let busy = false;
  let wanted = false;
  let asking = false;
  /* What was said last stays: a round is several entries, and the next one would wipe it off. */
  let heard = "";

  const say = (text, kind) => {
    box.dataset.state = kind;
    if (words.textContent !== text) words.textContent = text;
  };

  const chosen = (select) => {
    const first = [...select.options].findIndex((each) => each.defaultSelected);
    return select.selectedIndex !== Math.max(first, 0);
  };
  const edited = (region) =>
    region.contains(document.activeElement) && document.activeElement.matches("input, select, textarea") ||
    [...region.querySelectorAll("input:not([type=hidden]), textarea")].some((field) => field.value !== field.defaultValue) ||
    [...region.querySelectorAll("select")].some(chosen);

  const take = (fresh) => {
    const said = [];
    for (const region of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(region.id);
      if (!next) { region.replaceChildren(); continue; }
      if (region.dataset.live === "unless-edited" && edited(region)) continue;
      const open = [...region.querySelectorAll("details[open]")].map((each) => each.id);
      const ticked = [...region.querySelectorAll("input[type=checkbox]:checked")].map((each) => each.value);
      for (const each of next.querySelectorAll("details")) each.open = open.includes(each.id);
      if (region.innerHTML === next.innerHTML && region.dataset.say === next.dataset.say) continue;
      const focus = region.contains(document.activeElement) ? way(document.activeElement, region) : null;
      if (next.dataset.say && next.dataset.say !== region.dataset.say) said.push(next.dataset.say);
      if (next.dataset.say) region.dataset.say = next.dataset.say;
      region.replaceChildren(...[...next.childNodes].map((node) => document.importNode(node, true)));
      for (const each of region.querySelectorAll("input[type=checkbox]")) each.checked = ticked.includes(each.value);
      if (focus) { const again = follow(focus, region); if (again) again.focus({ preventScroll: true }); }
    }
    appear(fresh);
    return said.join(" ");
  };

  /* Sections that were not there when the page was made, such as the first findings. */
  const appear = (fresh) => {
    let before = null;
    for (const next of fresh.querySelectorAll("main > [id]")) {
      const here = document.getElementById(next.id);
      if (here) { before = here; continue; }
      const made = document.importNode(next, true);
      if (before) before.after(made); else document.querySelector("main").prepend(made);
      before = made;
    }
  };

  /* The way from a region to an element, by position: what is rendered again has no other name. */
  const way = (element, region) => {
    const steps = [];
    for (let at = element; at !== region; at = at.parentElement) steps.unshift([...at.parentElement.children].indexOf(at));
    return steps;
  };
  const follow = (steps, region) => steps.reduce((at, step) => at && at.children[step], region);

  const refresh = async () => {
    if (paused) return;
    if (busy) { wanted = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href.split("#")[0], { credentials: "same-origin" });
      if (answer.status === 401) { leave("signed out: load the page again to sign in"); return; }
      /* The page of an error has none of the parts of this one: it must not take their place. */
      if (!answer.ok) throw new Error(answer.statusText);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      /* Paused meanwhile: what is shown stays, and is taken over when a person goes on. */
      if (paused) { stale = true; return; }
      heard = take(fresh) || heard;
      stale = false;
      const now = new Date().toLocaleTimeString("en-GB");
      say(`Following · new at ${now}${heard ? ` · ${heard}` : ""}`, "on");
    } catch (error) {
      stale = true;
      if (paused) return;
      say("Not connected · what is shown is old · trying again", "off");
      clearTimeout(retry);
      retry = setTimeout(refresh, POLL);
    } finally {
      busy = false;
      if (wanted) { wanted = false; stale = true; refresh(); }
    }
  };

  const changed = (state) => {
    if (state === mark) return;
    mark = state;
    refresh();
  };

  const leave = (text) => { paused = true; stop(); pause.hidden = true; say(text, "off"); };

  const stop = () => {
    if (stream) stream.close();
    stream = null;
    asking = false;
    clearTimeout(timer);
    clearTimeout(retry);
  };

  const ask = async () => {
    try {
      const answer = await fetch(`/state?${query()}`, { credentials: "same-origin" });
      if (answer.status === 401) { leave("signed out: load the page again to sign in"); return; }
      changed((await answer.json()).state);
      if (!stale && (!asking || box.dataset.state !== "on")) say("Following, by asking every few seconds", "on");
      asking = true;
    } catch (error) {
      say("Not connected · trying again", "off");
    }
    if (!paused && !document.hidden) timer = setTimeout(ask, POLL);
  };

  const start = () => {
    stop();
    if (paused || document.hidden) return;
    if (stale) refresh();
    if (!window.EventSource) { ask(); return; }
    stream = new EventSource(`/events?${query(mark)}`);
    stream.addEventListener("open", () => { if (!stale && box.dataset.state !== "on") say("Following", "on"); });
    stream.addEventListener("change", (event) => changed(event.data));
    stream.addEventListener("error", () => {
      say("Not connected · trying again", "off");
      /* Closed for good: refused, or something between us that lets no stream through. */
      if (stream && stream.readyState === EventSource.CLOSED) { stop(); timer = setTimeout(ask, POLL); }
    });
  };

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    if (paused) { stop(); say("Paused", "off"); } else { say("Following", "on"); start(); }
  });
  document.addEventListener("visibilitychange", start);
  window.addEventListener("pagehide", stop);
  say("Following", "on");
  start();
})();
