// Rules that nobody used for 30 days, over all gateways: one that is gone opens nothing.

import type { ReactElement } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { ageText, momentText, plural, shortPlace } from '../../model/display.ts';
import type { EventTotals } from '../../model/event-totals.ts';
import { unusedAfterMs, type UseTable } from '../../model/use-facts.ts';
import { Clean } from '../../parts/clean.tsx';
import { Link } from '../../parts/link.tsx';
import { addressOf } from '../../parts/location.ts';
import { useFeed } from '../../parts/operator.ts';

interface UnusedProps {
  readonly policy: OutputOf<'policy'> | undefined;
  readonly uses: UseTable | undefined;
  readonly totals: EventTotals;
}

const shownMost = 8;

export function UnusedRules({ policy, uses, totals }: UnusedProps): ReactElement {
  const { held } = useFeed();
  const now = Date.now();
  const isCounted = uses?.since !== undefined;
  // Who sees only some sessions is not told of the use by others: only what is held says something.
  const unused = (policy?.rules ?? []).filter((rule) =>
    isCounted ? uses.unusedSince(rule, now) !== undefined : !totals.byRule.has(rule.name),
  );
  const since = isCounted ? uses.since : held.sinceMs;
  return (
    <section>
      <div className="sech">
        <h2>Rules nobody used</h2>
        <span className="sub">{sinceText(since, isCounted, now)}</span>
      </div>
      {policy !== undefined && unused.length === 0 ? <p className="m2">each was used</p> : null}
      <div className="bars">
        {unused.slice(0, shownMost).map((rule) => {
          const lastMs = isCounted ? uses.unusedSince(rule, now) : undefined;
          const isKnown = isCounted && uses.of(rule) !== undefined && lastMs !== undefined;
          return (
            <div className="pairline" key={`${rule.policy ?? ''} ${rule.name}`}>
              <Link className="el" to={addressOf('policy')}>
                <Clean text={rule.name} max={80} />
              </Link>
              <span className="sub el">
                {isKnown ? (
                  `last ${momentText(lastMs, now)}`
                ) : (
                  <Clean text={shortPlace(rule.place)} max={80} />
                )}
              </span>
            </div>
          );
        })}
      </div>
      {unused.length > shownMost ? (
        <p className="sub">{plural(unused.length - shownMost, 'more', 'more')}</p>
      ) : null}
    </section>
  );
}

function sinceText(sinceMs: number | undefined, isCounted: boolean, nowMs: number): string {
  if (!isCounted)
    return sinceMs === undefined
      ? 'in all events'
      : `since ${momentText(sinceMs, nowMs)}, as far as events are held`;
  const countedMs = nowMs - (sinceMs ?? nowMs);
  return countedMs >= unusedAfterMs
    ? '30 days; a rule that is gone opens nothing'
    : `counted for ${ageText(countedMs)} so far`;
}
