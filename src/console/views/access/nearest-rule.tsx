// Which rule came closest to what is asked for, as the gateway explains it for this very session.

import { type ReactElement, useEffect, useState } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { faultText } from '../../api/admin-client.ts';
import type { Access } from '../../model/access-groups.ts';
import { portSuffix, shortPlace } from '../../model/display.ts';
import { nearestRule } from '../../model/nearest-rule.ts';
import { Clean } from '../../parts/clean.tsx';
import { useDesk } from '../../parts/operator.ts';

type Told = { readonly of: string } & (
  | { readonly explained: OutputOf<'explainPolicy'> }
  | { readonly fault: string }
);

export function NearestRule({ access }: { readonly access: Access }): ReactElement {
  const { client } = useDesk();
  const [told, setTold] = useState<Told>();
  const { asked, session, id } = access;
  const url = `${asked.scheme}://${asked.host}${portSuffix(asked.scheme, asked.port)}${asked.path ?? '/'}`;
  const { method = 'GET' } = asked;
  useEffect(() => {
    let isGone = false;
    client.post('explainPolicy', '/v1/policy/explain', { method, url, session }).then(
      (explained) => isGone || setTold({ of: id, explained }),
      (error: unknown) => isGone || setTold({ of: id, fault: faultText(error) }),
    );
    return () => {
      isGone = true;
    };
  }, [client, id, method, url, session]);
  return (
    <div>
      <h2>Nearest rule</h2>
      <div className="m2">
        {told?.of === id ? <Said told={told} asking={access.question?.rule} /> : 'Asking…'}
      </div>
    </div>
  );
}

interface SaidProps {
  readonly told: Told;
  /** The rule that asks a person about it. */
  readonly asking: string | undefined;
}

function Said({ told, asking }: SaidProps): ReactElement {
  if ('fault' in told) return <Clean text={told.fault} max={300} />;
  const { effect, rule, steps } = told.explained;
  if (effect === 'allow')
    return (
      <>
        <b>
          <Clean text={rule} max={120} />
        </b>{' '}
        {rule === asking ? 'asks a person about it.' : 'allows it by now.'}
      </>
    );
  const near = nearestRule(steps);
  if (near === undefined) return <>No rule that allows has this host.</>;
  return (
    <>
      <b>
        <Clean text={near.rule} max={120} />
      </b>{' '}
      <span className="m">
        <Clean text={shortPlace(near.place)} max={120} />
      </span>{' '}
      {near.stopsAt === undefined ? null : (
        <>
          misses by its {near.stopsAt.condition}: it is for <Clean text={near.stopsAt.wanted} max={400} />.
        </>
      )}
    </>
  );
}
