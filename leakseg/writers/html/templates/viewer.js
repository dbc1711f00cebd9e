"use strict";
// Three planes on plain canvases (no WebGL needed) and a 3-D view by plotly.js where there is WebGL.
(async () => {
  const find = (id) => document.getElementById(id);
  const state = find("view-state");
  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).arrayBuffer();
  };
  if (typeof DecompressionStream === "undefined") {
    state.textContent = "This browser is too old for the interactive view; the pictures on this page show the same findings.";
    return;
  }
  const scene = JSON.parse(find("scene").textContent);
  const [voxels, labels] = (await Promise.all([scene.voxels, scene.labels].map(unpack))).map((part) => new Uint8Array(part));
  const [depth, rows, columns] = scene.shape;
  const stride = [rows * columns, columns, 1];
  const at = [depth >> 1, rows >> 1, columns >> 1];
  const first = scene.leaks[0];
  if (first) at.splice(0, 3, ...first.at);

  const colours = new Array(256).fill(null);
  const kinds = new Array(256).fill("");
  for (const entry of scene.legend) {
    const value = parseInt(entry.colour.slice(1), 16);
    colours[entry.code] = [value >> 16, (value >> 8) & 255, value & 255];
    kinds[entry.code] = entry.kind;
  }
  let grey = new Uint8Array(256);
  const chooseWindow = () => {
    const [level, width] = find("window").value.split(",").map(Number);
    grey = Uint8Array.from(scene.hu, (hu) => Math.max(0, Math.min(255, ((hu - level) / width + 0.5) * 255)));
  };
  const shown = () => {
    const on = new Set();
    for (const box of document.querySelectorAll("[data-kind]")) if (box.checked) on.add(box.dataset.kind);
    if (on.has("cement")) on.add("metal");
    return kinds.map((kind) => on.has(kind));
  };

  // across: the axis a plane stands on; down and right: the axes of its rows and columns; head or front is up.
  const planes = [
    { name: "axial", across: 0, down: 1, right: 2, flip: false },
    { name: "sagittal", across: 2, down: 0, right: 1, flip: true },
    { name: "coronal", across: 1, down: 0, right: 2, flip: true },
  ];
  const draw = (plane) => {
    const high = scene.shape[plane.down], wide = scene.shape[plane.right];
    const on = shown();
    const picture = new ImageData(wide, high);
    const base = at[plane.across] * stride[plane.across];
    const down = stride[plane.down], right = stride[plane.right];
    for (let y = 0; y < high; y++) {
      const row = plane.flip ? high - 1 - y : y;
      for (let x = 0; x < wide; x++) {
        const place = base + row * down + x * right;
        const code = labels[place];
        const value = grey[voxels[place]];
        let red = value, green = value, blue = value;
        if (code && on[code]) {
          const edge = x === 0 || y === 0 || x === wide - 1 || y === high - 1 ||
            labels[place - right] !== code || labels[place + right] !== code ||
            labels[place - down] !== code || labels[place + down] !== code;
          const share = kinds[code] === "leaks" ? (edge ? 1 : 0.55) : (edge ? 0.8 : 0.0);
          const colour = colours[code];
          red += (colour[0] - red) * share;
          green += (colour[1] - green) * share;
          blue += (colour[2] - blue) * share;
        }
        const pixel = 4 * (y * wide + x);
        picture.data[pixel] = red;
        picture.data[pixel + 1] = green;
        picture.data[pixel + 2] = blue;
        picture.data[pixel + 3] = 255;
      }
    }
    const context = plane.canvas.getContext("2d");
    context.putImageData(picture, 0, 0);
    context.fillStyle = "rgba(255,255,255,0.75)";
    const x = at[plane.right], y = plane.flip ? high - 1 - at[plane.down] : at[plane.down];
    const tick = 4;
    context.fillRect(x, 0, 1, tick);
    context.fillRect(x, high - tick, 1, tick);
    context.fillRect(0, y, tick, 1);
    context.fillRect(wide - tick, y, tick, 1);
    plane.slider.value = String(at[plane.across]);
    const vertebra = scene.legend.find((entry) => entry.code === labels[at[0] * stride[0] + at[1] * stride[1] + at[2]]);
    plane.output.textContent = `${at[plane.across] + 1} of ${scene.shape[plane.across]}`;
    plane.slider.setAttribute("aria-valuetext", plane.output.textContent + (vertebra ? `, ${vertebra.name}` : ""));
  };
  const drawAll = () => planes.forEach(draw);
  const move = (axis, to) => {
    at[axis] = Math.max(0, Math.min(scene.shape[axis] - 1, to));
    drawAll();
  };
  for (const plane of planes) {
    const box = find(plane.name);
    plane.canvas = box.querySelector("canvas");
    plane.slider = find(`${plane.name}-slice`);
    plane.output = plane.slider.parentElement.querySelector("output");
    const high = scene.shape[plane.down], wide = scene.shape[plane.right];
    plane.canvas.width = wide;
    plane.canvas.height = high;
    const highMm = high * scene.spacing_mm[plane.down], wideMm = wide * scene.spacing_mm[plane.right];
    // As large as the box allows, at the true aspect.
    plane.fit = () => {
      const scale = Math.min(box.clientHeight / highMm, box.clientWidth / wideMm);
      plane.canvas.style.width = `${wideMm * scale}px`;
      plane.canvas.style.height = `${highMm * scale}px`;
    };
    plane.slider.max = String(scene.shape[plane.across] - 1);
    const [low, up] = scene.letters[plane.down], [west, east] = scene.letters[plane.right];
    box.querySelector(".n").textContent = plane.flip ? up : low;
    box.querySelector(".s").textContent = plane.flip ? low : up;
    box.querySelector(".w").textContent = west;
    box.querySelector(".e").textContent = east;
    plane.slider.addEventListener("input", () => move(plane.across, Number(plane.slider.value)));
    box.addEventListener("wheel", (event) => {
      event.preventDefault();
      move(plane.across, at[plane.across] + (event.deltaY > 0 ? -1 : 1));
    }, { passive: false });
    plane.canvas.addEventListener("click", (event) => {
      const x = Math.floor(event.offsetX / plane.canvas.clientWidth * wide);
      const y = Math.floor(event.offsetY / plane.canvas.clientHeight * high);
      at[plane.right] = Math.max(0, Math.min(wide - 1, x));
      move(plane.down, plane.flip ? high - 1 - y : y);
    });
  }
  find("window").addEventListener("change", () => { chooseWindow(); drawAll(); });
  for (const box of document.querySelectorAll("[data-kind]")) box.addEventListener("change", drawAll);
  for (const button of document.querySelectorAll(".goto")) {
    const leak = scene.leaks.find((entry) => String(entry.id) === button.dataset.leak);
    if (!leak) continue;
    button.hidden = false;
    button.addEventListener("click", () => {
      at.splice(0, 3, ...leak.at);
      drawAll();
      find("view").scrollIntoView();
      find("axial-slice").focus({ preventScroll: true });
    });
  }
  find("view-body").hidden = false;
  const fitAll = () => planes.forEach((plane) => plane.fit());
  addEventListener("resize", fitAll);
  chooseWindow();
  fitAll();
  drawAll();
  state.textContent = "";
  document.body.dataset.planes = "ready";

  const apology = (why) => {
    find("solid-view").hidden = true;
    find("solid-state").textContent = `${why} The three-dimensional pictures below show the same.`;
    document.body.dataset.solid = "none";
  };
  const probe = document.createElement("canvas");
  if (!(probe.getContext("webgl2") || probe.getContext("webgl"))) {
    apology("This browser has no WebGL, so nothing can be turned here.");
    return;
  }
  // Unpacked only when the reader gets near: half a second that nobody waits for.
  const start = async () => {
    try {
      const text = await unpack(find("plotly").textContent);
      const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
      await new Promise((resolve, reject) => {
        const element = document.createElement("script");
        element.src = address;
        element.onload = resolve;
        element.onerror = reject;
        document.head.append(element);
      });
      URL.revokeObjectURL(address);
      await turnable();
      document.body.dataset.solid = "ready";
    } catch (error) {
      apology("The three-dimensional view could not start.");
    }
  };
  const turnable = async () => {
    const traces = [];
    for (const surface of scene.surfaces) {
      const points = new Int16Array(await unpack(surface.points)), faces = new Uint32Array(await unpack(surface.faces));
      const every = (array, from, scale) => Array.from({ length: array.length / 3 }, (_, n) => array[3 * n + from] * scale);
      traces.push({
        type: "mesh3d", name: surface.name, showlegend: true, color: surface.colour, opacity: surface.opacity,
        x: every(points, 0, 0.05), y: every(points, 1, 0.05), z: every(points, 2, 0.05),
        i: every(faces, 0, 1), j: every(faces, 1, 1), k: every(faces, 2, 1),
        hoverinfo: "name", flatshading: false, lighting: { ambient: 0.45, diffuse: 0.8, specular: 0.15 },
      });
    }
    const half = scene.shape.map((size, axis) => size * scene.spacing_mm[axis] / 2);
    const sides = [[half[2] + 6, 0, 0, 2, 1], [-half[2] - 6, 0, 0, 2, 0], [0, half[1] + 6, 0, 1, 1], [0, -half[1] - 6, 0, 1, 0]];
    const words = (places, names, size, colour) => ({
      type: "scatter3d", mode: "text", hoverinfo: "skip", showlegend: false, text: names,
      x: places.map((place) => place[0]), y: places.map((place) => place[1]), z: places.map((place) => place[2]),
      textfont: { size, color: colour },
    });
    traces.push(words(scene.names.map((name) => name.at), scene.names.map((name) => name.name), 14, "#ffffff"));
    traces.push(words(sides, sides.map((side) => scene.letters[side[3]][side[4]]), 18, "#e69f00"));
    const axis = { visible: false, showspikes: false };
    await window.Plotly.newPlot(find("solid-view"), traces, {
      margin: { l: 0, r: 0, t: 0, b: 0 }, paper_bgcolor: "#10141a", showlegend: true,
      legend: { font: { color: "#ffffff", size: 11 }, bgcolor: "rgba(0,0,0,0)", x: 0, y: 1 },
      scene: { xaxis: axis, yaxis: axis, zaxis: axis, aspectmode: "data", bgcolor: "#10141a",
        camera: { eye: { x: 0.9, y: 1.1, z: 0.35 }, up: { x: 0, y: 0, z: 1 } } },
    }, { displayModeBar: false, responsive: true });
  };
  const watch = new IntersectionObserver((seen) => {
    if (seen.some((entry) => entry.isIntersecting)) { watch.disconnect(); start(); }
  }, { rootMargin: "400px" });
  watch.observe(find("solid-view"));
})();
