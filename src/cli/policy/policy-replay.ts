// `policy replay` for a terminal.

import type { Outcome } from '../../gateway/policies/policy-replay.ts';
import { asciiText, harmlessText } from '../terminal/text-table.ts';
import type { ShownReplay } from './judging-backend.ts';

type ChangeGroup = ShownReplay['flips'][number];

/** For a terminal. */
export function replayText(result: ShownReplay): string {
  const { flips, others, unsure, fieldsUnseen, notReplayed, replayed, unchanged, policyVersion } = result;
  const total = (groups: readonly { readonly count: number }[]): number =>
    groups.reduce((sum, { count }) => sum + count, 0);
  const lines = [
    `policy ${asciiText(policyVersion)}: ${replayed} decisions replayed, ${unchanged} unchanged, ${result.flipped} flip`,
  ];
  const section = (title: string, entries: readonly string[]): void => {
    if (entries.length > 0) lines.push('', title, ...entries);
  };
  const unlisted = result.flipped - total(flips);
  section('flips:', [
    ...flips.map(changeLine),
    ...(unlisted > 0 ? [`  and ${unlisted} more, which are not listed`] : []),
  ]);
  section('not a flip:', [
    ...ruleLines(others.filter(({ change }) => change === 'rule')),
    ...others.filter(({ change }) => change !== 'rule').map(changeLine),
  ]);
  section(
    `${total(unsure)} that cannot be told:`,
    unsure.map(
      ({ count, request, reason }) => `  ${count}× ${asciiText(request)}\n      ${asciiText(reason)}`,
    ),
  );
  if (fieldsUnseen > 0)
    section('not seen:', [
      `  ${fieldsUnseen}× allowed by a rule that refuses some request fields (requestFields), which the audit does not have`,
    ]);
  section(
    `${total(notReplayed)} without a decision:`,
    notReplayed.map(({ count, reason }) => `  ${count}× ${asciiText(reason)}`),
  );
  return `${lines.join('\n')}\n`;
}

/** Where only the rule differs, which rules are enough: after observing that is every request. */
function ruleLines(changes: readonly ChangeGroup[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { was, would, count } of changes) {
    const line = `${outcomeText(was)}; would be by ${asciiText(would.rule)}`;
    counts.set(line, (counts.get(line) ?? 0) + count);
  }
  return [...counts].toSorted(([, a], [, b]) => b - a).map(([line, count]) => `  ${count}× ${line}`);
}

function changeLine({ change, count, request, was, would, traceId }: ChangeGroup): string {
  return `  ${count}× ${harmlessText(change)}: ${asciiText(request)}\n      was: ${outcomeText(was)}; would be: ${outcomeText(would)} (trace ${asciiText(traceId)})`;
}

function outcomeText({ effect, rule, injected }: Outcome): string {
  const credentials = injected.length === 0 ? '' : ` with ${injected.join(', ')}`;
  return asciiText(`${effect === 'failed' ? 'allowed, then failed,' : effect} by ${rule}${credentials}`);
}
