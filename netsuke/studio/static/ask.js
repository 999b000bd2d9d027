// Rows in, labels out, one after the other as they are answered; and all of them as a table to keep.
import { feedback } from "./feedback.js"
import { counted, dropped, lines, pick, said, send } from "./studio.js"

const $ = (id) => document.getElementById(id)
const table = $("answers"), body = table.querySelector("tbody")
const labels = JSON.parse(table.dataset.labels)
let answers = [], running = null

function row(answer) {
  const cells = [
    answer.question, answer.error ?? (answer.abstained ? "not sure" : answer.answer),
    answer.confidence === null ? "" : `${Math.round(100 * answer.confidence)}%`,
    answer.likely.slice(1).map(([label, share]) => `${label} ${Math.round(100 * share)}%`).join(", "),
  ]
  const line = document.createElement("tr")
  line.className = answer.abstained || answer.error ? "unsure" : ""
  line.append(...cells.map((text, number) =>
    Object.assign(document.createElement("td"), { textContent: text, className: number === 2 ? "n" : "" })))
  const found = document.createElement("td")
  if (!answer.error) found.append(feedback({ id: answer.id, prompt: answer.question, answer: answer.answer ?? "", labels }))
  line.append(found)
  return line
}

async function ask(rows) {
  running?.abort() // else both would write into one table
  const mine = (running = new AbortController())
  answers = []
  body.replaceChildren()
  table.hidden = $("download").hidden = true
  $("asked").textContent = "It reads the first one …"
  try {
    const answer = await send(`/m/${encodeURIComponent(table.dataset.model)}/answers`, { rows }, { signal: mine.signal })
    if (running !== mine) return
    table.hidden = false
    for await (const line of lines(answer)) {
      if (running !== mine) return
      answers.push(JSON.parse(line))
      body.append(row(answers.at(-1)))
      $("asked").textContent = `${counted(answers.length, "text")} answered`
    }
    $("download").hidden = false
  } catch (error) {
    if (running !== mine) return
    $("asked").textContent = said(error)
  }
}

// a cell that a spreadsheet would run is put behind an apostrophe (OWASP, CSV injection)
const cell = (value) => {
  const text = String(value ?? "")
  return `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`
}

function download() {
  const lines = [["text", "answer", "confidence"], ...answers.map((one) => [one.question, one.answer, one.confidence])]
  const blob = new Blob([lines.map((line) => line.map(cell).join(",")).join("\n") + "\n"], { type: "text/csv" })
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: "answers.csv" })
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 1000)
}

async function fill(file) {
  if (!file) return
  try {
    $("texts").value = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer())
    $("asked").textContent = ""
  } catch {
    $("asked").textContent = `${file.name} cannot be read as UTF-8: save it as UTF-8 and choose it again.`
  }
}

$("ask").addEventListener("submit", (event) => { event.preventDefault(); ask($("texts").value) })
$("csv").addEventListener("click", () => pick($("table")))
$("table").addEventListener("change", () => fill($("table").files[0]))
dropped($("ask"), (data) => fill(data.files[0]))
$("download").addEventListener("click", download)
