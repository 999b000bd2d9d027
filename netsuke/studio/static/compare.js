// Two models on one beginning: both streams at once, every token with its probability.
import { feedback } from "./feedback.js"
import { events, said, send } from "./studio.js"

const $ = (id) => document.getElementById(id)
let running = null

// an event as tokens: what was said, how likely it was, what else it might have been
const tokens = (event) =>
  (event.choices?.[0]?.logprobs?.content ?? []).map((one) => ({ text: one.token, chance: Math.exp(one.logprob), others: one.top_logprobs ?? [] }))

function shown(token) {
  const span = document.createElement("span")
  span.className = `t p${Math.min(9, Math.floor(token.chance * 10))}`
  span.textContent = token.text
  span.token = token
  return span
}

const percent = (chance) => `${(100 * chance).toFixed(chance < 0.1 ? 1 : 0)}%`
const visible = (text) => `“${text.replaceAll("\n", "↵")}”`

function tell(span) {
  document.querySelectorAll(".t.at").forEach((one) => one.classList.remove("at"))
  if (!span?.token) return
  span.classList.add("at")
  const others = span.token.others.map((one) => `${visible(one.token)} ${percent(Math.exp(one.logprob))}`)
  $("odds").textContent = `${visible(span.token.text)} was ${percent(span.token.chance)} likely. Likeliest: ${others.join(", ")}`
}

async function write(side, signal) {
  const out = $(`out-${side}`), who = $(`who-${side}`).value, prompt = $("prompt").value, asked = $("asked").checked
  const found = $(`found-${side}`)
  let id = ""
  found.replaceChildren()
  out.replaceChildren()
  out.setAttribute("aria-label", `what ${who} writes`)
  try {
    const answer = await send("/compare/stream", {
      who, prompt, asked, tokens: +$("tokens").value, seed: 7,
    }, { signal })
    for await (const event of events(answer)) {
      if (event.error) throw new Error(event.error.message)
      for (const token of tokens(event)) out.append(shown(token))
      id ||= event.id ?? ""
    }
    const isBase = who.startsWith("the base of ")
    if (id && asked && !isBase) found.append(feedback({ id, prompt, answer: out.textContent.trim() }))
    if (!out.textContent.trim()) out.textContent = "It ended at once: the model has nothing to add here."
  } catch (error) {
    if (error.name === "AbortError") return
    out.append(Object.assign(document.createElement("p"), { className: "bad", textContent: said(error) }))
  }
}

function halted() {
  if (document.activeElement === $("halt")) $("compare").querySelector(".first").focus()
  $("halt").hidden = true
}

$("compare").addEventListener("submit", async (event) => {
  event.preventDefault()
  running?.abort()
  const mine = (running = new AbortController())
  $("halt").hidden = false
  await Promise.all(["one", "two"].map((side) => write(side, mine.signal)))
  if (running === mine) halted()
  document.body.dataset.compared = 1 + +(document.body.dataset.compared ?? 0)
})
$("halt").addEventListener("click", () => running?.abort())
for (const side of ["one", "two"]) {
  const out = $(`out-${side}`)
  out.addEventListener("mouseover", (event) => tell(event.target))
  out.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (!step) return
    event.preventDefault()
    const spans = [...out.querySelectorAll(".t")], at = spans.findIndex((one) => one.classList.contains("at"))
    tell(spans[Math.max(0, Math.min(spans.length - 1, at + step))])
  })
}
