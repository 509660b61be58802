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

function StepLine({
  step: { rule, place, outcome, because, effect },
}: {
  readonly step: Step;
}): ReactElement {
  const isStopped = outcome === 'does not match' || outcome === 'judges requests only';
  return (
    <div className="step">
      <StepMark of={isStopped ? 'stops' : effect} />
      <span className="rn" title={place === undefined ? undefined : plainText(place)}>
        <Clean text={rule} max={120} />
        {effect === 'deny' ? <span className="m"> denies</span> : null}
      </span>
      <span className="m2">
        <Clean text={because} max={600} />
      </span>
    </div>
  );
}

/** A rule that does not match stops in grey: it says nothing about the request being bad. */
function StepMark({ of }: { readonly of: 'stops' | 'allow' | 'deny' }): ReactElement {
  if (of !== 'stops') return <Mark of={of} />;
  return (
    <svg width="18" height="12" viewBox="0 0 18 12" fill="none" role="img" aria-label="does not match">
      <path d="M1 6h4.5" stroke="var(--ink3)" strokeWidth="1.400" strokeLinecap="round" />
      <path d="M8 1.500v9" stroke="var(--ink3)" strokeWidth="2.200" strokeLinecap="round" />
    </svg>
  );
}
