// Before the first paint: the theme that was chosen last.
const chosenTheme = localStorage.getItem("ipx-theme");
if (chosenTheme) document.documentElement.dataset.theme = chosenTheme;
