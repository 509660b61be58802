// The draft as it is written: its files, and the editor. Until that is loaded, and where it cannot be, a plain field takes its place.

import { Component, lazy, type ReactElement, type ReactNode, Suspense, useMemo } from 'react';
import { draftText, type PolicyDraft, withText } from '../../model/policy-draft.ts';
import { plainText } from '../../model/clean-text.ts';
import { Clean } from '../../parts/clean.tsx';
import { useAsked } from '../../parts/operator.ts';
import { DraftText } from './draft-text.tsx';
import type { PolicyEditorProps } from './policy-editor.tsx';
import type { TypedCheck } from './typed-check.ts';

const PolicyEditor = lazy(async () => ({ default: (await import('./policy-editor.tsx')).PolicyEditor }));

interface DraftPaneProps {
  readonly draft: PolicyDraft;
  readonly change: (draft: PolicyDraft) => void;
  readonly typed: TypedCheck;
  /** The gateway is asked about it. */
  readonly isFixed: boolean;
}

const example = `rules:
  - name: api-items-create
    hosts: api.example.com
    methods: POST
    paths: /v1/items`;

export function DraftPane({ draft, change, typed, isFixed }: DraftPaneProps): ReactElement {
  const credentials = useAsked({ operation: 'credentials', path: '/v1/credentials' }).value?.items;
  const names = useMemo(() => credentials?.map(({ name }) => name) ?? [], [credentials]);
  const file = draft.files[draft.at]?.name;
  const { checked } = typed;
  const problems = useMemo(
    () => checked?.problems.filter((one) => one.file === undefined || one.file === file) ?? [],
    [checked, file],
  );
  const props: PolicyEditorProps = {
    value: draftText(draft),
    change: (text) => change(withText(draft, text)),
    problems,
    isFixed,
    placeholder: example,
    goTo: draft.goTo,
    credentials: names,
  };
  return (
    <div className="draft">
      <FileTabs draft={draft} change={isFixed ? () => undefined : change} />
      <OrPlain plain={<PlainField {...props} />}>
        <Suspense fallback={<PlainField {...props} isFixed />}>
          <PolicyEditor {...props} />
        </Suspense>
      </OrPlain>
      <p className="gh hm">
        <kbd>Ctrl</kbd> <kbd>Space</kbd> completes, <kbd>F8</kbd> goes to the next problem, <kbd>Esc</kbd>{' '}
        then <kbd>Tab</kbd> leaves the field.
      </p>
    </div>
  );
}

function PlainField({ value, change, problems, isFixed, placeholder }: PolicyEditorProps): ReactElement {
  const lines = new Set(problems.flatMap(({ line }) => (line === undefined ? [] : [line])));
  return <DraftText {...{ value, change, isFixed, placeholder }} problems={lines} />;
}

function FileTabs({ draft, change }: Pick<DraftPaneProps, 'draft' | 'change'>): ReactElement | null {
  if (draft.files.length < 2) return null;
  return (
    <div className="tabs" role="group" aria-label="Which file">
      {draft.files.map(({ name }, at) => (
        <button
          key={name}
          type="button"
          aria-pressed={at === draft.at}
          title={plainText(name)}
          onClick={() => change({ ...draft, at, goTo: undefined })}
        >
          <Clean text={name} max={60} />
        </button>
      ))}
    </div>
  );
}

interface OrPlainProps {
  readonly plain: ReactNode;
  readonly children: ReactNode;
}

/** The editor is a file of its own, and a gateway that was replaced has it no longer: then the plain field serves. */
class OrPlain extends Component<OrPlainProps, { readonly isPlain: boolean }> {
  override state = { isPlain: false };

  static getDerivedStateFromError(): { readonly isPlain: boolean } {
    return { isPlain: true };
  }

  override render(): ReactNode {
    return this.state.isPlain ? this.props.plain : this.props.children;
  }
}
