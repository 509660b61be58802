// A question: a rule holds the request until somebody says what becomes of it, or until its time is over. What is shown is what is bound.

import { type ReactElement, useState } from 'react';
import type { BodyOf } from '../../../api/admin/routes.ts';
import { coversRole } from '../../../api/admin/roles.ts';
import { faultText, segment } from '../../api/admin-client.ts';
import { decisionsOf, type Question } from '../../model/access-questions.ts';
import { ageText } from '../../model/display.ts';
import { Clean } from '../../parts/clean.tsx';
import { useKeys } from '../../parts/keys.ts';
import { useDesk, useNow } from '../../parts/operator.ts';
import { ruleForAccess } from '../../model/allow-rule.ts';
import { withFirstRule } from '../../model/policy-draft.ts';
import { handToDraft } from '../policy/hand-to-draft.ts';
import type { DecideProps } from './decide-form.tsx';

type Decision = BodyOf<'decideQuestion'>['decision'];

interface QuestionFormProps extends Pick<DecideProps, 'access' | 'settled' | 'isSettled' | 'changed'> {
  readonly question: Question;
}

interface Deciding {
  readonly fault: string;
  readonly isSending: boolean;
  readonly send: (decision: Decision) => void;
}

function useDeciding({ access, changed }: QuestionFormProps): Deciding {
  const desk = useDesk();
  const { client, say } = desk;
  const [fault, setFault] = useState('');
  const [isSending, setSending] = useState(false);
  const send = async (decision: Decision): Promise<void> => {
    setSending(true);
    setFault('');
    try {
      await client.post('decideQuestion', `/v1/access/${segment(access.id)}/decide`, { decision });
      say(
        decision === 'deny'
          ? 'Denied. The workload is told.'
          : 'Allowed. The request goes on, or may when it comes back.',
      );
      changed();
      if (decision === 'always') await handToDraft(desk, ruleForAccess(access), withFirstRule);
    } catch (error) {
      setFault(faultText(error));
    } finally {
      setSending(false);
    }
  };
  return { fault, isSending, send: (decision) => void send(decision) };
}

export function QuestionForm(props: QuestionFormProps): ReactElement {
  const { question } = props;
  const now = useNow();
  const leftMs = Date.parse(question.until) - now;
  const isOver = Date.parse(props.access.pendingUntil) <= now;
  return (
    <section className="block panel" aria-label="Question">
      <div className="pad">
        <b>{heldText(leftMs, isOver)}</b>
        <span className="m">
          {' '}
          by the rule <Clean text={question.rule} max={120} />
        </span>
        <dl className="kv bound">
          {question.bound.map(({ name, value }) => (
            <Bound key={name} name={name} value={value} />
          ))}
        </dl>
        <p className="m2">
          {question.body === 'unseen'
            ? 'Nobody could look at its body: what is decided holds for any; once for that of the digest above, if there is one.'
            : 'Once is for this very body. The other choices are for any body of the same method, URL, facts and fields.'}
        </p>
      </div>
      <Shown text={question.shown} />
      <Choices {...props} isOver={isOver} />
    </section>
  );
}

/** How long a client waits. An answer holds for one that comes back. */
function heldText(leftMs: number, isOver: boolean): string {
  if (leftMs > 0) return `Held for ${ageText(leftMs)} more`;
  return isOver
    ? 'Its time is over: it was refused'
    : 'Refused for now: an answer holds when the same request comes back';
}

function Shown({ text }: { readonly text: string | undefined }): ReactElement | null {
  if (text === undefined) return null;
  return (
    <div className="pad">
      <p className="m2">The body begins, in the workload&apos;s words:</p>
      <blockquote className="quote">
        <Clean text={text} max={4000} />
      </blockquote>
    </div>
  );
}

function Choices(props: QuestionFormProps & { readonly isOver: boolean }): ReactElement {
  const { question, settled, isSettled, isOver } = props;
  const { who, say } = useDesk();
  const { fault, isSending, send } = useDeciding(props);
  const hasRole = coversRole(who.role, 'approver');
  const may = hasRole && !isOver && !isSending;
  const byKey = (decision: Decision) => (may ? () => (settled() ? send(decision) : undefined) : undefined);
  useKeys({ g: question.choices.includes('once') ? byKey('once') : undefined, d: byKey('deny') });
  const click = (decision: Decision): void => {
    if (isSettled) send(decision);
    else say('What is open changed under the click, so nothing was done. Look again.');
  };
  return (
    <div className="ft">
      {decisionsOf(question).map(({ decision, name, key }) => (
        <button
          key={decision}
          type="button"
          className={decision === 'once' ? 'btn p' : decision === 'deny' ? 'btn d' : 'btn'}
          disabled={!may}
          title={hasRole ? undefined : 'This needs the role approver'}
          aria-disabled={!isSettled}
          onClick={() => click(decision)}
        >
          {name}
          {key === undefined ? null : <kbd className="hm">{key}</kbd>}
        </button>
      ))}
      {fault === '' ? null : (
        <span className="fault" role="alert">
          <Clean text={fault} />
        </span>
      )}
    </div>
  );
}

function Bound({ name, value }: { readonly name: string; readonly value: string }): ReactElement {
  return (
    <>
      <dt>
        <Clean text={name} max={60} />
      </dt>
      <dd className="mono">
        <Clean text={value} max={1000} />
      </dd>
    </>
  );
}
