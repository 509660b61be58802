// The field in which a policy is written: completion by the policy's schema, and the gateway's problems where they are. It is loaded when
// it is first shown, so no other view pays for it. It stands in a shadow root, where a constructed sheet holds its styles: the page's policy
// forbids any other that a script makes.

import { type ReactElement, useEffect, useRef } from 'react';
import { Compartment, EditorState } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { setDiagnostics, type Diagnostic } from '@codemirror/lint';
import { editorParts, fixedState } from './editor-parts.ts';

export interface TextProblem {
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
}

export interface PolicyEditorProps {
  readonly value: string;
  readonly change: (text: string) => void;
  readonly problems: readonly TextProblem[];
  /** It can be read and not changed. */
  readonly isFixed: boolean;
  readonly placeholder: string;
  /** From 1: where the cursor is to go, once for each object. */
  readonly goTo: { readonly line: number } | undefined;
  readonly credentials: readonly string[];
}

export function PolicyEditor(props: PolicyEditorProps): ReactElement {
  const { value, problems, isFixed, goTo } = props;
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const fixed = useRef(new Compartment());
  const current = useRef(props);
  useEffect(() => {
    current.current = props;
  });
  useEffect(() => {
    if (host.current === null) return undefined;
    const root = host.current.shadowRoot ?? host.current.attachShadow({ mode: 'open' });
    const made = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: current.current.value,
        extensions: editorParts({
          fixed: fixed.current,
          placeholder: current.current.placeholder,
          change: (text) => current.current.change(text),
          credentials: () => current.current.credentials,
        }),
      }),
    });
    view.current = made;
    return () => made.destroy();
  }, []);
  useEffect(() => {
    const { current: made } = view;
    if (made === undefined || made.state.doc.toString() === value) return;
    made.dispatch({ changes: { from: 0, to: made.state.doc.length, insert: value } });
  }, [value]);
  useEffect(() => {
    view.current?.dispatch({ effects: fixed.current.reconfigure(fixedState(isFixed)) });
  }, [isFixed]);
  useEffect(() => {
    const { current: made } = view;
    if (made !== undefined) made.dispatch(setDiagnostics(made.state, placed(made.state, problems)));
    // As the text goes on, they go with their places until others are told.
  }, [problems]);
  useEffect(() => {
    const { current: made } = view;
    if (made === undefined || goTo === undefined) return;
    const { from } = made.state.doc.line(Math.min(Math.max(goTo.line, 1), made.state.doc.lines));
    made.dispatch({ selection: { anchor: from }, effects: EditorView.scrollIntoView(from, { y: 'center' }) });
    made.focus();
  }, [goTo]);
  return <div ref={host} className="edit" />;
}

/** As the gateway says them, on the text as it is; what has no line is told beside it. */
function placed(state: EditorState, problems: readonly TextProblem[]): readonly Diagnostic[] {
  return problems.flatMap(({ severity, message, line, column = 1 }) => {
    if (line === undefined || line < 1 || line > state.doc.lines) return [];
    const { from, to } = state.doc.line(line);
    const start = Math.min(from + Math.max(column - 1, 0), to);
    return [{ from: start, to, severity, message }];
  });
}
