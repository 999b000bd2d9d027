// What the writing page uses of CodeMirror 6, as one module. Markdown without the languages inside its code blocks:
// those are half of the bytes.
import { parser } from "@lezer/markdown"
import { Language, LanguageSupport, defineLanguageFacet } from "@codemirror/language"

export { EditorState, StateEffect, StateField, Prec } from "@codemirror/state"
export { Decoration, EditorView, WidgetType, drawSelection, keymap, placeholder, hoverTooltip } from "@codemirror/view"
export { defaultKeymap, history, historyKeymap } from "@codemirror/commands"
export { HighlightStyle, syntaxHighlighting } from "@codemirror/language"
export { tags } from "@lezer/highlight"
export const markdown = () => new LanguageSupport(new Language(defineLanguageFacet({}), parser, [], "markdown"))
