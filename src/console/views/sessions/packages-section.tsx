// What went into a session: packages that came, versions that were hidden from it, and what it was refused.

import { type ReactElement, useEffect, useState } from 'react';
import type { BilledPackage, PackageName } from '../../../api/package-bill.ts';
import { faultText } from '../../api/admin-client.ts';
import { ageText, plural } from '../../model/display.ts';
import { type SessionBill, sessionBill } from '../../model/session-bill.ts';
import { Clean } from '../../parts/clean.tsx';
import { useDesk } from '../../parts/operator.ts';

/** Rows of each kind; the command has all of them. */
const shownMost = 40;
/** The report has the whole of it. */
const digestShownMax = 24;
/** What the API gives at once. */
const pageEvents = '1000';

export function PackagesSection({ id }: { readonly id: string }): ReactElement {
  const [round, setRound] = useState(0);
  const { bill, fault } = useBill(id, round);
  return (
    <section className="sec" aria-label="Packages">
      <div className="sech">
        <h2>Packages</h2>
        <span className="sp" />
        <button type="button" className="btn" onClick={() => setRound((before) => before + 1)}>
          Look again
        </button>
      </div>
      {bill === undefined ? <p className="m2">{fault ?? 'Looking…'}</p> : <Bill bill={bill} id={id} />}
    </section>
  );
}

interface Found {
  readonly bill?: SessionBill;
  readonly fault?: string;
}

/** Once for each session that is opened: it may be thousands of events. */
function useBill(id: string, round: number): Found {
  const { client } = useDesk();
  const [found, setFound] = useState<Found & { readonly id: string }>({ id });
  useEffect(() => {
    const gone = new AbortController();
    const look = async (): Promise<void> => {
      try {
        const bill = await sessionBill(id, (before) =>
          client.get('exchanges', '/v1/exchanges', {
            signal: gone.signal,
            query: { session: id, kind: 'exchange', count: pageEvents, before },
          }),
        );
        if (!gone.signal.aborted) setFound({ id, bill });
      } catch (error) {
        if (!gone.signal.aborted) setFound({ id, fault: faultText(error) });
      }
    };
    void look();
    return () => gone.abort();
  }, [client, id, round]);
  return found.id === id ? found : {};
}

function sumOf({ packages, hidden, refused, isPartial }: SessionBill): string {
  const parts = [plural(packages.length, 'came', 'came')];
  if (hidden.length > 0) parts.push(`versions of ${String(hidden.length)} hidden`);
  if (refused.length > 0) parts.push(`${String(refused.length)} refused`);
  return `${parts.join(', ')}${isPartial ? ', in its last 10,000 events' : ''}`;
}

function Bill({ bill, id }: { readonly bill: SessionBill; readonly id: string }): ReactElement {
  const { packages, hidden, refused } = bill;
  if (packages.length + hidden.length + refused.length === 0)
    return <p className="m2">No rule about packages saw a request of it.</p>;
  const isCut = [packages, hidden, refused].some(({ length }) => length > shownMost);
  return (
    <>
      <p className="sub">{sumOf(bill)}</p>
      {refused.slice(0, shownMost).map((one) => (
        <Line
          key={keyOf(one, one.version)}
          what={one}
          version={one.version}
          mark="no"
          said={`refused ${plural(one.requests, 'time', 'times')}: ${one.because}`}
        />
      ))}
      {hidden.slice(0, shownMost).map((one) => (
        <Line
          key={keyOf(one)}
          what={one}
          mark="hid"
          said={`${plural(one.count, 'version hidden', 'versions hidden')}: ${one.versions.join(', ')}`}
        />
      ))}
      {packages.slice(0, shownMost).map((one) => (
        <Line
          key={keyOf(one, one.version, one.digest)}
          what={one}
          version={one.version}
          said={cameText(one)}
        />
      ))}
      {isCut || bill.isPartial ? (
        <p className="sub after">
          All of them: <span className="mono">upstreamproxy packages report {id}</span>
        </p>
      ) : null}
    </>
  );
}

const keyOf = ({ registry, host, name }: PackageName, ...others: readonly (string | undefined)[]): string =>
  JSON.stringify([registry, host, name, ...others]);

function cameText({ published, fetched, requests, rule, digest }: BilledPackage): string {
  const age =
    published === undefined
      ? []
      : [`${ageText(Date.parse(fetched) - Date.parse(published))} old when it came`];
  const times = requests === 1 ? [] : [`${String(requests)} times`];
  const by = rule === undefined ? [] : [`by ${rule}`];
  const checked = digest === undefined ? 'not checked' : `checked, ${digest.slice(0, digestShownMax)}…`;
  return [...age, ...times, ...by, checked].join(', ');
}

interface LineProps {
  readonly what: PackageName;
  readonly version?: string | undefined;
  readonly mark?: 'no' | 'hid';
  readonly said: string;
}

function Line({ what, version, mark, said }: LineProps): ReactElement {
  const { registry, name } = what;
  return (
    <div className={`fact pkg ${mark === 'no' ? 'no' : ''}`}>
      <span className="post">
        <i className={mark === undefined ? '' : 'no'} />
      </span>
      <span className="fn">
        <span className="m">{registry}</span>{' '}
        <Clean text={version === undefined ? name : `${name}@${version}`} max={120} />
      </span>
      <span className="m2">
        <Clean text={said} max={300} />
      </span>
    </div>
  );
}
