// A decision as its rules: each line stops where its rule does not match, and the last one says who decided.

import type { ReactElement } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { shortPlace } from '../../model/display.ts';
import { plainText } from '../../model/clean-text.ts';
import { Clean } from '../../parts/clean.tsx';
import { Icon, Mark } from '../../parts/icon.tsx';

type Explained = OutputOf<'explainPolicy'>;
type Step = Explained['steps'][number];

export function DecisionSteps({ explained }: { readonly explained: Explained }): ReactElement {
  const { effect, rule, inject, place } = explained;
  return (
    <div className="steps">
      {explained.steps.length === 0 ? null : <Headings />}
      {explained.steps.map((step) => (
        <StepLine key={`${step.policy ?? ''} ${step.rule} ${step.place ?? ''}`} step={step} />
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

const conditions = [
  'scheme',
  'ports',
  'time',
  'for',
  'methods',
  'paths',
  'git',
  'mcp',
  'graphql',
  'llm',
  'when',
  'require',
] as const;
const headings = [
  'scheme',
  'ports',
  'time',
  'for',
  'method',
  'path',
  'git',
  'mcp',
  'graphql',
  'llm',
  'when',
  'facts',
];
/** Behind an earlier one there is room for the words. */
const lastWithRoom = 5;

function Headings(): ReactElement {
  return (
    <div className="step mx mxh" aria-hidden="true">
      <span>rule, in order</span>
      {headings.map((name) => (
        <span key={name} className="mc">
          {name}
        </span>
      ))}
    </div>
  );
}

/** Its line stops at the first condition that it does not match. */
function StepLine({ step }: { readonly step: Step }): ReactElement {
  const { rule, place, effect, looksAt, stopsAt } = step;
  const stop = conditions.findIndex((one) => one === stopsAt?.condition);
  const shown = stop < 0 ? conditions : conditions.slice(0, stop + 1);
  const hasRoom = stop >= 0 && stop <= lastWithRoom;
  return (
    <div className="step mx">
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
        <span className={hasRoom ? `m2 why after${stop}` : 'm2 why below'}>
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
