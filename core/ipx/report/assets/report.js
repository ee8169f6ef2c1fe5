"use strict";
(() => {
  const all = (what, where = document) => [...where.querySelectorAll(what)];
  const root = document.documentElement;

  // dark or light: the system's choice until the reader chooses
  const theme = document.getElementById("theme");
  const dark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const named = () => theme.setAttribute("aria-label", dark() ? "Light colours" : "Dark colours");
  theme.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; named(); });
  named();

  // one zoom for all images: its factor, and the point in the middle as shares of the sides
  const view = { zoom: 1, x: 0.5, y: 0.5 };
  const frames = all(".frame"), stages = all(".stage");
  const within = (at) => Math.min(Math.max(at, 0.5 / view.zoom), 1 - 0.5 / view.zoom);
  function show() {
    view.x = within(view.x);
    view.y = within(view.y);
    const move = (share) => (100 * (0.5 - share * view.zoom)).toFixed(3) + "%";
    const how = view.zoom === 1 ? "" : `translate(${move(view.x)}, ${move(view.y)}) scale(${view.zoom})`;
    for (const image of all(".frame img, .stage img")) {
      image.style.transform = how;
      image.classList.toggle("crisp", image.clientWidth * view.zoom > 1.5 * image.naturalWidth);
    }
    root.classList.toggle("zoomed", view.zoom > 1);
    for (const output of all(".zoom output")) output.textContent = view.zoom + "×";
  }
  function zoom(factor, x = view.x, y = view.y) {
    const before = view.zoom;
    view.zoom = Math.min(Math.max(before * factor, 1), 16);
    const stay = before / view.zoom;  // the point under the pointer stays where it is
    view.x = x + (view.x - x) * stay;
    view.y = y + (view.y - y) * stay;
    show();
  }
  function pointed(event, box) {
    const r = box.getBoundingClientRect();
    const share = (at, from, size) => (at - from) / size;
    return [view.x + (share(event.clientX, r.left, r.width) - 0.5) / view.zoom,
            view.y + (share(event.clientY, r.top, r.height) - 0.5) / view.zoom];
  }
  for (const button of all("[data-zoom]")) {
    button.addEventListener("click", () => {
      const by = { in: 2, out: 0.5, fit: 1 / 64 }[button.dataset.zoom];
      zoom(by);
    });
  }
  for (const box of [...frames, ...stages]) {
    box.addEventListener("dblclick", (event) => zoom(event.shiftKey ? 0.5 : 2, ...pointed(event, box)));
    box.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;  // the wheel alone scrolls the page
      event.preventDefault();
      zoom(event.deltaY < 0 ? 2 : 0.5, ...pointed(event, box));
    }, { passive: false });
  }
  for (const frame of frames) {
    let from = null;
    frame.addEventListener("pointerdown", (event) => {
      if (view.zoom === 1) return;
      from = { x: event.clientX, y: event.clientY };
      frame.setPointerCapture(event.pointerId);
    });
    frame.addEventListener("pointermove", (event) => {
      if (!from) return;
      view.x -= (event.clientX - from.x) / frame.clientWidth / view.zoom;
      view.y -= (event.clientY - from.y) / frame.clientHeight / view.zoom;
      from = { x: event.clientX, y: event.clientY };
      show();
    });
    for (const end of ["pointerup", "pointercancel"]) frame.addEventListener(end, () => { from = null; });
    frame.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!step || view.zoom === 1) return;
      event.preventDefault();
      view.x += 0.1 * step[0] / view.zoom;
      view.y += 0.1 * step[1] / view.zoom;
      show();
    });
  }
  if (frames.length) {
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, [type=search]")) return;
      const by = { "+": 2, "=": 2, "-": 0.5, "0": 1 / 64 }[event.key];
      if (by) zoom(by);
    });
    addEventListener("resize", show);
    for (const tool of all(".zoom")) tool.hidden = false;
  }

  // before and after: two images of the page, one over the other
  for (const viewer of all(".viewer")) {
    const stage = viewer.querySelector(".stage"), range = viewer.querySelector("input");
    const right = stage.querySelector("img.right"), half = document.createElement("div");
    half.className = "half right";
    right.replaceWith(half);
    half.append(right);
    function side(which) {
      const name = viewer.querySelector(`[data-side=${which}]`).value;
      const found = all(".frame img").find((image) => image.dataset.name === name);
      const image = stage.querySelector("img." + which);
      image.src = found.src;
      image.alt = found.dataset.title;
      stage.querySelector(".tag." + which).textContent = found.dataset.title;
    }
    function split() {
      stage.style.setProperty("--split", range.value + "%");
      const [a, b] = ["left", "right"].map((which) => stage.querySelector("img." + which).alt);
      range.setAttribute("aria-valuetext", `${range.value} % ${a}, the rest ${b}`);
    }
    for (const select of all("select", viewer)) {
      select.addEventListener("change", () => { side(select.dataset.side); split(); show(); });
      side(select.dataset.side);
    }
    range.addEventListener("input", split);
    let dragging = false;
    const drag = (event) => {
      const box = stage.getBoundingClientRect();
      range.value = Math.round(100 * (event.clientX - box.left) / box.width);
      split();
    };
    stage.addEventListener("pointerdown", (event) => {
      dragging = true;
      stage.setPointerCapture(event.pointerId);
      range.focus({ preventScroll: true });
      event.preventDefault();
      drag(event);
    });
    stage.addEventListener("pointermove", (event) => { if (dragging) drag(event); });
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => { dragging = false; });
    viewer.hidden = false;
    split();
  }
  if (frames.length) {
    for (const image of all(".frame img")) image.addEventListener("load", show);
    show();
  }

  // tables: by the column that is clicked, numbers largest first
  for (const table of all("table.sortable")) {
    const heads = all("th", table), body = table.tBodies[0];
    heads.forEach((head, column) => {
      const button = head.querySelector("button");
      if (!button) return;
      button.addEventListener("click", () => {
        const numeric = head.classList.contains("n"), now = head.getAttribute("aria-sort");
        const up = now ? now === "descending" : !numeric;
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const key = (row) => row.cells[column].dataset.key;
        const order = (a, b) => numeric ? Number(a) - Number(b) : a.localeCompare(b);
        const rows = [...body.rows];
        rows.sort((a, b) => {
          const [first, second] = [key(a), key(b)];
          if (first === "" || second === "") return (first === "") - (second === "");  // last
          return (up ? 1 : -1) * order(first, second);
        });
        body.append(...rows);
      });
    });
  }
  for (const search of all("[data-filter]")) {
    const label = search.closest(".search"), output = label.querySelector("output");
    label.hidden = false;
    search.addEventListener("input", () => {
      const wanted = search.value.toLowerCase(), rows = all(".sortable tbody tr");
      for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
      const count = rows.filter((row) => !row.hidden).length;
      output.textContent = wanted ? `${count} of ${rows.length}` : "";
    });
  }

  for (const button of all("[data-copy]")) {
    button.addEventListener("click", async () => {
      const code = button.closest(".code").querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {  // not allowed here: select it instead
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
})();
