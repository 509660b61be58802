// What is done with a draft, and under which name it is published.

import { type ReactElement, useId } from 'react';
import { draftText, isPolicyName, isWritten, type PolicyDraft } from '../../model/policy-draft.ts';
import { copyText, pageClipboard } from '../../parts/copy-text.ts';
import { useAsked, useDesk } from '../../parts/operator.ts';

interface WhichPolicyProps {
  readonly draft: PolicyDraft;
  readonly change: (draft: PolicyDraft) => void;
  readonly isFixed: boolean;
}

/** Under which name it is published: one that there is, or a new one. */
export function WhichPolicy({ draft, change, isFixed }: WhichPolicyProps): ReactElement {
  const list = useId();
  const known = useAsked({ operation: 'policyHistory', path: '/v1/policy/history' }).value?.items ?? [];
  const names = new Set(['main', ...known.map(({ policy }) => policy)]);
  return (
    <div className="form">
      <label htmlFor={`${list}-name`}>Policy</label>
      <input
        id={`${list}-name`}
        className="field"
        list={list}
        spellCheck={false}
        maxLength={63}
        readOnly={isFixed}
        aria-invalid={!isPolicyName(draft.policy)}
        value={draft.policy}
        onChange={({ target }) => change({ ...draft, policy: target.value, seen: undefined, forWhom: '' })}
      />
      <datalist id={list}>
        {[...names].map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </div>
  );
}

interface DraftActsProps {
  readonly draft: PolicyDraft;
  readonly isAsking: boolean;
  readonly isStored: boolean;
  readonly check: () => void;
  readonly begin: () => void;
  readonly discard: () => void;
  readonly show: () => void;
}

export function DraftActs({
  draft,
  isAsking,
  isStored,
  check,
  begin,
  discard,
  show,
}: DraftActsProps): ReactElement {
  const { say } = useDesk();
  const isNamed = isPolicyName(draft.policy);
  const act = (name: string, isOff: boolean, press: () => void): ReactElement => (
    <button type="button" className="btn" disabled={isAsking || isOff} onClick={press}>
      {name}
    </button>
  );
  return (
    <div className="acts">
      {isWritten(draft) ? (
        <button type="button" className="btn p" disabled={isAsking || !isNamed} onClick={check}>
          Check the draft
        </button>
      ) : (
        act('Write a draft', false, show)
      )}
      {act(
        isStored ? `Begin from ${isNamed ? draft.policy : '…'}` : 'Begin from what is in force',
        !isNamed,
        begin,
      )}
      {!isWritten(draft) || isStored
        ? null
        : act(
            'Copy the file',
            false,
            () => void copyText(draftText(draft), 'the file', pageClipboard()).then(say),
          )}
      {isWritten(draft) ? act('Discard', false, discard) : null}
    </div>
  );
}
