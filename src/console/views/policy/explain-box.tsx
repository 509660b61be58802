// Explain: how a request would be decided, by the policy in force and by the draft beside it. Nothing is sent.

import { type FormEvent, type ReactElement, useState } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { faultText } from '../../api/admin-client.ts';
import { sessionName } from '../../model/display.ts';
import { isWritten, type PolicyDraft, sentFiles } from '../../model/policy-draft.ts';
import { plainText } from '../../model/clean-text.ts';
import { Clean } from '../../parts/clean.tsx';
import { useAsked, useDesk } from '../../parts/operator.ts';
import { DecisionSteps } from './decision-steps.tsx';

interface Told {
  readonly inForce?: OutputOf<'explainPolicy'>;
  readonly draft?: OutputOf<'explainPolicy'>;
  readonly fault?: string;
}

/** `METHOD URL`, or a URL alone. */
function readAsked(text: string): { readonly method: string; readonly url: string } {
  const [first = '', ...rest] = text.trim().split(/\s+/);
  return rest.length === 0
    ? { method: 'GET', url: first }
    : { method: first.toUpperCase(), url: rest.join(' ') };
}

export function ExplainBox({ draft }: { readonly draft: PolicyDraft }): ReactElement {
  const { client } = useDesk();
  const [text, setText] = useState('');
  const [session, setSession] = useState('');
  const [sent, setSent] = useState('');
  const [told, setTold] = useState<Told>({});
  const explain = async (): Promise<void> => {
    const about = { ...(session === '' ? {} : { session }), ...(sent === '' ? {} : { body: sent }) };
    const body = { ...readAsked(text), ...about };
    try {
      const inForce = await client.post('explainPolicy', '/v1/policy/explain', body);
      if (!isWritten(draft)) setTold({ inForce });
      else {
        const files = sentFiles(draft);
        setTold({
          inForce,
          draft: await client.post('explainPolicy', '/v1/policy/explain', { ...body, files }),
        });
      }
    } catch (error) {
      setTold((before) => ({
        ...before,
        fault: faultText(error),
      }));
    }
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (text.trim() !== '') void explain();
  };
  return (
    <form className="explain" onSubmit={submit}>
      <div className="row">
        <label htmlFor="explain-asked">Explain</label>
        <input
          id="explain-asked"
          className="field"
          spellCheck={false}
          maxLength={8000}
          placeholder="POST https://api.example.com/v1/items"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <AsSession session={session} choose={setSession} />
        <button type="submit" className="btn" disabled={text.trim() === ''}>
          Explain
        </button>
      </div>
      <BodyField text={sent} write={setSent} />
      <Result told={told} />
    </form>
  );
}

interface BodyFieldProps {
  readonly text: string;
  readonly write: (text: string) => void;
}

function BodyField({ text, write }: BodyFieldProps): ReactElement {
  return (
    <details>
      <summary>With a body, for rules that look into it</summary>
      <textarea
        className="field"
        aria-label="Body"
        rows={6}
        spellCheck={false}
        maxLength={1_000_000}
        placeholder='{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search"}}'
        value={text}
        onChange={(event) => write(event.target.value)}
      />
    </details>
  );
}

interface AsSessionProps {
  readonly session: string;
  readonly choose: (session: string) => void;
}

function AsSession({ session, choose }: AsSessionProps): ReactElement {
  const sessions = useAsked({ operation: 'sessions', path: '/v1/sessions' }).value?.items ?? [];
  return (
    <select
      className="field pick"
      aria-label="As which session"
      value={session}
      onChange={(event) => choose(event.target.value)}
    >
      <option value="">as nobody</option>
      {sessions.map(({ id, principal }) => (
        <option key={id} value={id} title={plainText(principal)}>
          as {sessionName(id)}
        </option>
      ))}
    </select>
  );
}

function Result({ told }: { readonly told: Told }): ReactElement {
  return (
    <>
      {told.fault === undefined ? null : (
        <p className="fault" role="alert">
          <Clean text={told.fault} max={800} />
        </p>
      )}
      {told.inForce === undefined || told.fault !== undefined ? null : (
        <div className="told-steps">
          <h2>In force</h2>
          <DecisionSteps explained={told.inForce} />
          {told.draft === undefined ? null : (
            <>
              <h2>Draft</h2>
              <DecisionSteps explained={told.draft} />
            </>
          )}
        </div>
      )}
    </>
  );
}
