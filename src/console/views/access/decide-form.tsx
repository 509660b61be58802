// Granting and denying. The narrowest is chosen; what is wider than what was asked for is said in colour.

import { type ReactElement, useState } from 'react';
import { coversRole } from '../../../api/admin/roles.ts';
import { faultText, segment } from '../../api/admin-client.ts';
import {
  type Access,
  begunTerms,
  type GrantTerms,
  mayBePush,
  narrowestTerms,
  openedText,
  refsOf,
  type Scope,
} from '../../model/access-groups.ts';
import { clockTime, sessionName } from '../../model/display.ts';
import { Clean } from '../../parts/clean.tsx';
import { useKeys } from '../../parts/keys.ts';
import { useAsked, useDesk, useNow } from '../../parts/operator.ts';
import { ruleForAccess } from '../../model/allow-rule.ts';
import { handToDraft } from '../policy/hand-to-draft.ts';
import { Segments } from '../../parts/segments.tsx';

export interface DecideProps {
  readonly access: Access;
  /** Of the push that was refused, where one comes from it. */
  readonly refs: readonly string[];
  /** Whether a key may act: nothing changed under it for a moment. */
  readonly settled: () => boolean;
  /** Whether a click may act: what is open has been the same for a moment. */
  readonly isSettled: boolean;
  readonly isDenying: boolean;
  readonly deny: (isDenying: boolean) => void;
  readonly changed: () => void;
}

const times = [
  { value: '900', name: '15 min' },
  { value: '3600', name: '1 h' },
  { value: '28800', name: '8 h' },
  { value: '86400', name: '24 h' },
] as const;

interface Deciding {
  readonly terms: GrantTerms;
  readonly setTerms: (terms: GrantTerms) => void;
  readonly fault: string;
  readonly isSending: boolean;
  readonly act: (operation: 'grantAccess' | 'denyAccess', body: object) => void;
}

function useDeciding({ access, changed, refs }: DecideProps): Deciding {
  const { client, say } = useDesk();
  const [terms, setTerms] = useState(() => begunTerms(access, refs));
  const [fault, setFault] = useState('');
  const [isSending, setSending] = useState(false);
  const send = async (operation: 'grantAccess' | 'denyAccess', body: object): Promise<void> => {
    setSending(true);
    setFault('');
    const verb = operation === 'grantAccess' ? 'grant' : 'deny';
    try {
      const done = await client.post(operation, `/v1/access/${segment(access.id)}/${verb}`, body);
      say(
        done.state === 'granted'
          ? `Granted. It ends by itself; In force can take it back.`
          : 'Denied. The workload is told.',
      );
      changed();
    } catch (error) {
      setFault(faultText(error));
    } finally {
      setSending(false);
    }
  };
  return { terms, setTerms, fault, isSending, act: (operation, body) => void send(operation, body) };
}

export function DecideForm(props: DecideProps): ReactElement {
  const { settled, isDenying, deny } = props;
  const { who } = useDesk();
  const deciding = useDeciding(props);
  const { terms, act, isSending, fault } = deciding;
  const mayDecide = coversRole(who.role, 'approver');
  const grant = (): void => act('grantAccess', terms);
  const byKey = (run: () => void) =>
    mayDecide && !isSending ? () => (settled() ? run() : undefined) : undefined;
  const makeRule = useMakeRule(props.access);
  useKeys({ g: byKey(grant), d: byKey(() => deny(true)), r: () => (settled() ? makeRule() : undefined) });
  const name = times.find(({ value }) => value === String(terms.seconds))?.name ?? '';
  return (
    <div className="block panel">
      <TermsForm {...props} deciding={deciding} />
      <div className="ft">
        {isDenying ? (
          <DenyStep
            send={(note) => act('denyAccess', note === '' ? {} : { note })}
            cancel={() => deny(false)}
            isSending={isSending}
          />
        ) : (
          <Acts {...props} grant={grant} makeRule={makeRule} name={name} isSending={isSending} />
        )}
        {fault === '' ? null : (
          <span className="fault" role="alert">
            <Clean text={fault} />
          </span>
        )}
      </div>
    </div>
  );
}

interface ActsProps extends DecideProps {
  readonly grant: () => void;
  readonly makeRule: () => void;
  readonly name: string;
  readonly isSending: boolean;
}

function Acts({ grant, makeRule, name, isSending, isSettled, deny }: ActsProps): ReactElement {
  const { who, say } = useDesk();
  const mayDecide = coversRole(who.role, 'approver');
  const byClick = (run: () => void) => () =>
    isSettled ? run() : say('What is open changed under the click, so nothing was done. Look again.');
  const needs = mayDecide ? undefined : 'This needs the role approver';
  return (
    <>
      <button
        type="button"
        className="btn p"
        disabled={!mayDecide || isSending}
        title={needs}
        aria-disabled={!isSettled}
        onClick={byClick(grant)}
      >
        Grant for {name}
        <kbd className="hm">G</kbd>
      </button>
      <button
        type="button"
        className="btn"
        disabled={!mayDecide || isSending}
        title={needs}
        aria-disabled={!isSettled}
        onClick={byClick(() => deny(true))}
      >
        Deny…<kbd className="hm">D</kbd>
      </button>
      {needs === undefined ? null : <span className="sub">{needs}.</span>}
      <span className="sp" />
      <button type="button" className="btn" aria-disabled={!isSettled} onClick={byClick(makeRule)}>
        Make it a rule…<kbd className="hm">R</kbd>
      </button>
    </>
  );
}

/** The narrowest rule that allows it, for the sessions of the same repository where its token names one, goes to the draft. */
function useMakeRule(access: Access): () => void {
  const desk = useDesk();
  const path = `/v1/sessions/${segment(access.session)}`;
  const repository = useAsked({ operation: 'session', path }).value?.claims['repository'];
  const claim = typeof repository === 'string' ? { name: 'repository', value: repository } : undefined;
  return () => void handToDraft(desk, ruleForAccess(access, claim));
}

function TermsForm({ access, deciding }: DecideProps & { readonly deciding: Deciding }): ReactElement {
  const { who } = useDesk();
  const { terms, setTerms } = deciding;
  const hasPath = access.asked.path !== undefined;
  const scopes: readonly { value: Scope; name: string; isOff?: boolean }[] = [
    { value: 'exact', name: 'this path', isOff: !hasPath },
    { value: 'path', name: 'what is below it too', isOff: !hasPath || terms.refs !== undefined },
    { value: 'host', name: 'every path of the host', isOff: terms.refs !== undefined },
  ];
  return (
    <div className="pad">
      <div className="form">
        <span>Opens</span>
        <Segments
          label="Opens"
          value={terms.scope}
          choices={scopes}
          choose={(scope) => setTerms({ ...terms, scope })}
        />
        {mayBePush(access) ? <RefsField terms={terms} setTerms={setTerms} /> : null}
        <span>For</span>
        <Segments
          label="For"
          value={terms.subject}
          choices={[
            { value: 'session', name: 'this session' },
            {
              value: 'principal',
              name: 'all of its principal',
              isOff: who.sees !== undefined,
              why: who.sees === undefined ? access.principal : 'You see only some sessions',
            },
          ]}
          choose={(one) => setTerms({ ...terms, subject: one })}
        />
        <span>Until</span>
        <Segments
          label="Until"
          value={String(terms.seconds)}
          choices={times}
          choose={(seconds) => setTerms({ ...terms, seconds: Number(seconds) })}
        />
      </div>
      <Effect access={access} terms={terms} />
    </div>
  );
}

/** Nothing written: not for pushes alone. */
function RefsField({ terms, setTerms }: Pick<Deciding, 'terms' | 'setTerms'>): ReactElement {
  const [text, setText] = useState(terms.refs?.join(' ') ?? '');
  const write = (written: string): void => {
    setText(written);
    const { refs: _, ...others } = terms;
    const refs = refsOf(written);
    setTerms(refs.length === 0 ? others : { ...others, scope: 'exact', refs });
  };
  return (
    <>
      <span>Refs</span>
      <input
        className="field"
        aria-label="Only pushes of these refs"
        placeholder="only pushes of refs/heads/agent/**"
        maxLength={2000}
        value={text}
        onChange={(event) => write(event.target.value)}
      />
    </>
  );
}

function Effect({ access, terms }: { readonly access: Access; readonly terms: GrantTerms }): ReactElement {
  const now = useNow();
  const isWider = terms.scope !== narrowestTerms(access).scope || terms.subject === 'principal';
  const subject =
    terms.subject === 'session' ? sessionName(access.session) : `all sessions of ${access.principal}`;
  const until = clockTime(now + terms.seconds * 1000).time.slice(0, 5);
  return (
    <p>
      A grant opens{' '}
      <b className={isWider ? 'wide' : ''}>
        <Clean text={openedText(access, terms.scope, terms.refs)} max={600} />
      </b>{' '}
      for{' '}
      <b className={terms.subject === 'principal' ? 'wide' : ''}>
        <Clean text={subject} max={300} />
      </b>{' '}
      until <b>{until}</b>. No credential is put on it, private addresses stay closed, and what a rule denies
      stays denied.
    </p>
  );
}

interface DenyStepProps {
  readonly send: (note: string) => void;
  readonly cancel: () => void;
  readonly isSending: boolean;
}

function DenyStep({ send, cancel, isSending }: DenyStepProps): ReactElement {
  const [note, setNote] = useState('');
  return (
    <>
      <input
        className="field"
        aria-label="Words for the workload"
        placeholder="Words for the workload, if you like"
        maxLength={1000}
        value={note}
        // The step was asked for: this is what it is about.
        ref={(element) => element?.focus()}
        onChange={(event) => setNote(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') cancel();
        }}
      />
      <button type="button" className="btn d" disabled={isSending} onClick={() => send(note.trim())}>
        Deny the request
      </button>
      <button type="button" className="btn q" onClick={cancel}>
        Back
      </button>
    </>
  );
}
