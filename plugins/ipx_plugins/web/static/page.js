// What htmx does not: drop a picture, show the frames of a run, copy, keep details open.
const byId = (id) => document.getElementById(id);

function trouble(text) {
  const line = document.createElement("p");
  line.className = "refused";
  line.setAttribute("role", "alert");
  line.textContent = text;
  byId("trouble").replaceChildren(...(text ? [line] : []));
}

// --- dark and light
byId("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  root.dataset.theme = (root.dataset.theme || system) === "dark" ? "light" : "dark";
  localStorage.setItem("ipx-theme", root.dataset.theme);
});

// --- a picture is dropped anywhere on the stage, or another one is wanted
const stage = byId("stage");
const carriesFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    stage.classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files.length) {
      if (!byId("file")) wantAnother();
      byId("file").files = event.dataTransfer.files;
      byId("file").dispatchEvent(new Event("change", { bubbles: true }));
    }
  });
}

const emptyDrop = byId("picture").cloneNode(true);
function wantAnother() {
  const drop = emptyDrop.cloneNode(true);
  byId("picture").replaceWith(drop);
  byId("job").replaceChildren();
  byId("job").removeAttribute("data-state");
  htmx.process(drop);
  htmx.trigger(document.body, "replan");
  byId("file").focus();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if ("again" in button.dataset) wantAnother();
  if ("clear" in button.dataset) {
    const box = byId(button.dataset.clear);
    const input = box.querySelector("input[type=file]");
    input.hidden = false;
    input.value = "";
    box.replaceChildren(input);
    input.focus();
    htmx.trigger(document.body, "replan");
  }
  if ("copy" in button.dataset) {
    navigator.clipboard.writeText(button.parentElement.querySelector("pre").textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  }
});

const runs = () => ["running", "waiting"].includes(byId("job").dataset.state);
document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.elt.id === "run" && runs()) event.preventDefault(); // Cancel comes first
  const input = event.detail.elt.querySelector?.("#file");
  const most = Number(input?.dataset.most);
  if (input?.files[0]?.size > most) {
    trouble(`The file is larger than ${most / 1e6} MB; --max-upload raises the limit.`);
    event.preventDefault();
  }
});

// --- a run: its frames in the place of the picture, its state for screen readers
let state = "";
function follow() {
  const job = byId("job");
  byId("run").setAttribute("aria-disabled", runs());
  const shown = byId("shown");
  if (shown) {
    const wanted = job.dataset.frame || shown.dataset.own;
    if (shown.getAttribute("src") !== wanted) {
      const next = new Image();
      next.src = wanted;
      next.decode().then(() => shown.setAttribute("src", wanted)).catch(() => {});
    }
  }
  for (const image of document.querySelectorAll(".shown img, .compare img")) {
    const sharpen = () => image.parentElement.classList.toggle("fine", image.naturalWidth < 400);
    if (image.complete) sharpen();
    else image.addEventListener("load", sharpen, { once: true });
  }
  if ((job.dataset.state || "") !== state) {
    state = job.dataset.state || "";
    byId("said").textContent = state && `Restoration: ${state}`;
    if (runs()) stage.scrollIntoView({ block: "nearest" });
  }
}
document.addEventListener("htmx:afterSettle", follow);

// --- details stay open when what is around them is replaced
const open = new Map();
document.addEventListener("toggle", (event) => open.set(event.target.id, event.target.open), true);
function reopen() {
  for (const box of document.querySelectorAll("details[id]")) {
    if (open.get(box.id)) box.open = true;
  }
}
document.addEventListener("htmx:afterSwap", reopen);
document.addEventListener("htmx:oobAfterSwap", reopen);

// --- what was entered while the plan was on its way is kept
let answered = "";
document.addEventListener("htmx:beforeSwap", (event) => {
  answered = event.detail.requestConfig.path;
});
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  if (answered !== "/plan") return;
  const entered = byId("choices").elements;
  const kinds = "select, input[type=text], input[type=number], input[type=checkbox]";
  for (const fresh of event.detail.fragment.querySelectorAll(kinds)) {
    const old = fresh.id && entered.namedItem(fresh.id);
    if (!old) continue;
    if (fresh.type === "checkbox") fresh.checked = old.checked;
    else if (fresh.tagName !== "SELECT") fresh.value = old.value;
    else if ([...fresh.options].some((o) => o.value === old.value)) fresh.value = old.value;
  }
});

// --- errors
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.requestConfig.verb !== "get") trouble("");
});
document.addEventListener("htmx:sendError", () => trouble("The server does not answer: it has ended, or the file is too large."));
