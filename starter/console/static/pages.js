// The pages work without this file. With it, a form of a decision opens over the page that it was asked from.
(() => {
  "use strict";
  const sheet = document.createElement("dialog");
  sheet.id = "sheet";
  sheet.className = "sheet";
  sheet.setAttribute("aria-labelledby", "act-title");
  document.body.append(sheet);

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target !== sheet || !sheet.firstElementChild) return;
    if (!sheet.open) sheet.showModal();
    sheet.scrollTop = 0;
  });
  sheet.addEventListener("click", (event) => {
    if (!event.target.closest("[data-close]")) return;
    event.preventDefault();
    sheet.close();
  });
  sheet.addEventListener("close", () => sheet.replaceChildren());

  // A form that decides is sent once, however often its button is pressed.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-once]") || event.defaultPrevented) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("[data-sent]").forEach((form) => delete form.dataset.sent));
})();
