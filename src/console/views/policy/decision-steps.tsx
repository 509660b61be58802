// A decision as its rules: each line stops where its rule does not match, and the last one says who decided.

import type { CSSProperties, ReactElement } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { shortPlace } from '../../model/display.ts';
import { plainText } from '../../model/clean-text.ts';
import { Clean } from '../../parts/clean.tsx';
import { Icon, Mark } from '../../parts/icon.tsx';

type Explained = OutputOf<'explainPolicy'>;
type Step = Explained['steps'][number];

export function DecisionSteps({ explained }: { readonly explained: Explained }): ReactElement {
  const { effect, rule, inject, place } = explained;
  const columns = columnsOf(explained.steps);
  return (
    <div className="steps">
      {explained.steps.length === 0 ? null : <Headings columns={columns} />}
      {explained.steps.map((step) => (
        <StepLine
          key={`${step.policy ?? ''} ${step.rule} ${step.place ?? ''}`}
          step={step}
          columns={columns}
        />
      ))}
      <div className="step fin">
        <Mark of={effect} />
        <span className="rn">
          <Clean text={rule} max={120} />
        </span>
        <span>
          decides: {finalText(explained)}
          {place === undefined ? null : <span className="m"> {shortPlace(place)}</span>}
          {inject.length === 0 ? null : (
            <span className="key">
              {' '}
              <Icon name="key" size={12} />
              <Clean text={inject.join(', ')} />
            </span>
          )}
        </span>
      </div>
    </div>
  );
}

function finalText({ effect, steps, rule }: Explained): string {
  if (effect === 'allow')
    return steps.some((step) => step.rule === rule) ? 'the first that allows, and none denies' : 'it allows';
  return steps.some((step) => step.rule === rule)
    ? 'a rule that denies wins over all that allow'
    : 'what no rule allows is denied';
}

type Condition = NonNullable<Step['stopsAt']>['condition'];

/** Each condition by the name of its column, in the order in which rules are read. */
const names: Readonly<Record<Condition, string>> = {
  scheme: 'scheme',
  ports: 'ports',
  time: 'time',
  for: 'for',
  methods: 'method',
  paths: 'path',
  git: 'git',
  mcp: 'mcp',
  graphql: 'graphql',
  llm: 'llm',
  packages: 'package',
  when: 'when',
  require: 'facts',
};
/** So many columns to the right of where a line stops leave room for the words. */
const roomColumns = 4;

/** Those that some rule looks at: a column of dashes says nothing. */
function columnsOf(steps: readonly Step[]): readonly Condition[] {
  const used = new Set<string>(
    steps.flatMap(({ looksAt, stopsAt }) => [...looksAt, stopsAt?.condition ?? '']),
  );
  // The keys are the conditions; Object.keys forgets that.
  return (Object.keys(names) as Condition[]).filter((one) => used.has(one));
}

/** For the style sheet, which places the columns. */
function places(values: Readonly<Record<`--${string}`, number>>): CSSProperties {
  // The type knows no properties of our own.
  return values as CSSProperties;
}

function Headings({ columns }: { readonly columns: readonly Condition[] }): ReactElement {
  return (
    <div className="step mx mxh" aria-hidden="true" style={places({ '--columns': columns.length })}>
      <span>rule, in order</span>
      {columns.map((one) => (
        <span key={one} className="mc">
          {names[one]}
        </span>
      ))}
    </div>
  );
}

interface StepLineProps {
  readonly step: Step;
  readonly columns: readonly Condition[];
}

/** Its line stops at the first condition that it does not match. */
function StepLine({ step, columns }: StepLineProps): ReactElement {
  const { rule, place, effect, looksAt, stopsAt } = step;
  const stop = columns.findIndex((one) => one === stopsAt?.condition);
  const shown = stop < 0 ? columns : columns.slice(0, stop + 1);
  const hasRoom = stop >= 0 && columns.length - stop > roomColumns;
  return (
    <div
      className="step mx"
      style={places({ '--columns': Math.max(columns.length, 1), '--from': shown.length + 2 })}
    >
      <span className="rn" title={place === undefined ? undefined : plainText(place)}>
        <Clean text={rule} max={120} />
        {effect === 'deny' ? <span className="m"> denies</span> : null}
      </span>
      {shown.map((one, at) => (
        <span key={one} className="mc" aria-hidden="true">
          {at === stop ? <StopMark /> : <i className={looksAt.includes(one) ? 'mdot' : 'mdash'} />}
        </span>
      ))}
      {step.outcome === 'decides' ? null : (
        <span className={`m2 why ${hasRoom ? 'beside' : 'below'}`}>
          <Clean text={whyText(step)} max={600} />
        </span>
      )}
    </div>
  );
}

/** The name of the rule stands before it already. */
function whyText({ because, rule, place }: Step): string {
  for (const subject of [`${rule} (${place ?? ''}) `, `${rule} `])
    if (because.startsWith(subject)) return because.slice(subject.length);
  return because;
}

/** A rule that does not match stops in grey: it says nothing about the request being bad. */
function StopMark(): ReactElement {
  return (
    <svg width="18" height="12" viewBox="0 0 18 12" fill="none" role="img" aria-label="does not match">
      <path d="M1 6h4.5" stroke="var(--ink3)" strokeWidth="1.400" strokeLinecap="round" />
      <path d="M8 1.500v9" stroke="var(--ink3)" strokeWidth="2.200" strokeLinecap="round" />
    </svg>
  );
}
