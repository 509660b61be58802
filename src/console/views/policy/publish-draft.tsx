// Publishing a draft: what it changes first, then the act, upon the version that it was begun from.

import { type ReactElement, useState } from 'react';
import { coversRole } from '../../../api/admin/roles.ts';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { faultText, segment } from '../../api/admin-client.ts';
import { plural } from '../../model/display.ts';
import { claimsOf, isForAll, type PolicyDraft, sentFiles } from '../../model/policy-draft.ts';
import { Clean } from '../../parts/clean.tsx';
import { useDesk } from '../../parts/operator.ts';

export type Diffed = OutputOf<'diffPolicy'>;

interface PublishDraftProps {
  readonly draft: PolicyDraft;
  readonly change: (draft: PolicyDraft) => void;
  /** Undefined where nothing is published yet. */
  readonly diff: Diffed | undefined;
  /** The draft is published as this version. */
  readonly onPublished: (number: number) => void;
}

export function PublishDraft({ draft, change, diff, onPublished }: PublishDraftProps): ReactElement {
  const { client, who, say } = useDesk();
  const [note, setNote] = useState('');
  const [fault, setFault] = useState('');
  const [isSending, setSending] = useState(false);
  const claims = isForAll(draft.policy) ? {} : claimsOf(draft.forWhom);
  const isRead = typeof claims !== 'string';
  const may = coversRole(who.role, 'administrator');
  const publish = async (): Promise<void> => {
    setSending(true);
    setFault('');
    try {
      const path = `/v1/policy/published/${segment(draft.policy)}`;
      const words = note.trim() === '' ? {} : { note: note.trim() };
      const whom = isRead && Object.keys(claims).length > 0 ? { for: claims } : {};
      const body = { files: sentFiles(draft), seen: draft.seen ?? 0, ...words, ...whom };
      const { version } = await client.post('publishPolicy', path, body);
      say(`${version.id} is published. Its history has the way back.`);
      setNote('');
      onPublished(version.number);
    } catch (error) {
      setFault(faultText(error));
    } finally {
      setSending(false);
    }
  };
  return (
    <section className="sec" aria-label="Publish">
      <div className="sech">
        <h2>Publish</h2>
        <span className="sub">{uponText(draft)}</span>
      </div>
      {diff === undefined ? null : <Changes diff={diff} />}
      {isForAll(draft.policy) ? null : (
        <ForWhom draft={draft} change={change} fault={isRead ? undefined : claims} />
      )}
      <input
        className="field"
        aria-label="Why"
        placeholder="Why; it stands in the history"
        maxLength={1000}
        value={note}
        onChange={(event) => setNote(event.target.value)}
      />
      <div className="acts">
        <button
          type="button"
          className="btn p"
          disabled={!may || isSending || !isRead}
          title={may ? undefined : 'This needs the role administrator'}
          onClick={() => void publish()}
        >
          Publish {draft.policy}
        </button>
        {may ? null : <span className="m2">needs the role administrator</span>}
      </div>
      <Fault text={fault} />
    </section>
  );
}

function Fault({ text }: { readonly text: string }): ReactElement | null {
  if (text === '') return null;
  return (
    <p className="fault after" role="alert">
      <Clean text={text} max={800} />
    </p>
  );
}

interface ForWhomProps {
  readonly draft: PolicyDraft;
  readonly change: (draft: PolicyDraft) => void;
  /** What of it cannot be read. */
  readonly fault: string | undefined;
}

function ForWhom({ draft, change, fault }: ForWhomProps): ReactElement {
  const isNew = draft.seen === 0;
  const placeholder = `For sessions with: team=web, repository=acme/*${isNew ? '' : '; empty: as before'}`;
  return (
    <>
      <input
        className="field"
        aria-label="For sessions with these claims"
        placeholder={placeholder}
        maxLength={1000}
        aria-invalid={fault !== undefined}
        value={draft.forWhom}
        onChange={({ target }) => change({ ...draft, forWhom: target.value })}
      />
      {fault === undefined ? null : (
        <p className="fault after" role="alert">
          Write it as claim=value: <Clean text={fault} max={120} />
        </p>
      )}
    </>
  );
}

function uponText({ policy, seen }: PolicyDraft): string {
  return seen === undefined || seen === 0 ? `the first version of ${policy}` : `replaces ${policy}@${seen}`;
}

function Changes({
  diff: { opened, closed, added, removed, changed, notCompared },
}: {
  readonly diff: Diffed;
}): ReactElement {
  const lines = [
    ...(notCompared === undefined ? [] : [['destinations are not compared:', notCompared] as const]),
    ...opened.map((what) => ['opens', what] as const),
    ...closed.map((what) => ['closes', what] as const),
    ...added.map((what) => ['new rule', what] as const),
    ...removed.map((what) => ['without the rule', what] as const),
    ...changed.map((what) => ['changes', what] as const),
  ];
  const shown = lines.slice(0, 40);
  return (
    <div className="after" role="status">
      <p>
        Opens {plural(opened.length, 'destination', 'destinations')}, closes{' '}
        {plural(closed.length, 'destination', 'destinations')}; {plural(added.length, 'rule', 'rules')} added,{' '}
        {removed.length} removed, {changed.length} changed.
      </p>
      {shown.map(([verb, what]) => (
        <p className="m2" key={`${verb} ${what}`}>
          {verb} <Clean text={what} max={200} />
        </p>
      ))}
      {lines.length > shown.length ? <p className="m">and {lines.length - shown.length} more</p> : null}
    </div>
  );
}
