"use strict";
// Every pair of pictures gets a button that shows it larger, the original over what is decoded; without this, both
// stand beside one another.
(() => {
  const dialog = document.getElementById("larger");
  if (!dialog.showModal) return;
  const stage = dialog.querySelector(".stage");
  const slider = dialog.querySelector("input");
  const name = document.getElementById("dialog-name");
  const cut = () => {
    const [, above] = stage.children;
    if (above) above.style.clipPath = `inset(0 ${100 - slider.value}% 0 0)`;
  };
  for (const sample of document.querySelectorAll(".sample")) {
    const pictures = [...sample.querySelectorAll(".compared img")];
    if (!pictures.length) continue;
    const key = sample.querySelector(".key").textContent;
    const show = () => {
      const [decoded, original] = [pictures[pictures.length - 1], pictures.length > 1 ? pictures[0] : null];
      stage.replaceChildren(...[decoded, original].filter(Boolean).map((one) => one.cloneNode()));
      for (const one of stage.children) one.removeAttribute("loading");
      dialog.querySelector(".slider").hidden = !original;
      name.textContent = key;
      slider.value = 50;
      cut();
      dialog.showModal();
    };
    const button = document.createElement("button");
    button.type = "button";
    button.className = "open";
    button.textContent = pictures.length > 1 ? "Compare" : "Larger";
    button.setAttribute("aria-label", `${button.textContent}: ${key}`);
    button.addEventListener("click", show);
    sample.querySelector("figure").append(button);
    for (const picture of pictures) picture.addEventListener("click", show);
  }
  slider.addEventListener("input", cut);
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
})();
