"use strict";
/* The page: takes in the model, starts the engine, talks. Model output is text, never markup. */
const at = id => document.getElementById(id);
const parts = { wasm: [], model: [] };
const bytesOf = new Uint8Array(65536);  // what a character of this page was as a byte
for (const [byte, letter] of [...new TextDecoder("windows-1252").decode(Uint8Array.from({ length: 256 }, (_, i) => i))].entries())
  bytesOf[letter.charCodeAt(0)] = byte;

function tell(text, share, bad) {
  at("told").textContent = text;
  at("told").className = bad ? "bad" : "";
  at("bar").hidden = share === undefined;
  if (share !== undefined) at("bar").value = share;
}

/* Take in the block of data that stands before the running script: yEnc, each byte 42 higher, "=" before an escaped one. */
function take(kind, share) {
  const block = document.currentScript.previousElementSibling, text = block.textContent;
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    let byte = bytesOf[text.charCodeAt(i)];
    if (byte === 61) byte = bytesOf[text.charCodeAt(++i)] - 64;
    bytes[length++] = byte - 42;
  }
  parts[kind].push(new Blob([bytes.subarray(0, length)]));
  block.remove();
  document.currentScript.remove();
  tell("Reading the model\u2026", share);
}

const unpacked = blob => new Response(blob.stream().pipeThrough(new DecompressionStream("gzip"))).blob();

const asAddress = blob => new Promise((resolve, reject) => {  // a worker of a file:// page may fetch data: but not blob:
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result);
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(new Blob([blob], { type: "application/wasm" }));
});

async function fetched(address, bytes) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(address + " is missing beside this page");
  const reader = answer.body.getReader(), chunks = [];
  for (let got = 0; ;) {
    const { done, value } = await reader.read();
    if (done) return new Blob(chunks);
    chunks.push(value);
    tell("Reading the model\u2026", (got += value.length) / bytes);
  }
}

async function verified(blob, settings) {
  if (blob.size !== settings.bytes) throw new Error("the model in this page has " + blob.size + " bytes, not " + settings.bytes + ": the file was cut or changed");
  if (!globalThis.crypto?.subtle) return;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
  const found = [...digest].map(b => b.toString(16).padStart(2, "0")).join("");
  if (found !== settings.sha256) throw new Error("the model in this page is not what was written: the file was damaged or changed");
}

let engine = null, again = null, stopping = null, messages = [];

async function loaded(model, wasm, threads) {
  const fresh = new Wllama({ default: wasm }, { suppressNativeLog: true, allowOffline: true });
  await fresh.loadModel([model], { n_ctx: CONTEXT, n_threads: threads, n_gpu_layers: 0, n_parallel: 1 });
  return fresh;
}

/* Where threads are allowed, as many as are faster; beside other work one may be. */
async function fastest(model, wasm) {
  const most = crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1;
  let best = null, time = Infinity;
  for (const threads of most > 1 ? [most, 1] : [1]) {
    const one = await loaded(model, wasm, threads);
    if (most === 1) return one;
    const began = performance.now();
    await one.createCompletion({ prompt: "The", max_tokens: 8, temperature: 0 });
    const took = performance.now() - began;
    if (took < time) { await best?.exit(); [best, time] = [one, took]; } else await one.exit();
  }
  return best;
}

async function begin(settings) {
  const began = performance.now();
  globalThis.CONTEXT = settings.context;
  try {
    if (settings.charset && document.characterSet !== settings.charset)
      throw new Error("this page was sent as " + document.characterSet + ", which spoils the model in it. Save the file and open it from your disk");
    const inside = parts.model.length > 0;
    const model = inside ? new Blob(parts.model) : await fetched(settings.model, settings.bytes);
    tell("Checking the model\u2026");
    await verified(model, settings);
    tell("Starting the engine\u2026");
    const wasm = inside ? await asAddress(await unpacked(new Blob(parts.wasm))) : settings.wasm;
    parts.model = parts.wasm = [];
    engine = await fastest(model, wasm);
    const threads = engine.getNumThreads();
    again = () => loaded(model, wasm, threads);
    at("send").disabled = false;
    tell("Ready. Everything happens on this device.");
    document.body.dataset.ready = ((performance.now() - began) / 1000).toFixed(2);
    document.body.dataset.threads = threads;
  } catch (error) {
    document.body.dataset.failed = error.message || String(error);
    tell("It did not start: " + (error.message || error) + ". A browser of the last two years is needed: Chromium, Edge or Chrome from 137; others are untested.", undefined, true);
  }
}

const mode = () => document.querySelector("[name=mode]:checked").value;

function show(who, text, mine) {
  const line = document.createElement("p"), name = document.createElement("b"), body = document.createElement("span");
  name.textContent = who;
  body.textContent = text;
  line.className = mine ? "mine" : "";
  line.append(name, body);
  at("talk").append(line);
  line.scrollIntoView({ block: "nearest" });
  return body;
}

/* The last messages that fit; a small model has a short memory. */
function fitting(all, longest) {
  const kept = [...all];
  const length = () => kept.reduce((sum, message) => sum + message.content.length + 40, 0);
  while (kept.length > 1 && length() > (CONTEXT - longest) * 3) kept.splice(0, 2);
  return kept;
}

/* An engine that threw is not to be trusted: another one takes its place. */
async function restarted(error) {
  tell("It broke off (" + (error.message || error) + "); the engine starts again\u2026", undefined, true);
  try {
    const fresh = await again();
    await engine.exit().catch(() => {});
    engine = fresh;
    document.body.dataset.restarts = 1 + +(document.body.dataset.restarts || 0);
    tell("It broke off, and the engine is ready again. Send it once more, perhaps in other words.");
  } catch (worse) {
    tell("The engine does not start again: " + (worse.message || worse) + ". Reload the page.", undefined, true);
  }
}

async function answer(text) {
  const chat = mode() === "chat", longest = Math.min(1000, Math.max(1, +at("longest").value || 200));
  const common = { max_tokens: longest, temperature: +at("chance").value, stream: true };
  stopping = new AbortController();
  if (chat) messages.push({ role: "user", content: text });
  const body = show(chat ? "Model" : "Text", chat ? "" : text);
  let written = "", spoken = 0, tokens = 0, first = 0, rate = 0;
  const onData = chunk => {
    const choice = chunk.choices?.[0], piece = (chat ? choice?.delta?.content : choice?.text) || "";
    if (piece) { tokens++; first ||= performance.now(); }
    written += piece;
    body.textContent = chat ? written : text + written;
    body.parentNode.parentNode.scrollTop = 1e9;
    if (chunk.timings?.predicted_per_second) rate = chunk.timings.predicted_per_second;
    const end = written.search(/[.!?\n][^.!?\n]*$/) + 1;  // read aloud a sentence at a time
    if (end > spoken) { at("spoken").textContent = written.slice(spoken, end); spoken = end; }
  };
  try {
    if (chat) await engine.createChatCompletion({ ...common, messages: fitting(messages, longest), onData, abortSignal: stopping.signal });
    else await engine.createCompletion({ ...common, prompt: text.slice(-(CONTEXT - longest) * 3), onData, abortSignal: stopping.signal });
  } catch (error) {
    if (error.name !== "AbortError") await restarted(error);
  }
  at("spoken").textContent = written.slice(spoken);
  rate ||= tokens > 1 ? (tokens - 1) / (performance.now() - first) * 1000 : 0;
  at("speed").textContent = rate ? rate.toFixed(1) + " tokens a second" : "";
  document.body.dataset.rate = rate.toFixed(2);
  document.body.dataset.answers = 1 + +(document.body.dataset.answers || 0);
  if (chat) messages.push({ role: "assistant", content: written });
  else at("say").value = text + written;
}

at("form").addEventListener("submit", async event => {
  event.preventDefault();
  const text = mode() === "chat" ? at("say").value.trim() : at("say").value;
  if (!text.trim() || !engine || stopping) return at("say").focus();
  at("send").disabled = true;
  at("stop").hidden = false;
  if (mode() === "chat") { show("You", text, true); at("say").value = ""; }
  await answer(text);
  stopping = null;
  at("send").disabled = false;
  at("stop").hidden = true;
  at("say").focus();
});
at("stop").addEventListener("click", () => stopping?.abort());
at("clear").addEventListener("click", () => { messages = []; at("talk").replaceChildren(); at("say").value = ""; at("speed").textContent = ""; at("say").focus(); });
at("say").addEventListener("keydown", event => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && mode() === "chat") { event.preventDefault(); at("form").requestSubmit(); }
});
for (const one of document.querySelectorAll("[name=mode]")) one.addEventListener("change", () => {
  at("label").textContent = mode() === "chat" ? "Your message" : "The beginning of a text; the model goes on from its end";
  at("send").textContent = mode() === "chat" ? "Send" : "Write on";
});
