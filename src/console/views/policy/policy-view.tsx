// Policy: the rules in force with their use, why a request is decided as it is, and whether a draft can be taken.

import { type ReactElement, useState } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { ageText, countText, momentText, plural, shortPlace, unknownMark } from '../../model/display.ts';
import type { EventTotals } from '../../model/event-totals.ts';
import type { Use, UseTable } from '../../model/use-facts.ts';
import { plainText } from '../../model/clean-text.ts';
import { Clean } from '../../parts/clean.tsx';
import { Mark } from '../../parts/icon.tsx';
import { Link } from '../../parts/link.tsx';
import { addressOf, go } from '../../parts/location.ts';
import { useAsked, useDesk, useDraft, useFeed, useNow } from '../../parts/operator.ts';
import { useUses } from '../../parts/uses.ts';
import { useTotals } from '../../parts/totals.ts';
import type { PolicyDraft } from '../../model/policy-draft.ts';
import { Segments } from '../../parts/segments.tsx';
import { CheckDraft, type DraftTold } from './check-draft.tsx';
import { DraftPane } from './draft-pane.tsx';
import { PolicyHistory } from './policy-history.tsx';
import { PolicyTextPane } from './policy-text.tsx';
import { ExplainBox } from './explain-box.tsx';
import { useTypedCheck } from './typed-check.ts';

type Policy = OutputOf<'policy'>;
const panes = ['rules', 'text', 'draft', 'history'] as const;
type Pane = (typeof panes)[number];

function panesOf(policy: Policy | undefined) {
  const isStored = policy?.mode === 'store';
  const why = 'Files have no history here; theirs is where they are kept';
  return [
    { value: 'rules', name: 'Rules' },
    { value: 'text', name: 'Text' },
    { value: 'draft', name: 'Draft' },
    { value: 'history', name: 'History', isOff: !isStored, ...(isStored ? {} : { why }) },
  ] as const;
}

const everyMs = 5000;

export function PolicyView({ query }: { readonly query: URLSearchParams }): ReactElement {
  const asked = useAsked({ operation: 'policy', path: '/v1/policy', everyMs });
  const draft = useDraft();
  const typed = useTypedCheck(draft.files);
  const [told, tell] = useState<DraftTold>({});
  const change = useDesk().draft.change;
  const write = (next: PolicyDraft): void => {
    change(next);
    if (next.files !== draft.files) tell({});
  };
  const pane = panes.find((one) => one === query.get('pane')) ?? 'rules';
  const show = (next: Pane): void =>
    go(addressOf('policy', '', { pane: next === 'rules' ? undefined : next }), { replace: true });
  const policy = asked.value;
  return (
    <section className="view polv" aria-label="Policy">
      <header className="head">
        <h1>Policy</h1>
        {policy === undefined ? null : (
          <span className="sub el">
            <span className="hm">in force </span>
            <span className="mono">{policy.version}</span>
            <span className="hm"> for {ageText(policy.ageSeconds * 1000)}</span>
          </span>
        )}
        <Segments label="What of the policy" value={pane} choices={panesOf(policy)} choose={show} />
      </header>
      {policy !== undefined && policy.staleSeconds > 0 ? (
        <div className="banner" role="alert">
          {policy.mode === 'store' ? 'A published version' : 'What the files hold'} cannot be taken since{' '}
          {ageText(policy.staleSeconds * 1000)}. The policy before stays in force
          {policy.refused.length === 0 ? '; the log of the gateway says what is wrong.' : ': '}
          {policy.refused.map(({ policy: name, number, problems: [first = ''] }) => (
            <Clean key={name} text={`${name}@${number}: ${first}`} max={400} />
          ))}
        </div>
      ) : null}
      <div className="pol">
        <div className="edw">
          {pane === 'draft' ? (
            <DraftPane draft={draft} change={write} typed={typed} isFixed={told.isAsking === true} />
          ) : pane === 'history' ? (
            <PolicyHistory />
          ) : pane === 'text' && policy !== undefined ? (
            <PolicyTextPane policy={policy} />
          ) : (
            <Rules policy={policy} fault={asked.fault} />
          )}
          <ExplainBox draft={draft} />
        </div>
        <CheckDraft
          {...{ draft, change, typed, told, tell }}
          mode={policy?.mode}
          show={() => show('draft')}
        />
      </div>
    </section>
  );
}

function Rules({
  policy,
  fault,
}: {
  readonly policy: Policy | undefined;
  readonly fault: string | undefined;
}): ReactElement {
  const totals = useTotals();
  const uses = useUses('rule');
  const { held } = useFeed();
  const now = useNow(10_000);
  if (policy === undefined) return <div className="rules empty">{fault ?? 'Looking for it…'}</div>;
  if (policy.mode === 'observe')
    return (
      <div className="rules empty">
        <h2>Observe mode</h2>
        <p>
          Everything public is let through and recorded. What would be denied has the violet mark in Live.
        </p>
      </div>
    );
  return (
    <div className="rules" tabIndex={0} role="region" aria-label="Rules">
      <div role="table" aria-label="Rules in their order">
        <div className="tr th" role="row">
          {['order', 'effect', 'rule, in order', 'where', uses === undefined ? 'used' : '24 h', 'last'].map(
            (name, at) => (
              <span key={name} role="columnheader" className={headStyle(at)}>
                {at < 2 ? <span className="hidden">{name}</span> : name}
              </span>
            ),
          )}
        </div>
        {policy.rules.map((rule, at) => (
          <RuleLine
            key={`${rule.policy ?? ''} ${rule.name} ${rule.place ?? ''}`}
            rule={rule}
            at={at}
            used={usedOf(rule, { uses, totals }, now)}
          />
        ))}
      </div>
      <p className="gh">
        {plural(policy.rules.length, 'rule', 'rules')}. {countedText(uses, held.sinceMs, now)} What no rule
        allows is denied.
      </p>
    </div>
  );
}

function headStyle(at: number): string {
  if (at === 3) return 'hm';
  if (at === 5) return 'r hm';
  return at === 4 ? 'r' : '';
}

interface RuleLineProps {
  readonly rule: Policy['rules'][number];
  readonly at: number;
  readonly used: Used;
}

interface Used {
  readonly text: string;
  readonly last: string;
  readonly isUnused: boolean;
}

function RuleLine({ rule: { name, place, effect }, at, used }: RuleLineProps): ReactElement {
  return (
    <div className="tr" role="row">
      <span className="r m" role="cell">
        {at + 1}
      </span>
      <span role="cell">
        <Mark of={effect} />
      </span>
      <span role="cell">
        <Link to={addressOf('live', '', { q: `rule:${name}` })}>
          <Clean text={name} max={120} />
        </Link>
        {effect === 'deny' ? <span className="m"> denies</span> : null}
      </span>
      <span className="m el hm" role="cell" title={place === undefined ? undefined : plainText(place)}>
        <Clean text={shortPlace(place)} max={120} />
      </span>
      <span className={`r el ${used.isUnused ? 'm' : 'm2'}`} role="cell">
        {used.text}
      </span>
      <span className="r m hm" role="cell">
        {used.last}
      </span>
    </div>
  );
}

interface Counts {
  readonly uses: UseTable | undefined;
  readonly totals: EventTotals;
}

/** Over all gateways where the store may be asked; else as far as events are held. */
function usedOf(rule: Policy['rules'][number], { uses, totals }: Counts, now: number): Used {
  if (uses === undefined) {
    const total = totals.byRule.get(rule.name);
    if (total === undefined) return { text: 'not used', last: unknownMark, isUnused: true };
    const text = countText(total.passed + total.denied + total.failed);
    return { text, last: momentText(total.lastMs, now), isUnused: false };
  }
  const use = uses.of(rule);
  if (use === undefined)
    return { text: uses.since === undefined ? unknownMark : 'not used', last: unknownMark, isUnused: true };
  return { ...recentOf(use), last: momentText(Date.parse(use.lastUsed), now) };
}

/** Only what is an exception has a word. */
function recentOf({ recent: { allowed, denied, failed } }: Use): Omit<Used, 'last'> {
  const sum = allowed + denied + failed;
  if (sum === 0) return { text: '0', isUnused: true };
  const parts = [
    ...(allowed > 0 ? [countText(allowed)] : []),
    ...(denied > 0 ? [`${countText(denied)} denied`] : []),
    ...(failed > 0 ? [`${countText(failed)} failed`] : []),
  ];
  return { text: parts.join(', '), isUnused: false };
}

function countedText(uses: UseTable | undefined, heldSinceMs: number | undefined, now: number): string {
  if (uses?.since !== undefined)
    return `Use is counted over all gateways since ${momentText(uses.since, now)}, by the full hour.`;
  if (uses !== undefined) return 'Use is not counted yet: a gateway of an earlier version holds it up.';
  return heldSinceMs === undefined
    ? 'Use is counted over all events.'
    : `Use is counted since ${momentText(heldSinceMs, now)}, as far as events are held.`;
}
