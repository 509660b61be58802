// The summary of a job in Markdown, for $GITHUB_STEP_SUMMARY and the like.

import { refusalText } from '../run/denial-summary.ts';
import { asciiText } from '../terminal/text-table.ts';
import type { JobFacts, Refused } from './job-facts.ts';
import { markdownBlock, markdownCode, markdownText } from './markdown-text.ts';

/** More of them nobody reads, and GitHub shows no summary that is longer than a mebibyte, older servers of it 128 KiB. */
const rowsShown = 50;
const proposalCharactersMax = 48 * 1024;

/** Ends with a line break. */
export function jobSummary(facts: JobFacts): string {
  const { places, refused, refusedElse } = facts;
  return [
    `## upstreamproxy: ${headline(facts)}\n\n`,
    ...notes(facts).map((note) => `> ${note}\n\n`),
    placesTable(places),
    refusedTable(
      facts.form === 'observe'
        ? 'Refused all the same: not public, or raw TCP'
        : 'Refused: no rule allows it',
      refused.filter(({ isMeant }) => !isMeant),
    ),
    refusedTable(
      'Refused by a rule',
      refused.filter(({ isMeant }) => isMeant),
    ),
    refusedElse === 0 ? '' : `And ${refusedElse} more refusals, of which no more is known.\n\n`,
    alarmList(facts),
    wouldTable(facts),
    proposalText(facts),
  ].join('');
}

function headline({ places, refused, refusedElse, would, form }: JobFacts): string {
  const denied = refused.reduce((sum, { count }) => sum + count, refusedElse);
  const requests = (places?.named ?? []).reduce(
    (sum, one) => sum + one.allowed + one.refused + one.failed,
    places?.others ?? 0,
  );
  const seen = places === undefined ? '' : `${counted(requests, 'request')}, `;
  const tried =
    form === 'observe' && would.length > 0
      ? `, ${would.reduce((sum, { count }) => sum + count, 0)} that the policy would refuse`
      : '';
  return `${seen}${denied} refused${tried}`;
}

function counted(count: number, what: string): string {
  return count === 1 ? `1 ${what}` : `${count} ${what}s`;
}

function notes({ form, policy, gatewayUrl, early, unread, tunnelBroke }: JobFacts): readonly string[] {
  const who = {
    files:
      policy === undefined
        ? 'The policy that the configuration names decided.'
        : `The policy ${markdownCode(policy)} decided.`,
    observe:
      policy === undefined
        ? 'Nothing that is public was refused: this job was observed.'
        : `Nothing that is public was refused: this job was observed, and the policy ${markdownCode(policy)} was tried.`,
    none: 'Everything was refused, for no policy was named.',
    gateway: `The gateway ${markdownCode(gatewayUrl ?? '')} decided, and has the audit.`,
  }[form];
  return [
    who,
    ...(early === undefined
      ? []
      : [
          `**The session was over before the job was**: ${markdownText(early)}. What came after it is not here.`,
        ]),
    ...(unread === undefined ? [] : [`**This may not be all**: ${markdownText(unread)}.`]),
    ...(tunnelBroke
      ? ['The tunnel broke once. The audit of the gateway has all of what it refused before that.']
      : []),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
  return `${line(head)}${line(head.map(() => '---'))}${rows.map(line).join('')}\n`;
}

function moreText(all: number): string {
  return all > rowsShown ? `And ${all - rowsShown} more.\n\n` : '';
}

function placesTable(places: JobFacts['places']): string {
  if (places === undefined) return '';
  const { named, others } = places;
  if (named.length === 0) return 'Nothing was contacted.\n\n';
  const rows = named
    .slice(0, rowsShown)
    .map(({ name, methods, allowed, refused, failed }) => [
      markdownCode(name),
      markdownText([...methods].sort().join(', ')) || '-',
      String(allowed),
      String(refused),
      String(failed),
    ]);
  const rest = others === 0 ? '' : `And others, ${counted(others, 'time')}.\n\n`;
  return table(['Host', 'Methods', 'Allowed', 'Refused', 'Failed'], rows) + moreText(named.length) + rest;
}

function refusedTable(title: string, refused: readonly Refused[]): string {
  if (refused.length === 0) return '';
  const rows = refused
    .slice(0, rowsShown)
    .map(({ refusal, count }) => [
      markdownCode(refusalText(refusal)),
      markdownText(refusal.code),
      refusal.rule === undefined ? '-' : markdownCode(refusal.rule),
      String(count),
    ]);
  return `### ${title}\n\n${table(['What', 'Why', 'Rule', 'Times'], rows)}${moreText(refused.length)}`;
}

function alarmList({ alarms }: JobFacts): string {
  if (alarms.length === 0) return '';
  const lines = alarms
    .slice(0, rowsShown)
    .map(({ text, count }) => `- ${markdownText(text)} (${counted(count, 'time')})\n`);
  return `### Alarms\n\n${lines.join('')}\n${moreText(alarms.length)}`;
}

function wouldTable({ would }: JobFacts): string {
  if (would.length === 0) return '';
  const rows = would
    .slice(0, rowsShown)
    .map(({ request, rule, count }) => [markdownCode(request), markdownCode(rule), String(count)]);
  return `### The policy would have refused\n\n${table(['Request', 'Rule', 'Times'], rows)}${moreText(would.length)}`;
}

function proposalText({ proposal }: JobFacts): string {
  if (proposal === undefined) return '';
  if (proposal.length > proposalCharactersMax)
    return 'A policy that allows what was seen would be too long for a summary: keep the audit, and run `upstreamproxy policy learn AUDIT`.\n';
  const lines = proposal.split('\n').map(asciiText).join('\n');
  return `<details><summary>A policy that allows what was seen, and nothing else</summary>\n\n${markdownBlock(lines, 'yaml')}\n</details>\n`;
}
