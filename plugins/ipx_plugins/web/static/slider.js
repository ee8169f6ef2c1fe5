// The divider of two pictures follows its range input.
document.addEventListener("input", (event) => {
  const box = event.target.closest("[data-compare]");
  if (box) box.style.setProperty("--at", `${event.target.value}%`);
});
