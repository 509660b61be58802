// A request that was decided: what is open until when, whether it was used, and the way to take it back.

import { type ReactElement, useState } from 'react';
import { coversRole } from '../../../api/admin/roles.ts';
import { faultText, segment } from '../../api/admin-client.ts';
import { type Access, openedText } from '../../model/access-groups.ts';
import { answeredText } from '../../model/access-questions.ts';
import { momentText } from '../../model/display.ts';
import { grantUseText } from '../../model/use-facts.ts';
import { Clean } from '../../parts/clean.tsx';
import { useDesk, useNow } from '../../parts/operator.ts';
import { useGrantUses } from '../../parts/uses.ts';

interface InForceProps {
  readonly access: Access;
  readonly isSettled: boolean;
  readonly changed: () => void;
}

export function InForce({ access, isSettled, changed }: InForceProps): ReactElement {
  const { client, who, say } = useDesk();
  const [fault, setFault] = useState('');
  const mayRevoke = coversRole(who.role, 'approver');
  const { state } = access;
  const revoke = async (): Promise<void> => {
    if (!isSettled) {
      say('What is open changed under the click, so nothing was done. Look again.');
      return;
    }
    try {
      await client.post('revokeAccess', `/v1/access/${segment(access.id)}/revoke`, {});
      say('The grant was taken back.');
      changed();
    } catch (error) {
      setFault(faultText(error));
    }
  };
  return (
    <div className="block panel">
      <Terms access={access} />
      {state === 'granted' ? (
        <div className="ft">
          <button
            type="button"
            className="btn d"
            disabled={!mayRevoke}
            title={mayRevoke ? undefined : 'This needs the role approver'}
            aria-disabled={!isSettled}
            onClick={() => void revoke()}
          >
            Take the grant back
          </button>
          <span className="sub">What it let through is ended within a second or so.</span>
          {fault === '' ? null : (
            <span className="fault" role="alert">
              <Clean text={fault} />
            </span>
          )}
        </div>
      ) : null}
    </div>
  );
}

function Terms({ access }: { readonly access: Access }): ReactElement {
  const now = useNow();
  const { terms, decided, note, question } = access;
  return (
    <div className="pad">
      <b>{stateText(access, now)}</b>
      {decided === undefined ? null : (
        <span className="m"> decided at {momentText(Date.parse(decided), now)}</span>
      )}
      {question === undefined ? null : (
        <p>
          <Clean text={answeredText(question)} max={300} />
        </p>
      )}
      {terms === undefined ? null : (
        <p>
          <Clean text={openedText(access, terms.scope, terms.refs)} max={600} />, for{' '}
          {terms.subject === 'session' ? 'this session' : 'all sessions of its principal'}.
        </p>
      )}
      {note === undefined ? null : (
        <p className="m2">
          Told to the workload: <Clean text={note} max={1000} />
        </p>
      )}
      {terms === undefined ? null : <Use access={access} />}
    </div>
  );
}

function stateText({ state, terms }: Access, now: number): string {
  switch (state) {
    case 'granted':
      return terms === undefined ? 'Granted' : `In force until ${momentText(Date.parse(terms.ends), now)}`;
    case 'denied':
      return 'Denied';
    case 'revoked':
      return 'Taken back';
    case 'ended':
      return 'Over';
    case 'pending':
      return 'Pending';
  }
}

/** A grant that nobody uses is one that was not needed, or that opens something else than what is tried. */
function Use({ access }: { readonly access: Access }): ReactElement {
  const now = useNow(5000);
  const { value, fault } = useGrantUses([access.id]);
  return <p className="m2">{value === undefined ? (fault ?? '') : grantUseText(value, access.id, now)}</p>;
}
