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
  const { client, say } = useDesk();
  const [fault, setFault] = useState('');
  const [isSending, setSending] = useState(false);
  const send = async (decision: Decision): Promise<void> => {
    setSending(true);
    setFault('');
    try {
      await client.post('decideQuestion', `/v1/access/${segment(access.id)}/decide`, { decision });
      say(decision === 'deny' ? 'Denied. The workload is told.' : 'Decided. The request goes on.');
      changed();
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
  return (
    <section className="block panel" aria-label="Question">
      <div className="pad">
        <b>{leftMs > 0 ? `Held for ${ageText(leftMs)} more` : 'Its time is over: it was refused'}</b>
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
            ? 'Nobody saw its body: what is decided holds for any.'
            : 'Once is for this very body. The other choices are for any body of the same method, URL and facts.'}
        </p>
      </div>
      <Choices {...props} isOver={leftMs <= 0} />
    </section>
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
