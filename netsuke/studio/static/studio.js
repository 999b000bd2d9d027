// What the pages do by themselves: dials that tell their value, files that are dropped, a make that is watched.
const $ = (id) => document.getElementById(id)
const GONE = "The studio does not answer; `netsuke open` starts it or gives a new link."
const gone = (is) => ($("gone").textContent = is ? GONE : "")

export async function send(address, body, { signal, method = "POST" } = {}) {
  return answered(address, {
    method, signal, body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", Accept: "application/json" },
  })
}

async function answered(address, options) {
  const answer = await fetch(address, options).catch((error) => {
    throw error instanceof TypeError ? new Error(GONE) : error // else it was given up
  })
  if (!answer.ok) throw await trouble(answer)
  return answer
}

async function trouble(answer) {
  const told = await answer.json().catch(() => null)
  const error = new Error(told?.error?.message ?? `The studio answered with ${answer.status}.`)
  error.hint = told?.error?.hint ?? ""
  return error
}

// the lines of an answer as they come
export async function* lines(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
  for (let rest = ""; ;) {
    const { value, done } = await reader.read()
    if (done) return
    const whole = (rest + value).split("\n")
    rest = whole.pop()
    yield* whole
  }
}

// what a stream of server-sent events tells
export async function* events(answer) {
  for await (const line of lines(answer)) {
    const data = line.startsWith("data: ") ? line.slice(6) : ""
    if (data === "[DONE]") return
    if (data) yield JSON.parse(data)
  }
}

// what went wrong and what to do, as sentences
export const said = ({ message, hint }) => [/[.!?…:]$/.test(message) ? message : `${message}.`, hint].filter(Boolean).join(" ")

// choose files; the same ones again too, which would be no change
export function pick(input) {
  input.value = ""
  input.click()
}

// files that are dropped anywhere on an element, which shows meanwhile that they may be; a text that is moved is no file
export function dropped(place, take) {
  const over = (on) => (event) => {
    if (!event.dataTransfer.types.includes("Files")) return
    event.preventDefault()
    place.classList.toggle("over", on)
    if (event.type === "drop") take(event.dataTransfer)
  }
  for (const [kind, on] of [["dragover", true], ["dragleave", false], ["drop", false]]) place.addEventListener(kind, over(on))
}

export const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`

// -- the first page -------------------------------------------------------------------------------------
const estimate = () => document.body.dispatchEvent(new Event("estimate"))

function tell(dial) {
  const { unit, zero } = dial.dataset
  $(`${dial.id}-told`).textContent = zero && +dial.value === 0 ? zero : `${dial.value} ${unit}`
}

function dials() {
  const all = [...document.querySelectorAll(".dial input")]
  for (const dial of all) {
    dial.addEventListener("input", () => tell(dial))
    dial.addEventListener("change", estimate)
  }
  $("target").addEventListener("change", estimate)
  $("name").addEventListener("change", estimate)
  addEventListener("pageshow", () => { all.forEach(tell); estimate() }) // a browser that goes back moves the dials alone
}

async function* walked(entry, path = "") {
  if (entry.name.startsWith(".")) return
  if (entry.isFile) yield [path + entry.name, await new Promise((give, fail) => entry.file(give, fail))]
  if (!entry.isDirectory) return
  const reader = entry.createReader()
  for (;;) {
    const some = await new Promise((give, fail) => reader.readEntries(give, fail))
    if (!some.length) return
    for (const one of some) yield* walked(one, `${path}${entry.name}/`)
  }
}

let open = null // the folder that whatever is dropped goes into, {folder, path}
const held = new Map() // what is in it: each file by its path, with what tells it from another of that path
const mark = (file) => `${file.size} ${file.lastModified}`

async function taken(files, name) {
  const told = $("drop-told"), bar = $("uploaded"), button = document.querySelector("#make .first")
  const fresh = files.filter(([place, file]) => held.get(place) !== mark(file))
  button.disabled = true
  bar.hidden = false
  try {
    open ??= await (await send("/folders", { name })).json()
    for (const [number, [place, file]] of fresh.entries()) {
      await answered(`/folders/${encodeURIComponent(open.folder)}?path=${encodeURIComponent(place)}`, {
        method: "POST", body: file, headers: { Accept: "application/json" },
      })
      held.set(place, mark(file))
      bar.value = (number + 1) / fresh.length
      told.textContent = `${number + 1} of ${counted(fresh.length, "file")} taken in`
    }
    told.textContent = `${counted(held.size, "file")} taken in`
    $("drop").classList.add("full")
    $("target").value = open.path
    estimate()
  } catch (error) {
    told.textContent = said({ message: said(error), hint: "Drop them again." })
  } finally {
    button.disabled = false
    bar.hidden = true
  }
}

function drops() {
  let last = Promise.resolve() // one lot after the other, into one folder
  const take = (files, name) => { if (files.length) last = last.then(() => taken(files, name)) }
  dropped($("drop"), async (data) => {
    const entries = [...data.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean)
    const files = []
    if (entries.length) for (const entry of entries) for await (const found of walked(entry)) files.push(found)
    else files.push(...[...data.files].map((file) => [file.name, file]))
    take(files, entries.length === 1 && entries[0].isDirectory ? entries[0].name : "my-documents")
  })
  for (const [button, input] of [[$("choose"), $("files")], [$("choose-folder"), $("folder")]]) {
    button.addEventListener("click", () => pick(input))
    input.addEventListener("change", () => {
      const files = [...input.files].map((file) => [file.webkitRelativePath || file.name, file])
        .filter(([path]) => !path.split("/").some((part) => part.startsWith(".")))
      take(files, files[0]?.[0].includes("/") ? files[0][0].split("/")[0] : "my-documents")
    })
  }
}

// -- a make ---------------------------------------------------------------------------------------------
function watch(place) {
  const events = new EventSource(place.dataset.events)
  events.onerror = () => gone(true) // a browser tries again by itself
  events.onmessage = ({ data }) => {
    gone(false)
    const told = JSON.parse(data)
    place.innerHTML = told.html
    if ($("said").textContent !== told.said) $("said").textContent = told.said
    if (!told.ended) return
    events.close()
    $("make-stop").hidden = true
    document.title = `${place.querySelector("h1").textContent} · Netsuke`
  }
}

document.addEventListener("htmx:before:request", () => gone(false))
document.addEventListener("htmx:error", () => gone(true))
document.addEventListener("htmx:response:error", ({ detail }) => gone(detail.ctx.response.status === 401))
if ($("make")) { dials(); drops() }
if ($("make-state")?.dataset.events) watch($("make-state"))
