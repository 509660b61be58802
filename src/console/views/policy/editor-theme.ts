// How the editor looks: the tokens of the console, which reach into its shadow root, so both themes are one.

import { HighlightStyle } from '@codemirror/language';
import { EditorView } from '@codemirror/view';
import { tags } from '@lezer/highlight';

/** Keys in the colour of acts; only problems carry another. */
export const editorColours = HighlightStyle.define([
  { tag: tags.definition(tags.propertyName), color: 'var(--accent)' },
  { tag: [tags.comment, tags.lineComment], color: 'var(--ink3)' },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace], color: 'var(--ink2)' },
]);

/** A marker and an underline of our own: those of the package are pictures in addresses, which the page's policy forbids. */
function problemLook(
  severity: string,
  colour: string,
): Readonly<Record<string, Readonly<Record<string, string>>>> {
  return {
    [`.cm-lintRange-${severity}`]: {
      backgroundImage: 'none',
      paddingBottom: '0',
      textDecoration: `underline wavy ${colour}`,
      textUnderlineOffset: '3px',
      textDecorationSkipInk: 'none',
    },
    [`.cm-lintPoint-${severity}:after`]: { borderBottomColor: colour },
    [`.cm-lint-marker-${severity}`]: { content: 'none' },
    [`.cm-lint-marker-${severity}::before`]: { content: '"●"', color: colour, fontSize: '9px' },
    [`.cm-diagnostic-${severity}`]: { borderLeft: `2px solid ${colour}` },
  };
}

export const editorTheme = EditorView.theme({
  '&': { height: '100%', color: 'var(--ink)', backgroundColor: 'transparent', fontSize: '12px' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': {
    fontFamily: 'var(--mono)',
    lineHeight: '20px',
    letterSpacing: '0',
    fontVariantLigatures: 'none',
    overflow: 'auto',
  },
  '.cm-content': { padding: '8px 0', caretColor: 'var(--ink)' },
  '.cm-line': { padding: '0 14px 0 8px' },
  '.cm-gutters': { backgroundColor: 'transparent', color: 'var(--ink3)', border: '0' },
  '.cm-lineNumbers .cm-gutterElement': { padding: '0 4px 0 14px', minWidth: '44px' },
  '.cm-gutter-lint': { width: '14px' },
  '.cm-gutter-lint .cm-gutterElement': { padding: '0' },
  '.cm-activeLine': { backgroundColor: 'var(--hover)' },
  '.cm-activeLineGutter': { backgroundColor: 'transparent', color: 'var(--ink)' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    background: 'var(--accent-soft)',
  },
  '.cm-placeholder': { color: 'var(--ink3)' },
  '.cm-specialChar': { color: 'var(--error)' },
  '.cm-searchMatch': { backgroundColor: 'var(--error-soft)', outline: '1px solid var(--line2)' },
  '.cm-searchMatch-selected': { backgroundColor: 'var(--accent-soft)', outlineColor: 'var(--accent)' },
  '.cm-tooltip': {
    backgroundColor: 'var(--surface)',
    color: 'var(--ink)',
    border: '1px solid var(--line2)',
    borderRadius: '6px',
    boxShadow: 'var(--shadow)',
  },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--mono)', maxHeight: '240px' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '3px 10px', lineHeight: '18px' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': {
    backgroundColor: 'var(--accent-soft)',
    color: 'var(--ink)',
  },
  '.cm-completionMatchedText': { textDecoration: 'none', color: 'var(--accent)', fontWeight: '600' },
  '.cm-completionInfo, .cm-diagnostic': {
    fontFamily: 'var(--sans)',
    lineHeight: '17px',
    padding: '6px 10px',
    maxWidth: '340px',
    whiteSpace: 'pre-wrap',
    overflowWrap: 'anywhere',
  },
  '.cm-panels': { backgroundColor: 'var(--sunken)', color: 'var(--ink)', borderColor: 'var(--line)' },
  '.cm-panels-top': { borderBottom: '1px solid var(--line)' },
  '.cm-textfield': { backgroundColor: 'var(--surface)', border: '1px solid var(--line2)', color: 'inherit' },
  '.cm-button': {
    backgroundImage: 'none',
    backgroundColor: 'var(--surface)',
    border: '1px solid var(--line2)',
  },
  '.cm-panel button:focus-visible, .cm-panel input:focus-visible': { outline: '2px solid var(--accent)' },
  '.cm-panel.cm-search [name=close]': { color: 'var(--ink2)' },
  ...problemLook('error', 'var(--deny)'),
  ...problemLook('warning', 'var(--error)'),
});
