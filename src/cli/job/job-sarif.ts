// What was refused, as SARIF 2.1.0 (OASIS), which code scanning and other viewers read.

import { createHash } from 'node:crypto';

import { packageVersion } from '../../system/package-version.ts';
import { asciiText } from '../terminal/text-table.ts';
import type { JobFacts } from './job-facts.ts';
import { type FindingKind, jobFindings } from './job-findings.ts';

/** What GitHub shows beside a finding, and asks for: what it says, and what to do. */
const rules = {
  refused: {
    says: 'No rule of the policy allows this request.',
    help: 'If the job needs it, add a rule that allows it. If you know it and do not want it, add a rule that denies it.',
  },
  'refused-by-rule': {
    says: 'A rule of the policy denies this request.',
    help: 'Nothing needs to be done. If the job needs the request, change the rule.',
  },
  'would-be-refused': {
    says: 'The policy that was tried refuses this request.',
    help: 'Before you enforce the policy, add a rule that allows the request, or one that denies it.',
  },
  alarm: {
    says: 'The gateway raised an alarm.',
    help: 'Look at the audit. Somebody may have used a token twice, or spoken to the gateway in a way that no agent does.',
  },
  'session-ended': {
    says: 'The session ended before the job, or its audit cannot be read.',
    help: 'Look at the steps that ran before it ended: one of them may have ended it. The report has nothing of what came after.',
  },
} as const;

type RuleId = keyof typeof rules;
const ruleIds = Object.keys(rules) as readonly RuleId[];

/** What has no rule of its own is of the rule for what ended early. */
const ruleOfKind: Readonly<Record<FindingKind, RuleId>> = {
  early: 'session-ended',
  unread: 'session-ended',
  alarm: 'alarm',
  refused: 'refused',
  'refused-by-rule': 'refused-by-rule',
  'would-be-refused': 'would-be-refused',
};

/** One log, in ASCII. `about`: the file of the repository that all of it is shown at; code scanning shows nothing without one. */
export function jobSarif(facts: JobFacts, about: string | undefined): string {
  const locations = about === undefined ? [] : [locationOf(about)];
  const results = jobFindings(facts).map(({ kind, level, text, key, count }) => {
    const ruleId = ruleOfKind[kind];
    return {
      ruleId,
      ruleIndex: ruleIds.indexOf(ruleId),
      level,
      message: { text: asciiText(text) },
      occurrenceCount: count,
      partialFingerprints: {
        'upstreamproxy/v1': createHash('sha256').update(`${ruleId} ${key}`).digest('hex'),
      },
      locations,
    };
  });
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'upstreamproxy',
            semanticVersion: packageVersion(),
            rules: ruleIds.map(ruleOf),
          },
        },
        results,
      },
    ],
  };
  return `${JSON.stringify(log, undefined, 2)}\n`;
}

function ruleOf(id: RuleId): object {
  const { says, help } = rules[id];
  return { id, shortDescription: { text: says }, fullDescription: { text: says }, help: { text: help } };
}

function locationOf(about: string): object {
  // A path of the repository as a relative URI (SARIF §3.4.3).
  const uri = about.split('/').map(encodeURIComponent).join('/');
  return {
    physicalLocation: { artifactLocation: { uri, uriBaseId: '%SRCROOT%' }, region: { startLine: 1 } },
  };
}
