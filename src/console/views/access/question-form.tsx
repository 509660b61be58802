// A question: a rule holds the request until somebody says what becomes of it, or until its time is over. What is shown is what is bound.

import { type ReactElement, useState } from 'react';
import type { BodyOf } from '../../../api/admin/routes.ts';
import { coversRole } from '../../../api/admin/roles.ts';
import { faultText, segment } from '../../api/admin-client.ts';
import { answersOf, type Question } from '../../model/access-questions.ts';
import { ageText } from '../../model/display.ts';
import { Clean } from '../../parts/clean.tsx';
import { useKeys } from '../../parts/keys.ts';
import { useDesk, useNow } from '../../parts/operator.ts';
import type { DecideProps } from './decide-form.tsx';

type Answer = BodyOf<'answerQuestion'>['answer'];

interface QuestionFormProps extends Pick<DecideProps, 'access' | 'settled' | 'isSettled' | 'changed'> {
  readonly question: Question;
}

export function QuestionForm({
  access,
  question,
  settled,
  isSettled,
  changed,
}: QuestionFormProps): ReactElement {
  const { client, who, say } = useDesk();
  const now = useNow();
  const [fault, setFault] = useState('');
  const [isSending, setSending] = useState(false);
  const leftMs = Date.parse(question.until) - now;
  const may = coversRole(who.role, 'approver') && leftMs > 0;
  const send = async (answer: Answer): Promise<void> => {
    setSending(true);
    setFault('');
    try {
      await client.post('answerQuestion', `/v1/access/${segment(access.id)}/answer`, { answer });
      say(answer === 'deny' ? 'Denied. The workload is told.' : 'Answered. The request goes on.');
      changed();
    } catch (error) {
      setFault(faultText(error));
    } finally {
      setSending(false);
    }
  };
  const byKey = (answer: Answer) =>
    may && !isSending ? () => (settled() ? void send(answer) : undefined) : undefined;
  useKeys({ g: byKey('once'), d: byKey('deny') });
  const click = (answer: Answer): void => {
    if (isSettled) void send(answer);
    else say('What is open changed under the click, so nothing was done. Look again.');
  };
  return (
    <div className="block panel" aria-label="Question">
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
            ? 'Nobody saw its body: the answer holds for any.'
            : 'Once holds for this very body. The other answers hold for any body of the same method, URL and facts.'}
        </p>
      </div>
      <div className="ft">
        {answersOf(question).map(({ answer, name, key }) => (
          <button
            key={answer}
            type="button"
            className={answer === 'once' ? 'btn p' : answer === 'deny' ? 'btn d' : 'btn'}
            disabled={!may || isSending}
            title={coversRole(who.role, 'approver') ? undefined : 'This needs the role approver'}
            aria-disabled={!isSettled}
            onClick={() => click(answer)}
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
