// What a ceiling cannot say, and what a policy says beyond it.

import { splitNumber } from '../http/digits-at-end.ts';
import type { CompiledPolicy } from './compiled-policy.ts';
import type { Steps } from './compare-reach.ts';
import { reachSteps } from './diff-policy.ts';
import type { PolicyProblem } from './problem.ts';

/** Limits are counted by the rule that admits a request, which is one of the policy below it. */
export function checkCeiling({ rules }: CompiledPolicy): readonly PolicyProblem[] {
  return rules.flatMap(({ limits, llm, reference: { name, place = '' } }) => {
    const counted = Object.entries(limits).flatMap(([one, value]) =>
      one === 'bodyBytes' || value === undefined ? [] : [one],
    );
    const [key] = [...counted, ...(llm?.budget === undefined ? [] : ['a budget of models'])];
    if (key === undefined) return [];
    const message = `the ceiling counts nothing: its rule ${name} has ${key}; write it in the policies below it`;
    return [{ ...placeOf(place), message, severity: 'error' as const }];
  });
}

/** What the policy allows and the ceiling never does, as warnings. */
export function* beyondCeilingSteps(
  policy: CompiledPolicy,
  ceiling: CompiledPolicy,
): Steps<readonly string[]> {
  const { opened, credentialsGained, notCompared } = yield* reachSteps(ceiling, policy);
  return [
    ...(notCompared === undefined ? [] : [`it is not compared with the ceiling: ${notCompared}`]),
    ...opened.map((what) => `${what} is allowed here and not by the ceiling, so it is denied`),
    ...credentialsGained.map(
      ({ credential, host }) =>
        `the credential ${credential} is for ${host} here and not by the ceiling, so what needs it is denied`,
    ),
  ];
}

function placeOf(place: string): { readonly file: string; readonly line: number; readonly column: number } {
  const found = splitNumber(place, ':');
  return { file: found?.before ?? place, line: Number(found?.digits ?? 1), column: 1 };
}
