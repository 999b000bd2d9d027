// What somebody finds an answer: a thumb, and with consent a better one, kept to learn from.
import { said, send } from "./studio.js"

const made = (kind, values = {}, ...parts) => {
  const element = Object.assign(document.createElement(kind), values)
  element.append(...parts)
  return element
}
let count = 0

// `labels`: what an answer may be, where the task has labels; `prompt` and `answer` are what stands in the form at first
export function feedback({ id, prompt, answer = "", labels = null }) {
  const place = made("div", { className: "feedback" }), told = made("span", { className: "soft small" })
  told.setAttribute("role", "status")
  const number = ++count

  async function say(body, done) {
    try {
      await send("/v1/feedback", { id, ...body })
      told.textContent = done
      return true
    } catch (error) {
      told.textContent = said(error)
      return false
    }
  }

  const thumbs = [["up", "👍", "Good answer"], ["down", "👎", "Bad answer"]].map(([thumb, sign, title]) => {
    const button = made("button", { type: "button", className: "thumb", textContent: sign, title })
    button.setAttribute("aria-label", title)
    button.setAttribute("aria-pressed", "false")
    button.addEventListener("click", async () => {
      if (await say({ thumb }, thumb === "up" ? "Noted: good." : "Noted: bad.")) press(button)
    })
    return button
  })
  const press = (button) => { for (const one of thumbs) one.setAttribute("aria-pressed", String(one === button)) }

  const better = labels
    ? made("select", { id: `better-${number}` }, ...labels.map((label) => made("option", { textContent: label, selected: label === answer })))
    : made("textarea", { id: `better-${number}`, rows: 3, value: answer, required: true, maxLength: 20000 })
  const consent = made("input", { type: "checkbox", required: true })
  const form = made("form", { className: "correcting" },
    made("label", { htmlFor: better.id, textContent: "What it should have said" }), better,
    made("label", { className: "check" }, consent, "Keep this question and answer here, and learn from them at the next training"),
    made("button", { className: "button small", textContent: "Keep it" }))
  const summary = made("summary", { textContent: "correct it" }), details = made("details", {}, summary, form)
  form.addEventListener("submit", async (event) => {
    event.preventDefault()
    const body = { thumb: "down", correction: { prompt, answer: better.value }, consent: consent.checked }
    if (!await say(body, "Kept. Watch lists it.")) return
    press(thumbs[1]) // what is corrected was bad
    details.open = false
    summary.focus() // the button is out of sight
  })
  place.append(made("div", { className: "thumbs" }, ...thumbs, told), details)
  return place
}
