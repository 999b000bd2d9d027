// What the pages do by themselves: dials that tell their value, files that are dropped, a make that is watched.
const $ = (id) => document.getElementById(id)

export async function send(address, body, { signal, method = "POST" } = {}) {
  const answer = await fetch(address, {
    method, signal, body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", Accept: "application/json" },
  })
  if (!answer.ok) throw await trouble(answer)
  return answer
}

export async function trouble(answer) {
  const told = await answer.json().catch(() => null)
  const error = new Error(told?.error?.message ?? `The studio answered with ${answer.status}.`)
  error.hint = told?.error?.hint ?? ""
  return error
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

async function taken(files, name) {
  const told = $("drop-told"), bar = $("uploaded"), button = document.querySelector("#make .first")
  button.disabled = true
  bar.hidden = false
  try {
    const { folder, path } = await (await send("/folders", { name })).json()
    let done = 0
    for (const [place, file] of files) {
      const answer = await fetch(`/folders/${encodeURIComponent(folder)}?path=${encodeURIComponent(place)}`, {
        method: "POST", body: file, headers: { Accept: "application/json" },
      })
      if (!answer.ok) throw await trouble(answer)
      bar.value = ++done / files.length
      told.textContent = `${done} of ${counted(files.length, "file")} taken in`
    }
    told.textContent = `${counted(done, "file")} taken in`
    $("drop").classList.add("full")
    $("target").value = path
    estimate()
  } catch (error) {
    told.textContent = `${error.message} Drop them again.`
  } finally {
    button.disabled = false
    bar.hidden = true
  }
}

function drops() {
  const drop = $("drop")
  const over = (on) => (event) => { event.preventDefault(); drop.classList.toggle("over", on) }
  drop.addEventListener("dragover", over(true))
  drop.addEventListener("dragleave", over(false))
  drop.addEventListener("drop", async (event) => {
    over(false)(event)
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean)
    const files = []
    if (entries.length) for (const entry of entries) for await (const found of walked(entry)) files.push(found)
    else files.push(...[...event.dataTransfer.files].map((file) => [file.name, file]))
    const folder = entries.length === 1 && entries[0].isDirectory ? entries[0].name : "my-documents"
    if (files.length) await taken(files, folder)
  })
  $("choose").addEventListener("click", () => $("files").click())
  $("choose-folder").addEventListener("click", () => $("folder").click())
  for (const input of [$("files"), $("folder")]) input.addEventListener("change", () => {
    const files = [...input.files].map((file) => [file.webkitRelativePath || file.name, file])
      .filter(([path]) => !path.split("/").some((part) => part.startsWith(".")))
    if (files.length) taken(files, files[0][0].includes("/") ? files[0][0].split("/")[0] : "my-documents")
  })
}

// -- a make ---------------------------------------------------------------------------------------------
function watch(place) {
  const events = new EventSource(place.dataset.events)
  events.onmessage = ({ data }) => {
    const told = JSON.parse(data)
    place.innerHTML = told.html
    if ($("said").textContent !== told.said) $("said").textContent = told.said
    if (told.ended) { events.close(); $("make-stop").hidden = true }
  }
}

if ($("make")) { dials(); drops() }
if ($("make-state")?.dataset.events) watch($("make-state"))
