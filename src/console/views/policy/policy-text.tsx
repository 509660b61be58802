// The text of what is in force, with the use of each rule beside the line at which it begins.

import type { ReactElement } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { countText, momentText } from '../../model/display.ts';
import { columnsOf } from '../../model/policy-lines.ts';
import { plainText } from '../../model/clean-text.ts';
import { Clean } from '../../parts/clean.tsx';
import { useAsked, useNow } from '../../parts/operator.ts';
import { useUses } from '../../parts/uses.ts';
import { useTotals } from '../../parts/totals.ts';

type Policy = OutputOf<'policy'>;

export function PolicyTextPane({ policy }: { readonly policy: Policy }): ReactElement {
  // Asked anew where another version is in force.
  const query = { version: policy.version };
  const asked = useAsked({ operation: 'policyText', path: '/v1/policy/text', query });
  const totals = useTotals();
  const uses = useUses('rule');
  const now = useNow(10_000);
  const useOf = (rule: Policy['rules'][number]): string => {
    if (uses !== undefined) return uses.textOf(rule, now);
    const total = totals.byRule.get(rule.name);
    if (total === undefined) return 'not used';
    const times = countText(total.passed + total.denied + total.failed);
    return `${times}× · ${momentText(total.lastMs, now)}`;
  };
  const files = asked.value?.files;
  if (files === undefined) return <div className="rules empty">{asked.fault ?? 'Looking for it…'}</div>;
  if (files.length === 0) return <div className="rules empty">There is no text: no file is in force.</div>;
  return (
    <div className="rules" tabIndex={0} role="region" aria-label="Text of the policy">
      {files.map((file) => {
        const { title, numbers, text, use } = columnsOf(file, policy.rules, useOf);
        return (
          <section key={title} className="ptext" aria-label={plainText(title)}>
            <h2>
              <Clean text={title} max={200} />
            </h2>
            <div className="pcols">
              <pre className="m" aria-hidden="true">
                {numbers}
              </pre>
              <pre className="ptxt">{text}</pre>
              <pre className="m2 hm">{use}</pre>
            </div>
          </section>
        );
      })}
    </div>
  );
}
