"use strict";
(() => {
  const button = document.getElementById("copy"), code = document.getElementById("edits");
  if (!button || !code) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const told = document.getElementById("copied");
    try {
      await navigator.clipboard.writeText(code.textContent);
      told.textContent = "Copied.";
    } catch {
      // Pages from disk may not reach the clipboard in every browser: mark the text instead.
      getSelection().selectAllChildren(code);
      told.textContent = document.execCommand("copy") ? "Copied." : "Marked; copy it with Ctrl+C.";
    }
  });
})();
