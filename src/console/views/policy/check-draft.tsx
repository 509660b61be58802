// A draft: pasted or written here, checked as the gateway would read it, and published where the policy is that of the store.

import { type ReactElement, useState } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { type AdminClient, faultText, segment } from '../../api/admin-client.ts';
import { plural } from '../../model/display.ts';
import { draftText, isWritten, type PolicyDraft, sentFiles, withText } from '../../model/policy-draft.ts';
import { Clean } from '../../parts/clean.tsx';
import { Icon } from '../../parts/icon.tsx';
import { useDesk } from '../../parts/operator.ts';
import { Segments } from '../../parts/segments.tsx';
import { DraftText } from './draft-text.tsx';
import { type Diffed, PublishDraft } from './publish-draft.tsx';
import { ReplayDraft } from './replay-draft.tsx';

type Checked = OutputOf<'checkPolicy'>;

interface CheckDraftProps {
  readonly draft: PolicyDraft;
  readonly change: (draft: PolicyDraft) => void;
  readonly mode: OutputOf<'policy'>['mode'] | undefined;
}

const example = `rules:
  - name: api-items-create
    hosts: api.example.com
    methods: POST
    paths: /v1/items`;

interface Told {
  readonly checked?: Checked;
  readonly diff?: Diffed | undefined;
  readonly fault?: string;
  /** Somebody published meanwhile. */
  readonly news?: string;
  /** The gateway is asked: what is told next is of this draft, so it stays as it is until then. */
  readonly isAsking?: true;
}

export function CheckDraft({ draft, change, mode }: CheckDraftProps): ReactElement {
  const { client } = useDesk();
  const [told, setTold] = useState<Told>({});
  const isStored = mode === 'store';
  const edit = (next: PolicyDraft): void => {
    change(next);
    setTold({});
  };
  const attempt = (act: () => Promise<Told>): void => {
    setTold({ isAsking: true });
    act().then(setTold, (error: unknown) => setTold({ fault: faultText(error) }));
  };
  const check = async (): Promise<Told> => {
    const now = isStored ? await headOf(client, draft.policy) : undefined;
    const seen = isStored ? (now?.number ?? 0) : undefined;
    change({ ...draft, seen });
    const isNews = draft.seen !== undefined && draft.seen !== seen && now !== undefined;
    const checked = await checkDraft(client, { ...draft, seen });
    return isNews ? { ...checked, news: newsText(now) } : checked;
  };
  const begin = async (): Promise<Told> => {
    change(await begun(client, draft.policy));
    return {};
  };
  const isAsking = told.isAsking === true;
  const problems = new Set(told.checked?.problems.flatMap(({ line }) => (line === undefined ? [] : [line])));
  return (
    <div className="imp">
      <section className="sec">
        <div className="sech">
          <h2>Draft</h2>
          <span className="sub">explained beside the policy in force; nothing changes</span>
        </div>
        <FileChoice draft={draft} change={isAsking ? () => undefined : change} />
        <DraftText
          value={draftText(draft)}
          change={(text) => edit(withText(draft, text))}
          problems={problems}
          placeholder={example}
          isFixed={isAsking}
        />
        <DraftActs
          draft={draft}
          isAsking={isAsking}
          check={() => attempt(check)}
          begin={isStored ? () => attempt(begin) : undefined}
        />
        <Outcome told={told} />
      </section>
      {told.checked?.ok === true ? <ReplayDraft draft={draft} /> : null}
      {isStored && told.checked?.ok === true ? (
        <PublishDraft draft={draft} diff={told.diff} onPublished={(seen) => edit({ ...draft, seen })} />
      ) : null}
      {isStored ? null : <HowToChange />}
    </div>
  );
}

interface DraftActsProps {
  readonly draft: PolicyDraft;
  readonly isAsking: boolean;
  readonly check: () => void;
  /** Undefined where nothing is published from here. */
  readonly begin: (() => void) | undefined;
}

function DraftActs({ draft, isAsking, check, begin }: DraftActsProps): ReactElement {
  return (
    <div className="acts">
      <button type="button" className="btn p" disabled={isAsking || !isWritten(draft)} onClick={check}>
        Check the draft
      </button>
      {begin === undefined ? null : (
        <button type="button" className="btn" disabled={isAsking} onClick={begin}>
          Begin from {draft.policy}
        </button>
      )}
    </div>
  );
}

function FileChoice({ draft, change }: Pick<CheckDraftProps, 'draft' | 'change'>): ReactElement | null {
  if (draft.files.length < 2) return null;
  return (
    <Segments
      label="Which file"
      value={String(draft.at)}
      choices={draft.files.map(({ name }, at) => ({ value: String(at), name }))}
      choose={(at) => change({ ...draft, at: Number(at) })}
    />
  );
}

function Outcome({ told: { fault, news, checked } }: { readonly told: Told }): ReactElement {
  return (
    <>
      {fault === undefined ? null : (
        <p className="fault after" role="alert">
          <Clean text={fault} max={800} />
        </p>
      )}
      {news === undefined ? null : (
        <p className="after" role="alert">
          <Clean text={news} max={400} />
        </p>
      )}
      {checked === undefined ? null : <Problems checked={checked} />}
    </>
  );
}

function HowToChange(): ReactElement {
  return (
    <section className="sec">
      <div className="sech">
        <h2>To change the policy</h2>
      </div>
      <p className="m2">
        Write the file that the configuration names; the gateway takes it within a second, or keeps the one
        before and says why. With <code>policy: store</code> in the configuration it is published here. A rule
        that denies wins over all that allow, wherever it stands.
      </p>
    </section>
  );
}

async function checkDraft(client: AdminClient, draft: PolicyDraft): Promise<Told> {
  const files = sentFiles(draft);
  const checked = await client.post('checkPolicy', '/v1/policy/check', { files });
  if (!checked.ok || draft.seen === undefined || draft.seen === 0) return { checked };
  const before = { version: `${draft.policy}@${draft.seen}` };
  return { checked, diff: await client.post('diffPolicy', '/v1/policy/diff', { before, after: { files } }) };
}

/** The published version as a draft; an empty one where there is none. */
async function begun(client: AdminClient, policy: string): Promise<PolicyDraft> {
  const head = await headOf(client, policy);
  const files =
    head === undefined || head.files.length === 0 ? [{ name: 'policy.yaml', text: '' }] : head.files;
  return { policy, files, at: 0, seen: head?.number ?? 0 };
}

function newsText({ id, publishedBy }: OutputOf<'publishedPolicy'>): string {
  return `${id} was published meanwhile, by ${publishedBy}. The draft is compared with it now, and would replace it.`;
}

async function headOf(client: AdminClient, policy: string): Promise<OutputOf<'publishedPolicy'> | undefined> {
  const query = { policy, count: '1' };
  const { items } = await client.get('policyHistory', '/v1/policy/history', { query });
  if (items.length === 0) return undefined;
  return await client.get('publishedPolicy', `/v1/policy/published/${segment(policy)}`);
}

function Problems({
  checked: { ok, rules, version, problems },
}: {
  readonly checked: Checked;
}): ReactElement {
  return (
    <div className="after" role="status">
      <p>
        {ok ? (
          <>
            It can be taken: {plural(rules ?? 0, 'rule', 'rules')}, version{' '}
            <span className="mono">{version}</span>.
          </>
        ) : (
          <b className="fault">It cannot be taken.</b>
        )}
      </p>
      {problems.map((problem) => (
        <div className="problem" key={`${problem.line ?? ''}:${problem.column ?? ''} ${problem.message}`}>
          <Icon name="warn" size={13} />
          <span>
            <span className="m">{problem.line === undefined ? '' : `line ${problem.line}: `}</span>
            <Clean text={problem.message} max={800} />
          </span>
        </div>
      ))}
    </div>
  );
}
