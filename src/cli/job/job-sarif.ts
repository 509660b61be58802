// What was refused, as SARIF 2.1.0 (OASIS), which code scanning and other viewers read.

import { createHash } from 'node:crypto';

import { refusalKey } from '../../protocol/session-refusals.ts';
import { packageVersion } from '../../system/package-version.ts';
import { refusalText } from '../run/denial-summary.ts';
import { asciiText } from '../terminal/text-table.ts';
import type { JobFacts } from './job-facts.ts';

const rules = {
  refused: 'No rule of the policy allows what was asked for.',
  'refused-by-rule': 'A rule of the policy denies what was asked for.',
  'would-be-refused': 'The policy that was tried would refuse what was asked for.',
  alarm: 'The gateway raised an alarm.',
  'session-ended': 'The session was over before the job was, or not all of it could be read.',
} as const;

type RuleId = keyof typeof rules;
const ruleIds = Object.keys(rules) as readonly RuleId[];

interface Finding {
  readonly ruleId: RuleId;
  readonly level: 'error' | 'warning';
  readonly text: string;
  /** What makes it the same finding in the next run. */
  readonly key: string;
  readonly count: number;
}

/** One log, in ASCII. `about`: the file of the repository that all of it is shown at; code scanning shows nothing without one. */
export function jobSarif(facts: JobFacts, about: string | undefined): string {
  const locations = about === undefined ? [] : [locationOf(about)];
  const results = findingsOf(facts).map(({ ruleId, level, text, key, count }) => ({
    ruleId,
    ruleIndex: ruleIds.indexOf(ruleId),
    level,
    message: { text: asciiText(text) },
    occurrenceCount: count,
    partialFingerprints: {
      'upstreamproxy/v1': createHash('sha256').update(`${ruleId} ${key}`).digest('hex'),
    },
    locations,
  }));
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'upstreamproxy',
            semanticVersion: packageVersion(),
            rules: ruleIds.map((id) => ({ id, shortDescription: { text: rules[id] } })),
          },
        },
        results,
      },
    ],
  };
  return `${JSON.stringify(log, undefined, 2)}\n`;
}

function locationOf(about: string): object {
  // A path of the repository as a relative URI (SARIF §3.4.3).
  const uri = about.split('/').map(encodeURIComponent).join('/');
  return {
    physicalLocation: { artifactLocation: { uri, uriBaseId: '%SRCROOT%' }, region: { startLine: 1 } },
  };
}

function findingsOf({
  refused,
  refusedElse,
  alarms,
  would,
  early,
  unread,
  form,
}: JobFacts): readonly Finding[] {
  const level = form === 'observe' ? 'warning' : 'error';
  const whole = (ruleId: RuleId, text: string): Finding => ({
    ruleId,
    level: 'error',
    text,
    key: text,
    count: 1,
  });
  return [
    ...[early, unread].flatMap((text) => (text === undefined ? [] : [whole('session-ended', text)])),
    ...alarms.map(({ text, count }) => ({ ...whole('alarm', text), count })),
    ...refused.map(({ refusal, isMeant, count }): Finding => {
      const rule = refusal.rule === undefined ? '' : `, rule ${refusal.rule}`;
      return {
        ruleId: isMeant ? 'refused-by-rule' : 'refused',
        level: isMeant ? 'warning' : level,
        text: `${refusalText(refusal)}: ${refusal.code}${rule}`,
        key: refusalKey({ ...refusal, count: 1 }),
        count,
      };
    }),
    ...(refusedElse === 0
      ? []
      : [
          {
            ...whole('refused', 'More was refused, of which no more is known'),
            level,
            count: refusedElse,
          } as const,
        ]),
    ...would.map(({ request, rule, count }): Finding => ({
      ruleId: 'would-be-refused',
      level: 'warning',
      text: `${request}: rule ${rule}`,
      key: request,
      count,
    })),
  ];
}
