// The editor. What it suggests is a decoration and never text until it is taken; what it marks are decorations too.
import {
  Decoration, EditorState, EditorView, HighlightStyle, Prec, StateEffect, StateField, WidgetType, defaultKeymap,
  drawSelection, history, historyKeymap, keymap, markdown, placeholder, syntaxHighlighting, tags,
} from "./vendor/codemirror.js"
import { feedback } from "./feedback.js"
import { counted, events, said, send } from "./studio.js"

const $ = (id) => document.getElementById(id)
const model = $("desk").dataset.model
const place = (what) => `/m/${encodeURIComponent(model)}/${what}`
const draft = `draft: ${model}`
const PAUSE_MS = 60, MARK_PAUSE_MS = 1500, SETTLING_MS = 1200

// -- voices ---------------------------------------------------------------------------------------------
// how loud each parent of the model is: what is remembered and sent is what differs from 1
const loud = `voices: ${model}`
const sliders = [...document.querySelectorAll("[data-voice]")]
const voices = () => Object.fromEntries(sliders.map((one) => [one.dataset.voice, +one.value]).filter(([, scale]) => scale !== 1))

function remembered() {
  try { return JSON.parse(localStorage.getItem(loud)) ?? {} } catch { return {} }
}

function showVoices() {
  for (const one of sliders) one.parentElement.querySelector("output").value = (+one.value).toFixed(1)
  $("voices-reset").disabled = !Object.keys(voices()).length
}

function listenToVoices(view) {
  if (!sliders.length) return
  const before = remembered()
  for (const one of sliders) {
    one.value = Number.isFinite(before[one.dataset.voice]) ? before[one.dataset.voice] : 1
    one.addEventListener("input", showVoices)
    one.addEventListener("change", () => moved(view))
  }
  $("voices-reset").addEventListener("click", () => {
    for (const one of sliders) one.value = 1
    showVoices()
    moved(view)
    sliders[0].focus() // the button has just been disabled
  })
  showVoices()
}

function moved(view) {
  localStorage.setItem(loud, JSON.stringify(voices()))
  drop(view) // what is suggested was said in the other voices
  suggest(view)
}

// -- ghost text -----------------------------------------------------------------------------------------
const setGhost = StateEffect.define() // {at, text}, or null

class Words extends WidgetType {
  constructor(text) { super(); this.text = text }
  eq(other) { return other.text === this.text }
  toDOM() {
    return Object.assign(document.createElement("span"), { className: "cm-ghost", textContent: this.text, ariaHidden: "true" })
  }
}

const ghost = StateField.define({
  create: () => null,
  update(now, change) {
    for (const effect of change.effects) if (effect.is(setGhost)) return effect.value
    if (!now) return null
    if (change.docChanged) return typedAlong(now, change)
    return change.selection && change.newSelection.main.head !== now.at ? null : now
  },
  provide: (field) => EditorView.decorations.from(field, (now) =>
    now ? Decoration.set(Decoration.widget({ widget: new Words(now.text), side: 1 }).range(now.at)) : Decoration.none),
})

// whoever types just what was suggested keeps the rest of it
function typedAlong(now, change) {
  let rest = null
  change.changes.iterChanges((from, to, _, end, added) => {
    const text = added.toString()
    if (from === now.at && to === now.at && text && now.text.startsWith(text) && text.length < now.text.length)
      rest = { at: end, text: now.text.slice(text.length) }
  })
  return rest
}

function take(view, cut) {
  const now = view.state.field(ghost)
  if (!now) return false
  const text = cut(now.text), rest = now.text.slice(text.length)
  view.dispatch({
    changes: { from: now.at, insert: text }, selection: { anchor: now.at + text.length }, userEvent: "input.complete",
    effects: setGhost.of(rest ? { at: now.at + text.length, text: rest } : null), scrollIntoView: true,
  })
  if (!rest) suggest(view)
  return true
}

const drop = (view) => {
  cancel()
  if (!view.state.field(ghost)) return false
  view.dispatch({ effects: setGhost.of(null) })
  return true
}
const word = (text) => text.match(/^\s*\S+/)?.[0] ?? text

let asked = 0, waiting = null, flight = null
function cancel() {
  asked++ // whatever is under way is stale
  clearTimeout(waiting)
  flight?.abort()
  flight = null
}

function suggest(view) {
  cancel()
  if (!$("suggest").checked || !view.state.selection.main.empty) return
  waiting = setTimeout(() => fetchGhost(view, asked), PAUSE_MS)
}

// what is suggested so far, again and again, and whether that is all
async function* suggested(answer) {
  let content = ""
  if (answer.headers.get("content-type").startsWith("text/event-stream"))
    for await (const event of events(answer)) {
      if (event.error) throw new Error(event.error.message)
      yield { content: (content += event.choices?.[0]?.text ?? ""), done: false }
    }
  else ({ content } = await answer.json())
  yield { content, done: true }
}

async function fetchGhost(view, request) {
  const { doc } = view.state, at = view.state.selection.main.head
  const start = Math.max(0, Math.ceil((at - 2400) / 1200) * 1200) // it moves seldom, so the engine has most of it in its cache
  const before = doc.sliceString(start, at), after = doc.sliceString(at, at + 400)
  if (!before.trim()) return
  const mine = (flight = new AbortController())
  try {
    const answer = await send(place("ghost"), { before, after, voices: voices() }, { signal: mine.signal })
    let text = "", shown = ""
    for await (const { content, done } of suggested(answer)) {
      const now = view.state
      if (request !== asked || now.doc !== doc || now.selection.main.head !== at) return mine.abort() // it is stale
      text = /\s$/.test(before) ? content.trimStart() : content
      const whole = (done ? text : text.replace(/\S*$/, "")).trimEnd() // half a word is not shown
      if (whole.trim() && whole !== shown) view.dispatch({ effects: setGhost.of({ at, text: (shown = whole) }) })
    }
    if (shown) $("ghost-said").textContent = `Suggestion: ${shown}`
    $("ghost-told").textContent = ""
  } catch (error) {
    if (error.name !== "AbortError" && error.message) $("ghost-told").textContent = said(error)
  }
}

// -- marks ----------------------------------------------------------------------------------------------
const setMarks = StateEffect.define()
const looks = { off: Decoration.mark({ class: "cm-off" }), same: Decoration.mark({ class: "cm-same" }) }
const marked = StateField.define({
  create: () => Decoration.none,
  update(now, change) {
    now = now.map(change.changes)
    for (const effect of change.effects) if (effect.is(setMarks)) now = effect.value
    return now
  },
  provide: (field) => EditorView.decorations.from(field),
})

let markTimer = null, markFlight = null
function markSoon(view, pause = MARK_PAUSE_MS) {
  clearTimeout(markTimer)
  markFlight?.abort()
  if ($("marking").checked) markTimer = setTimeout(() => mark(view), pause)
}

async function mark(view) {
  const doc = view.state.doc, text = doc.toString()
  if (!text.trim()) return telling("Write a few sentences.")
  const mine = (markFlight = new AbortController())
  try {
    const found = await (await send(place("marks"), { text }, { signal: mine.signal })).json()
    if (view.state.doc !== doc || !$("marking").checked) return
    const ranges = [["off", found.off], ["same", found.same]]
      .flatMap(([kind, rows]) => rows.map((row) => looks[kind].range(row.start, row.end)))
    view.dispatch({ effects: setMarks.of(Decoration.set(ranges, true)) })
    tellMarks(view, found, text)
    if (found.voice.state === "settling") markSoon(view, SETTLING_MS)
    document.body.dataset.marked = found.voice.state
  } catch (error) {
    if (error.name !== "AbortError") telling(said(error))
  }
}

const telling = (text) => $("marks").replaceChildren(element("p", { className: "soft", textContent: text }))
const element = (name, values) => Object.assign(document.createElement(name), values)

function row(view, kind, one, text, told) {
  const button = element("button", { type: "button", className: `mark-row ${kind}` })
  button.append(element("q", { textContent: text.slice(one.start, one.end) }), element("span", { className: "soft small", textContent: told }))
  button.addEventListener("click", () => {
    view.dispatch({ selection: { anchor: one.start, head: Math.min(one.end, view.state.doc.length) }, scrollIntoView: true })
    view.focus()
  })
  const item = element("li", {})
  item.append(button)
  return item
}

function tellMarks(view, { off, same, read, voice }, text) {
  const list = element("ul", {})
  list.append(
    ...off.map((one) => row(view, "off", one, text, `less like you: ${one.bits.toFixed(2)} bits a byte more than the base needs`)),
    ...same.map((one) => row(view, "same", one, text, `${one.words} words as in ${one.path}`)),
  )
  const about = {
    settled: () => `A sentence is marked where your model finds it less likely than the base does, by more than 95 of 100 of ${voice.sentences} sentences of yours that it did not learn from.` +
      (voice.general_marked === null ? "" : ` Of general English ${Math.round(100 * voice.general_marked)}% would be marked.`),
    settling: () => `Reading your held-out text to know what is like you: ${Math.round(100 * voice.share)}%. Once for each model.`,
    none: () => said({ message: `Nothing is marked as unlike you: ${voice.why}`, hint: voice.hint }),
  }[voice.state]()
  const found = [voice.state === "settled" && `${counted(off.length, "sentence")} unlike you`, same.length && `${counted(same.length, "passage")} word for word from your material`]
  const lead = off.length || same.length ? `${found.filter(Boolean).join(", ")}.`
    : voice.state === "settled" ? "It all sounds like you, and nothing repeats your material." : "Nothing repeats your material."
  const cut = read < text.length && `This is of the first ${counted(read, "character")}; what stands behind them was not looked at.`
  $("marks").replaceChildren(element("p", { textContent: lead }), ...(cut ? [element("p", { textContent: cut })] : []), list, element("p", { className: "soft small", textContent: about }))
}

// -- rewriting ------------------------------------------------------------------------------------------
async function rewrite(view) {
  const { from, to } = view.state.selection.main, text = view.state.sliceDoc(from, to)
  $("rewrite").disabled = true
  $("choices").replaceChildren(element("p", { className: "soft", textContent: "It tries a few ways to say it …" }))
  try {
    const { choices, asked: prompt } = await (await send(place("rewrite"), { text, voices: voices() })).json()
    const told = choices.length ? "Read it before you take it: a small model may change what is said."
      : "Nothing that it wrote stayed close enough to what you said. Select one sentence, not several."
    $("choices").replaceChildren(element("p", { className: "soft small", textContent: told }), ...choices.flatMap((choice) => {
      const button = element("button", { type: "button", className: "choice", textContent: choice.text })
      button.addEventListener("click", () => {
        if (view.state.sliceDoc(from, to) !== text) return telling("The text has changed meanwhile; select it again.")
        view.dispatch({ changes: { from, to, insert: choice.text }, selection: { anchor: from + choice.text.length } })
        $("choices").replaceChildren()
        view.focus()
      })
      return [button, feedback({ id: choice.id, prompt, answer: choice.text })]
    }))
  } catch (error) {
    $("choices").replaceChildren(element("p", { className: "bad", textContent: said(error) }))
  } finally {
    $("rewrite").disabled = view.state.selection.main.empty
  }
}

// -- the editor -----------------------------------------------------------------------------------------
const look = EditorView.theme({
  "&": { height: "100%", fontSize: "1.12rem", color: "var(--ink)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--read)", lineHeight: "1.75", padding: "1.5rem clamp(0.75rem, 4vw, 3rem)" },
  ".cm-content": { maxWidth: "40rem", margin: "0 auto", caretColor: "var(--ours)" },
  ".cm-cursor": { borderLeftColor: "var(--ours)", borderLeftWidth: "2px" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground":
    { background: "color-mix(in srgb, var(--base) 25%, transparent)" },
  ".cm-ghost": { color: "var(--soft)", fontStyle: "italic" },
  ".cm-off": { textDecoration: "underline wavy var(--ours) 1px", textUnderlineOffset: "0.25em" },
  ".cm-same": { background: "var(--base-wash)", borderBottom: "2px solid var(--base)" },
  ".cm-placeholder": { color: "var(--soft)" },
})
const highlight = HighlightStyle.define([
  { tag: tags.heading1, fontWeight: "700", fontSize: "1.4em" }, { tag: tags.heading, fontWeight: "700" },
  { tag: tags.strong, fontWeight: "700" }, { tag: tags.emphasis, fontStyle: "italic" },
  { tag: tags.monospace, fontFamily: "ui-monospace, monospace", fontSize: "0.9em" }, { tag: tags.quote, color: "var(--soft)" },
  { tag: tags.processingInstruction, color: "var(--soft)" }, { tag: tags.link, color: "var(--base)" },
])
const keys = [
  { key: "Tab", run: (view) => take(view, (text) => text) },
  { key: "Ctrl-ArrowRight", run: (view) => take(view, word) }, { key: "Alt-ArrowRight", run: (view) => take(view, word) },
  { key: "Escape", run: drop },
]

const ELSEWHERE = "elsewhere" // what another tab of this model wrote

const changed = EditorView.updateListener.of((update) => {
  if (update.selectionSet || update.docChanged) $("rewrite").disabled = update.state.selection.main.empty
  if (!update.docChanged) return void (update.selectionSet && !update.state.field(ghost) && cancel())
  if (!update.transactions.some((one) => one.isUserEvent(ELSEWHERE))) localStorage.setItem(draft, update.state.doc.toString())
  const typed = update.transactions.some((one) => one.isUserEvent("input") || one.isUserEvent("delete"))
  if (typed && !update.state.field(ghost)) suggest(update.view)
  else if (!typed) cancel()
  markSoon(update.view)
})

$("ghost-told").before(element("p", { id: "ghost-said", className: "unseen", ariaLive: "polite" }))
const view = new EditorView({
  parent: $("editor"),
  state: EditorState.create({
    doc: localStorage.getItem(draft) ?? "",
    extensions: [
      EditorView.cspNonce.of(document.querySelector("meta[name=nonce]").content), Prec.highest(keymap.of(keys)), history(),
      drawSelection(), keymap.of([...defaultKeymap, ...historyKeymap]), markdown(), syntaxHighlighting(highlight), ghost, marked,
      EditorView.lineWrapping, look, changed, placeholder("Begin a sentence. It goes on in grey; Tab takes it."),
      EditorView.contentAttributes.of({ "aria-label": "Your text", spellcheck: "true" }),
    ],
  }),
})
$("rewrite").addEventListener("click", () => rewrite(view))
$("suggest").addEventListener("change", () => { if (!$("suggest").checked) drop(view) })
$("marking").addEventListener("change", () => {
  if ($("marking").checked) return markSoon(view, 0)
  clearTimeout(markTimer)
  markFlight?.abort()
  view.dispatch({ effects: setMarks.of(Decoration.none) })
  telling("Marks are off.")
})
$("save").addEventListener("click", () => {
  const link = element("a", { href: URL.createObjectURL(new Blob([view.state.doc.toString()])), download: "draft.md" })
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 1000)
})
addEventListener("storage", ({ key, newValue }) => {
  const { length } = view.state.doc
  if (key === draft && newValue !== null) view.dispatch({ changes: { from: 0, to: length, insert: newValue }, userEvent: ELSEWHERE })
})
listenToVoices(view)
view.focus()
if (view.state.doc.length) markSoon(view)
