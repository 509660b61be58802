// What the editor of the policy is made of.

import {
  autocompletion,
  type Completion,
  type CompletionContext,
  completionKeymap,
  type CompletionResult,
  startCompletion,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { yaml } from '@codemirror/lang-yaml';
import { indentUnit, syntaxHighlighting } from '@codemirror/language';
import { lintGutter, lintKeymap } from '@codemirror/lint';
import { search, searchKeymap } from '@codemirror/search';
import { type Compartment, EditorState, type Extension } from '@codemirror/state';
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  placeholder as placeholderOf,
} from '@codemirror/view';
import schemaText from '../../../../schema/policy.schema.json?raw';
import { type SchemaNode, suggestAt, type Suggestion } from '../../model/schema-completion.ts';
import { editorColours, editorTheme } from './editor-theme.ts';

export interface EditorPartsOptions {
  readonly fixed: Compartment;
  readonly placeholder: string;
  readonly change: (text: string) => void;
  /** Names that can stand behind `inject`. */
  readonly credentials: () => readonly string[];
}

export function editorParts({ fixed, placeholder, change, credentials }: EditorPartsOptions): Extension {
  return [
    lineNumbers(),
    lintGutter(),
    highlightActiveLine(),
    highlightActiveLineGutter(),
    highlightSpecialChars({ addSpecialChars: hiddenCharacters }),
    drawSelection(),
    history(),
    yaml(),
    indentUnit.of('  '),
    syntaxHighlighting(editorColours),
    editorTheme,
    search({ top: true }),
    autocompletion({ override: [(context) => completed(context, credentials())], icons: false }),
    placeholderOf(placeholder),
    // Esc, then Tab, leaves the field: CodeMirror gives Tab back for two seconds.
    keymap.of([
      ...completionKeymap,
      ...lintKeymap,
      ...searchKeymap,
      ...historyKeymap,
      ...defaultKeymap,
      indentWithTab,
    ]),
    EditorView.contentAttributes.of({
      'aria-label': 'A policy file',
      tabindex: '0',
      'aria-description': 'Tab indents. Escape, then Tab, leaves the field.',
      spellcheck: 'false',
      autocapitalize: 'off',
      autocorrect: 'off',
    }),
    fixed.of(fixedState(false)),
    EditorView.updateListener.of(({ docChanged, state }) => {
      if (docChanged) change(state.doc.toString());
    }),
  ];
}

/** A text that waits for the gateway is read, and not changed. */
export function fixedState(isFixed: boolean): Extension {
  return EditorState.readOnly.of(isFixed);
}

/** What orders text or has no width, beside what CodeMirror shows already: somebody else may have written the file. */
const hiddenCharacters =
  /\u034f|[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f]|\u115f|\u1160|\u17b4|\u17b5|\u3164|\uffa0/u;

const schema = JSON.parse(schemaText) as SchemaNode;

function completed(
  { state, pos, explicit }: CompletionContext,
  credentials: readonly string[],
): CompletionResult | null {
  const { doc } = state;
  const row = doc.lineAt(pos);
  const column = pos - row.from;
  const found = suggestAt({
    schema,
    lines: { count: doc.lines, line: (at) => doc.line(at + 1).text },
    row: row.number - 1,
    column,
    names: { inject: credentials },
  });
  // Where nothing of a word stands yet, only who asks is told.
  if (found === undefined || (!explicit && found.from === column)) return null;
  return { from: row.from + found.from, options: found.items.map(optionOf), validFor: /^[\w.-]*$/ };
}

function optionOf({ label, what, info, text }: Suggestion): Completion {
  return {
    label,
    type: what === 'key' ? 'property' : 'constant',
    ...(info === undefined ? {} : { info }),
    apply: (view, _, from, to) => {
      // The space behind a colon may be there already.
      const isSpaced = text.endsWith(': ') && view.state.sliceDoc(to, to + 1) === ':';
      const insert = isSpaced ? text.slice(0, -2) : text;
      view.dispatch({
        changes: { from, to, insert },
        selection: { anchor: from + insert.length },
        userEvent: 'input.complete',
      });
      if (text.includes('\n')) startCompletion(view);
    },
  };
}
