// The desk works without this file. It saves steps: the reader's zone, a question before what cannot be undone, keys.
(() => {
  "use strict";
  const KEYS_OFF = "billhook-keys-off";

  const proposal = document.getElementById("zone-proposal");
  const theirs = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (proposal && theirs && theirs !== proposal.dataset.zone) {
    proposal.querySelector("[data-theirs]").textContent = theirs;
    proposal.querySelector("[data-accept]").value = theirs;
    proposal.hidden = false;
  }

  // A form with data-confirm asks first. The button that was pressed goes along with it.
  const question = document.getElementById("confirm");
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const words = event.submitter?.dataset.confirm || form.dataset.confirm;
    if (!words || !question || form.dataset.confirmed) return;
    event.preventDefault();
    event.stopPropagation();
    question.querySelector("p").textContent = words;
    question.returnValue = "";
    question.addEventListener("close", () => {
      if (question.returnValue !== "yes") return;
      form.dataset.confirmed = "yes";
      form.requestSubmit(event.submitter);
      delete form.dataset.confirmed;
    }, { once: true });
    question.showModal();
  }, true);

  // Keys: rows are [data-row], the link that opens one is [data-open] or the row's first link.
  const help = document.getElementById("keys");
  const rows = () => [...document.querySelectorAll("[data-row]")];
  const link = (row) => row.querySelector("[data-open]") || row.querySelector("a[href]");

  const step = (by) => {
    const all = rows();
    if (!all.length) return;
    const from = all.findIndex((row) => row.contains(document.activeElement));
    const row = all[from < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(from + by, 0), all.length - 1)];
    link(row)?.focus();
    row.scrollIntoView({ block: "nearest" });
  };

  const deeds = {
    j: () => step(1),
    k: () => step(-1),
    "/": () => document.querySelector("[data-search]")?.focus(),
    "?": () => help?.showModal(),
  };

  const writes = (element) => element.matches("input, textarea, select, [contenteditable]") || element.closest("dialog");

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || writes(event.target)) return;
    if (!deeds[event.key] || localStorage.getItem(KEYS_OFF)) return;
    event.preventDefault();
    deeds[event.key]();
  });

  if (help) {
    const shown = document.querySelector("[data-keys]");
    shown.hidden = false;
    shown.addEventListener("click", () => help.showModal());
    const on = help.querySelector("[data-keys-on]");
    on.checked = !localStorage.getItem(KEYS_OFF);
    on.addEventListener("change", () => {
      if (on.checked) localStorage.removeItem(KEYS_OFF);
      else localStorage.setItem(KEYS_OFF, "1");
    });
  }
})();
