// How many of each verdict, and how far back was looked: a count without that says nothing.

import type { ReactElement } from 'react';
import { countText, momentText, plural } from '../../model/display.ts';
import type { GateMark } from '../../model/event-facts.ts';
import type { FilterKey } from '../../model/filter-keys.ts';
import { filterMatcher, valueOf } from '../../model/filter-language.ts';
import { harOf } from '../../model/har.ts';
import { Icon, Mark } from '../../parts/icon.tsx';
import { useDesk } from '../../parts/operator.ts';
import { saveFile } from '../../parts/save-file.ts';
import type { LiveState } from './use-live-rows.ts';

interface FacetBarProps {
  readonly state: LiveState;
  readonly isFolding: boolean;
  readonly choose: (key: FilterKey, value: string | undefined) => void;
  readonly fold: () => void;
}

const facets = [
  { name: 'Denied', count: 'deny', key: 'verdict', value: 'deny', mark: 'deny' },
  { name: 'Failed', count: 'error', key: 'verdict', value: 'error', mark: 'error' },
  { name: 'Observed', count: 'observe', key: 'observed', value: '*', mark: 'observe' },
  { name: 'With a credential', count: 'credential', key: 'credential', value: '*', mark: undefined },
] as const satisfies readonly {
  readonly key: FilterKey;
  readonly mark: GateMark | undefined;
  [more: string]: unknown;
}[];

export function FacetBar({ state, isFolding, choose, fold }: FacetBarProps): ReactElement {
  const { filter, live } = state;
  const chosen = facets.find(({ key, value }) => valueOf(filter, key) === value);
  return (
    <div className="facets" role="toolbar" aria-label="Verdicts">
      <button
        type="button"
        className="facet"
        aria-pressed={chosen === undefined}
        onClick={() => choose('verdict', undefined)}
      >
        All<span className="c">{countText(live.facets.all)}</span>
      </button>
      {facets.map((facet) => (
        <button
          key={facet.name}
          type="button"
          className="facet"
          aria-pressed={chosen === facet}
          onClick={() => choose(facet.key, chosen === facet ? undefined : facet.value)}
        >
          {facet.mark === undefined ? <Icon name="key" size={13} /> : <Mark of={facet.mark} />}
          {facet.name}
          <span className="c">{countText(live.facets[facet.count])}</span>
        </button>
      ))}
      <span className="sp" />
      <Reach state={state} />
      <SaveHar state={state} />
      <button type="button" className="facet" aria-pressed={isFolding} onClick={fold}>
        Repeats folded <kbd className="hm">R</kbd>
      </button>
    </div>
  );
}

const savedMost = 20_000;

/** What the filter lets through of what is held, the newest of it, for the developer tools of a browser. */
function SaveHar({ state: { feed, filter } }: { readonly state: LiveState }): ReactElement {
  const { say } = useDesk();
  const save = (): void => {
    const fits = filterMatcher(filter, { nowMs: Date.now() });
    const requests = feed.held.events.filter((event) => event.kind === 'exchange' && fits(event));
    const saved = requests.slice(-savedMost);
    const name = `upstreamproxy-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.har`;
    saveFile(name, 'application/json', JSON.stringify(harOf(saved, '1')));
    const of = saved.length < requests.length ? `the newest of ${countText(requests.length)}; ` : '';
    say(
      `Saved ${plural(saved.length, 'request', 'requests')}: ${of}folded ones, and without what is not held here.`,
    );
  };
  return (
    <button type="button" className="facet hm" onClick={save}>
      Save as HAR
    </button>
  );
}

function Reach({ state: { feed } }: { readonly state: LiveState }): ReactElement {
  const { held, isSearching } = feed;
  if (isSearching) return <span className="sub nw">searching…</span>;
  if (!held.hasOlder) return <span className="sub nw">all there is</span>;
  // Neither looked nor found: the first page is on its way.
  if (held.sinceMs === undefined && held.olderId === undefined) return <span className="sub nw" />;
  return (
    <button type="button" className="facet" onClick={() => void feed.loadOlder().catch(() => undefined)}>
      <span className="sub nw">
        {held.sinceMs === undefined ? 'none so far' : `searched to ${momentText(held.sinceMs, Date.now())}`}
      </span>
      Further back
    </button>
  );
}
