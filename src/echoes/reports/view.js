"use strict";
// What a page of frames shows. Functions up to `start` know no page: the tests run them alone.

const LEVELS = 65535, SHADES = 255;
const HEAT = [[59, 111, 224], [38, 198, 218], [102, 209, 122], [244, 211, 94], [238, 132, 52], [193, 41, 46]];
const SIGNED = [[49, 107, 219], [120, 170, 235], [170, 170, 170], [240, 150, 110], [208, 48, 40]];
const POWER = [[5, 4, 15], [75, 29, 120], [181, 54, 122], [251, 135, 97], [252, 253, 191]];
const UNITS = {height: "height [m]", doppler: "Doppler [m/s], positive = receding", power: "power [dB]",
  probability: "probability", uncertainty: "uncertainty of the probability"};

function bytes(text) {
  const raw = atob(text), found = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) found[i] = raw.charCodeAt(i);
  return found;
}

// x, y, z [m] of each point of a layer, one behind the other.
function places(layer, [lo, hi]) {
  const stored = bytes(layer.xyz), read = new DataView(stored.buffer), found = new Float32Array(stored.length / 2);
  for (let i = 0; i < found.length; i++) {
    const axis = i % 3;
    found[i] = lo[axis] + read.getUint16(2 * i, true) / LEVELS * (hi[axis] - lo[axis]);
  }
  return found;
}

// What was measured of each point, or null. Uncertain is what samples differ in, else the deviation of a yes or no.
function measured(layer, name, xyz) {
  if (name === "height") return xyz.filter((_, i) => i % 3 === 2);
  if (name === "uncertainty") {
    if (layer.values.spread) return measured(layer, "spread", xyz);
    const probability = measured(layer, "probability", xyz);
    return probability && probability.map(p => Math.sqrt(p * (1 - p)));
  }
  if (!layer.values[name]) return null;
  const [lo, hi, text] = layer.values[name];
  return Float32Array.from(bytes(text), shade => lo + shade / SHADES * (hi - lo));
}

// The ends of a scale: of most values of all frames, so that a colour means the same in each of them.
function ends(frames, name) {
  if (name === "probability") return [0, 1];
  if (name === "uncertainty" && !frames.some(f => f.layers.some(l => l.values.spread))) return [0, 0.5];
  const every = Math.max(1, Math.floor(frames.length / 12)), pooled = [];
  for (let i = 0; i < frames.length; i += every) {
    for (const layer of frames[i].layers) {
      const values = measured(layer, name, places(layer, frames[i].box)) || [];
      for (let j = 0; j < values.length; j += 7) pooled.push(values[j]);
    }
  }
  pooled.sort((a, b) => a - b);
  const at = share => pooled.length ? pooled[Math.round(share * (pooled.length - 1))] : 0;
  let [lo, hi] = [at(0.02), at(0.98)];
  if (name === "doppler") lo = -(hi = Math.max(Math.abs(lo), Math.abs(hi)));
  return hi > lo ? [lo, hi] : [lo - 0.5, lo + 0.5];
}

function shade(stops, share) {
  const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const first = Math.min(Math.floor(place), stops.length - 2);
  return stops[first].map((value, i) => value + (place - first) * (stops[first + 1][i] - value));
}

function packed([red, green, blue], light) {
  return (255 << 24 | light * blue << 16 | light * green << 8 | light * red) >>> 0;
}

function lookup(stops, light) {
  return Uint32Array.from({length: 256}, (_, i) => packed(shade(stops, i / 255), light));
}

// A camera that turns around `centre`: seen from behind the sensor and above, x leads away and y to the left.
function camera(view) {
  const cosine = Math.cos(view.pitch), sine = Math.sin(view.pitch), c = Math.cos(view.yaw), s = Math.sin(view.yaw);
  return {right: [-s, c, 0], up: [-c * sine, -s * sine, cosine], ahead: [-cosine * c, -cosine * s, -sine]};
}

function dot(a, x, y, z) {
  return a[0] * x + a[1] * y + a[2] * z;
}

// Points as squares into a picture {pixels, depth, width, height}: the nearest wins. size [m], and the least side
// [pixels]; colour(i) -> pixel.
function splat(picture, view, xyz, size, least, colour) {
  const {right, up, ahead} = camera(view), {width, height, pixels, depth} = picture;
  const focal = 1.1 * Math.min(width, height);
  for (let i = 0; i < xyz.length / 3; i++) {
    const x = xyz[3 * i] - view.centre[0], y = xyz[3 * i + 1] - view.centre[1], z = xyz[3 * i + 2] - view.centre[2];
    const away = dot(ahead, x, y, z) + view.distance;
    if (away < 0.1) continue;
    const side = Math.max(least, Math.min(12, Math.round(size * focal / away)));
    const left = Math.round(width / 2 + focal * dot(right, x, y, z) / away - side / 2);
    const top = Math.round(height / 2 - focal * dot(up, x, y, z) / away - side / 2);
    const pixel = colour(i);
    for (let v = Math.max(top, 0); v < Math.min(top + side, height); v++) {
      for (let u = Math.max(left, 0); u < Math.min(left + side, width); u++) {
        const at = v * width + u;
        if (away < depth[at]) { depth[at] = away; pixels[at] = pixel; }
      }
    }
  }
}

// Circles around the sensor every 20 m, and a cross where it is: points of a drawing, not of a sensor.
function ground(reach) {
  const found = [];
  for (let radius = 20; radius <= reach; radius += 20) {
    for (let angle = 0; angle < 2 * Math.PI; angle += Math.PI / 360) {
      found.push(radius * Math.cos(angle), radius * Math.sin(angle), 0);
    }
  }
  for (let i = -20; i <= 20; i++) found.push(i / 20, 0, 0, 0, i / 20, 0, 0, 0, i / 20);
  return Float32Array.from(found);
}

// RGBA of a spectrogram (C, F, T), the highest velocity on top.
function coloured({shape: [channels, high, wide], data}) {
  const stored = bytes(data), table = lookup(POWER, 1), found = new Uint32Array(high * wide);
  for (let row = 0; row < high; row++) {
    for (let column = 0; column < wide; column++) {
      const from = row * wide + column, to = (high - 1 - row) * wide + column, area = high * wide;
      found[to] = channels === 1 ? table[stored[from]]
        : packed([stored[from], stored[area + from], stored[2 * area + from]], 1);
    }
  }
  return found;
}

function number(value) {
  return Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 1 ? value.toFixed(2) : value.toFixed(3);
}

function start(page) {
  const find = id => page.getElementById(id), told = JSON.parse(find("view").textContent);
  const frames = [...page.querySelectorAll("script.frame")].map(one => JSON.parse(one.textContent));
  const clouds = frames.some(frame => frame.layers.length), dark = window.matchMedia("(prefers-color-scheme: dark)");
  const hidden = new Set(), scales = {}, home = {yaw: Math.PI, pitch: 0.6, ...told.camera};
  const view = {...home, centre: [...home.centre || []]};
  const rings = clouds ? ground(told.reach) : null;
  let current = 0, playing = null, canvas = null, waiting = false;

  function make(name, parent, text) {
    const made = page.createElement(name);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  }

  function paint(target, pixels, width, height) {
    target.width = width;
    target.height = height;
    target.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), width, height), 0, 0);
  }

  function stopsOf(name) {
    return name === "doppler" ? SIGNED : HEAT;
  }

  function brightness() {
    return dark.matches ? 1 : 0.78;
  }

  function pixel(name) {
    const text = getComputedStyle(page.documentElement).getPropertyValue(name).trim();
    return packed([1, 3, 5].map(i => parseInt(text.slice(i, i + 2), 16)), 1);
  }

  function rendered(layers, box, name, width, height) {
    const picture = {width, height, pixels: new Uint32Array(width * height), depth: new Float32Array(width * height)};
    const [lo, hi] = scales[name], table = lookup(stopsOf(name), brightness()), line = pixel("--line");
    const plain = pixel("--soft");
    picture.pixels.fill(pixel("--paper"));
    picture.depth.fill(Infinity);
    splat(picture, view, rings, 0, 1, () => line);
    for (const layer of layers) {
      const xyz = places(layer, box), values = measured(layer, name, xyz);
      splat(picture, view, xyz, told.size, 2, i => values === null ? plain
        : table[Math.round(255 * Math.min(1, Math.max(0, (values[i] - lo) / (hi - lo))))]);
    }
    return new ImageData(new Uint8ClampedArray(picture.pixels.buffer), width, height);
  }

  // Each layer in a view of its own, all turned alike, or all in one.
  function drawClouds(frame) {
    const sharp = Math.min(2, window.devicePixelRatio || 1), name = find("colour").value;
    const width = Math.max(2, Math.round(canvas.clientWidth * sharp));
    const height = Math.max(2, Math.round(canvas.clientHeight * sharp));
    scales[name] ||= ends(frames, name);
    const shown = frame.layers.filter(layer => !hidden.has(layer.name));
    const panels = find("apart").checked && shown.length ? shown.map(layer => [layer]) : [shown];
    const columns = Math.min(panels.length, Math.max(1, Math.round(Math.sqrt(panels.length * width / height))));
    const wide = Math.floor(width / columns), high = Math.floor(height / Math.ceil(panels.length / columns));
    Object.assign(canvas, {width, height});
    const pen = canvas.getContext("2d"), style = getComputedStyle(page.documentElement);
    Object.assign(pen, {font: `${14 * sharp}px system-ui, sans-serif`, fillStyle: style.getPropertyValue("--ink"),
      strokeStyle: style.getPropertyValue("--line")});
    panels.forEach((layers, i) => {
      const left = i % columns * wide, top = Math.floor(i / columns) * high;
      pen.putImageData(rendered(layers, frame.box, name, Math.max(1, wide), Math.max(1, high)), left, top);
      pen.strokeRect(left + 0.5, top + 0.5, wide - 1, high - 1);
      pen.fillText(layers.map(layer => layer.name).join(", "), left + 10 * sharp, top + 20 * sharp);
    });
    paint(find("bar"), lookup(stopsOf(name), brightness()), 256, 1);
    find("low").textContent = number(scales[name][0]);
    find("high").textContent = number(scales[name][1]);
  }

  function drawPictures(frame) {
    const stage = find("stage");
    stage.replaceChildren();
    for (const one of frame.pictures) {
      const figure = make("figure", stage), shown = make("canvas", figure);
      shown.setAttribute("role", "img");
      shown.setAttribute("aria-label", `${one.name}: ${frame.title}`);
      paint(shown, coloured(one), one.shape[2], one.shape[1]);
      make("figcaption", figure, one.name);
    }
  }

  function tell(frame) {
    const table = find("numbers"), names = [...new Set(frame.layers.flatMap(layer => Object.keys(layer.numbers)))];
    table.replaceChildren();
    if (!frame.layers.length) return;
    const head = make("tr", make("thead", table));
    for (const text of ["", "points", ...names]) make("th", head, text).scope = "col";
    for (const layer of frame.layers) {
      const row = make("tr", table), all = layer.shown === layer.count;
      make("th", row, layer.name).scope = "row";
      make("td", row, all ? String(layer.count) : `${layer.shown} of ${layer.count}`);
      for (const name of names) make("td", row, name in layer.numbers ? number(layer.numbers[name]) : "-");
    }
  }

  function draw() {
    waiting = false;
    const frame = frames[current];
    find("frame").textContent = `${current + 1} of ${frames.length}: ${frame.title}`;
    if (clouds) drawClouds(frame); else drawPictures(frame);
    tell(frame);
  }

  function later() {
    if (!waiting) { waiting = true; requestAnimationFrame(draw); }
  }

  function show(index) {
    current = (index + frames.length) % frames.length;
    find("time").value = current;
    later();
  }

  function play(on) {
    clearInterval(playing);
    playing = on ? setInterval(() => show(current + 1), 1000 / told.rate) : null;
    find("play").textContent = on ? "Pause" : "Play";
    find("play").setAttribute("aria-pressed", String(on));
    find("frame").setAttribute("aria-live", on ? "off" : "polite");
  }

  function turn(yaw, pitch) {
    view.yaw += yaw;
    view.pitch = Math.min(1.57, Math.max(-1.57, view.pitch + pitch));
    later();
  }

  function zoom(factor) {
    view.distance = Math.min(10 * home.distance, Math.max(1, view.distance * factor));
    later();
  }

  function shift(dx, dy) {
    const {right, up} = camera(view), scale = view.distance / canvas.clientHeight;
    view.centre = view.centre.map((value, i) => value - scale * (dx * right[i] - dy * up[i]));
    later();
  }

  // A control that has focus keeps the keys that mean something to it.
  function pressed(event) {
    const {tagName, type} = event.target, key = event.key, chooses = tagName === "SELECT", slides = type === "range";
    if (event.ctrlKey || event.altKey || event.metaKey || chooses) return;
    const turns = {ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1]}[key];
    if (clouds && event.shiftKey && turns) turn(...turns);
    else if (key === " " && tagName !== "BUTTON" && type !== "checkbox") play(playing === null);
    else if (key === "ArrowLeft" && !slides) show(current - 1);
    else if (key === "ArrowRight" && !slides) show(current + 1);
    else if (clouds && key === "+") zoom(0.9);
    else if (clouds && key === "-") zoom(1.1);
    else if (clouds && key === "Home" && !slides) {
      Object.assign(view, home, {centre: [...home.centre]});
      later();
    } else return;
    event.preventDefault();
  }

  function moves() {
    canvas.addEventListener("pointerdown", event => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", event => {
      if (!canvas.hasPointerCapture(event.pointerId)) return;
      if (event.shiftKey) shift(event.movementX, event.movementY);
      else turn(-0.006 * event.movementX, 0.006 * event.movementY);
    });
    canvas.addEventListener("wheel", event => {
      event.preventDefault();
      zoom(Math.exp(0.001 * event.deltaY));
    }, {passive: false});
    new ResizeObserver(later).observe(canvas);
  }

  function spaces() {
    canvas = make("canvas", find("stage"));
    Object.assign(canvas, {id: "space", tabIndex: 0});
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "Points in space; Shift and arrows turn, plus and minus zoom, Home goes back");
    const present = new Set(frames.flatMap(frame => frame.layers.flatMap(layer => Object.keys(layer.values))));
    if (present.has("probability")) present.add("uncertainty");
    for (const name of Object.keys(UNITS).filter(one => one === "height" || present.has(one))) {
      make("option", find("colour"), UNITS[name]).value = name;
    }
    for (const name of new Set(frames.flatMap(frame => frame.layers.map(layer => layer.name)))) {
      const label = make("label", find("layers")), box = make("input", label);
      Object.assign(box, {type: "checkbox", checked: !hidden.has(name)});
      label.append(` ${name}`);
      box.addEventListener("change", () => { box.checked ? hidden.delete(name) : hidden.add(name); later(); });
    }
    find("help").textContent = "Drag or Shift and arrows: turn. Shift and drag: move. Wheel, + and -: zoom. " +
      "Home: back. Space: play. Arrows: frames. Rings are 20 m apart; what a layer does not measure is grey.";
    moves();
  }

  function powers() {
    for (const id of ["choices", "colour", "of_frame"]) find(id).hidden = true;
    find("stage").className = "pictures";
    page.querySelector('label[for="colour"]').textContent = told.coloured ? "Colours of the pictures" : "Power [dB]";
    find("bar").hidden = find("ends").hidden = Boolean(told.coloured);
    paint(find("bar"), lookup(POWER, 1), 256, 1);
    [find("low").textContent, find("high").textContent] = told.ends.map(number);
    find("help").textContent = `${told.axes} Space: play. Arrows: frames.`;
  }

  find("time").max = frames.length - 1;
  find("time").addEventListener("input", event => show(Number(event.target.value)));
  find("play").addEventListener("click", () => play(playing === null));
  for (const id of ["colour", "apart"]) find(id).addEventListener("change", later);
  dark.addEventListener("change", later);
  page.addEventListener("keydown", pressed);
  if (clouds) spaces(); else powers();
  draw();
}

if (typeof document !== "undefined") start(document);
