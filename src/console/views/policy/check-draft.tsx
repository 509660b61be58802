// What a draft means: whether the gateway would take it, what it changes, and its publishing where the policy is that of the store.

import type { ReactElement } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { type AdminClient, faultText } from '../../api/admin-client.ts';
import { emptyDraft, isWritten, type PolicyDraft, sentFiles } from '../../model/policy-draft.ts';
import { Clean } from '../../parts/clean.tsx';
import { useDesk } from '../../parts/operator.ts';
import { begunFrom, headOf } from './begin-draft.ts';
import { DraftActs, WhichPolicy } from './draft-acts.tsx';
import { DraftProblems } from './draft-problems.tsx';
import { type Diffed, PublishDraft } from './publish-draft.tsx';
import { ReplayDraft } from './replay-draft.tsx';
import type { TypedCheck } from './typed-check.ts';

type Checked = OutputOf<'checkPolicy'>;

/** What the gateway said of the draft as it is. */
export interface DraftTold {
  readonly checked?: Checked;
  readonly diff?: Diffed | undefined;
  readonly fault?: string;
  /** Somebody published meanwhile. */
  readonly news?: string;
  /** The gateway is asked: what is told next is of this draft, so it stays as it is until then. */
  readonly isAsking?: true;
}

interface CheckDraftProps {
  readonly draft: PolicyDraft;
  readonly change: (draft: PolicyDraft) => void;
  readonly mode: OutputOf<'policy'>['mode'] | undefined;
  readonly typed: TypedCheck;
  readonly told: DraftTold;
  readonly tell: (told: DraftTold) => void;
  /** Shows the draft. */
  readonly show: () => void;
}

export function CheckDraft(props: CheckDraftProps): ReactElement {
  const { draft, change, mode, typed, told, show } = props;
  const isStored = mode === 'store';
  const { edit, check, begin } = useDraftActs(props, isStored);
  const goTo = (file: string | undefined, line: number): void => {
    const at = draft.files.findIndex(({ name }) => name === file);
    change({ ...draft, at: at < 0 ? draft.at : at, goTo: { line } });
    show();
  };
  const isAsking = told.isAsking === true;
  const checked = told.checked ?? typed.checked;
  return (
    <div className="imp">
      <section className="sec" aria-label="Draft">
        <div className="sech">
          <h2>Draft</h2>
          <span className="sub">explained beside the policy in force; nothing changes</span>
        </div>
        {isStored ? <WhichPolicy draft={draft} change={edit} isFixed={isAsking} /> : null}
        <DraftActs
          draft={draft}
          isAsking={isAsking}
          isStored={isStored}
          check={check}
          begin={begin}
          discard={() => edit({ ...emptyDraft, policy: draft.policy })}
          show={show}
        />
        <Notes told={told} typed={typed} />
        {checked === undefined || !isWritten(draft) ? null : <DraftProblems checked={checked} goTo={goTo} />}
      </section>
      {checked?.ok === true && isWritten(draft) ? <ReplayDraft draft={draft} /> : null}
      {isStored && told.checked?.ok === true ? (
        <PublishDraft
          draft={draft}
          change={change}
          diff={told.diff}
          onPublished={(seen) => edit({ ...draft, seen })}
        />
      ) : null}
      {isStored ? null : <HowToChange />}
    </div>
  );
}

interface DraftActsOf {
  readonly edit: (draft: PolicyDraft) => void;
  readonly check: () => void;
  readonly begin: () => void;
}

function useDraftActs({ draft, change, tell, show }: CheckDraftProps, isStored: boolean): DraftActsOf {
  const { client } = useDesk();
  const attempt = (act: () => Promise<DraftTold>): void => {
    tell({ isAsking: true });
    act().then(tell, (error: unknown) => tell({ fault: faultText(error) }));
  };
  const check = async (): Promise<DraftTold> => {
    const now = isStored ? await headOf(client, draft.policy) : undefined;
    const seen = isStored ? (now?.number ?? 0) : undefined;
    change({ ...draft, seen });
    const isNews = draft.seen !== undefined && draft.seen !== seen && now !== undefined;
    const checked = await checkDraft(client, { ...draft, seen });
    return isNews ? { ...checked, news: newsText(now) } : checked;
  };
  const begin = async (): Promise<DraftTold> => {
    change(await begunFrom(client, { policy: draft.policy, isStored }));
    show();
    return {};
  };
  return {
    edit: (next) => {
      change(next);
      tell({});
    },
    check: () => attempt(check),
    begin: () => attempt(begin),
  };
}

function Notes({ told: { fault, news }, typed }: Pick<CheckDraftProps, 'told' | 'typed'>): ReactElement {
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
      {typed.fault === undefined || fault !== undefined ? null : (
        <p className="m2 after">
          Not checked: <Clean text={typed.fault} max={400} />
        </p>
      )}
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

async function checkDraft(client: AdminClient, draft: PolicyDraft): Promise<DraftTold> {
  const files = sentFiles(draft);
  const checked = await client.post('checkPolicy', '/v1/policy/check', { files });
  if (!checked.ok || draft.seen === undefined || draft.seen === 0) return { checked };
  const before = { version: `${draft.policy}@${draft.seen}` };
  return { checked, diff: await client.post('diffPolicy', '/v1/policy/diff', { before, after: { files } }) };
}

function newsText({ id, publishedBy }: OutputOf<'publishedPolicy'>): string {
  return `${id} was published meanwhile, by ${publishedBy}. The draft is compared with it now, and would replace it.`;
}
