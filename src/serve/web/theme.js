// SPDX-License-Identifier: Apache-2.0
// Sets the theme before anything is painted: what the reader chose here before, else what the system says.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try {
      return localStorage.getItem("hone-theme");
    } catch {
      return null; // storage is switched off
    }
  };
  const apply = () => {
    const theme = chosen() ?? (dark.matches ? "dark" : "light");
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new CustomEvent("themechange", { detail: theme }));
  };
  dark.addEventListener("change", apply);
  globalThis.switchTheme = () => {
    const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    const system = dark.matches ? "dark" : "light";
    try {
      if (theme === system)
        localStorage.removeItem("hone-theme"); // follows the system again
      else
        localStorage.setItem("hone-theme", theme);
    } catch {
      // then it holds until the page is left
    }
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new CustomEvent("themechange", { detail: theme }));
  };
  apply();
})();
