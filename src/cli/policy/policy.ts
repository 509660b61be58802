// `upstreamproxy policy`: checks, explains, proposes, replays and compares policies.

import type { AuditEvent } from '../../api/audit-event.ts';
import { mainName } from '../../policy/bound-policies.ts';
import { ProxyError } from '../../protocol/error.ts';
import { errorTable } from '../../protocol/error-table.ts';
import { policyDefinition } from '../commands/policy-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { problemsOf, problemText } from '../gateway/policy-warnings.ts';
import { withRecords } from '../operator/audit-records.ts';
import { openConnection } from '../operator/operator-place.ts';
import { groupOf } from '../terminal/command.ts';
import { withProgress } from '../terminal/progress.ts';
import { painted, standardOutput } from '../terminal/terminal-stream.ts';
import { harmlessText, jsonLine } from '../terminal/text-table.ts';
import { explainCommand } from './explain-command.ts';
import type { Checked, PolicyWanted } from './judging-backend.ts';
import { openJudging } from './open-judging.ts';
import { pinsCommand } from './pins-command.ts';
import { PolicyProposal } from './policy-proposal.ts';
import { proveCommand } from './prove-command.ts';
import { replayText } from './policy-replay.ts';
import { uses } from './policy-uses.ts';
import { history, numberOf, publish, rollBack, show, withdraw } from './published.ts';

type Actions = (typeof policyDefinition)['actions'];

async function check({ options, arguments: { FILE: files } }: Input<Actions[0]>): Promise<number> {
  const { json } = options;
  await using backend = await openJudging(options, true);
  let checked: Checked;
  try {
    checked = await backend.check({ kind: 'files', paths: [...files, ...(options.policy ?? [])] });
  } catch (error) {
    if (!json) throw error;
    process.stdout.write(jsonLine({ ok: false, problems: problemsOf(error) }));
    return errorTable.config_invalid.exit;
  }
  const { rules, version, warnings: problems } = checked;
  const ok = !options['fail-on-warning'] || problems.length === 0;
  if (json) process.stdout.write(jsonLine({ ok, rules, version, problems }));
  else {
    for (const problem of problems) process.stdout.write(`${problemText(problem)}\n`);
    const found = `${rules} ${rules === 1 ? 'rule' : 'rules'}, version ${version}`;
    const good = painted(standardOutput(), 'good', 'good:');
    if (ok) process.stdout.write(`${good} ${harmlessText(found)}\n`);
  }
  return ok ? 0 : 1;
}

async function learn({ options, arguments: { AUDIT: file } }: Input<Actions[2]>): Promise<number> {
  const place = { ...options, ...(file === undefined ? {} : { audit: file }) };
  const { audit, config, state, server, context, since } = place;
  requireOnePlace({ audit, server, context });
  const proposal = new PolicyProposal();
  const isHere = audit !== undefined || config !== undefined || state !== undefined;
  await using connection = await openConnection(place, { orCurrent: !isHere });
  const nowMs = Date.now();
  let seen = 0;
  await withProgress(
    options,
    () => `${seen} events`,
    async (step) => {
      const noteAll = async (events: AsyncIterable<AuditEvent>): Promise<void> => {
        for await (const event of events) {
          proposal.note(event);
          seen += 1;
          step();
        }
      };
      if (connection === undefined)
        return await withRecords(place, nowMs, async ({ events }) => await noteAll(events));
      const { eventsAtServer } = await import('../operator/server-progress.ts');
      await noteAll(eventsAtServer(connection, since === undefined ? undefined : nowMs - since));
    },
  );
  process.stdout.write(proposal.text());
  return 0;
}

/** An audit is in a file here, or a gateway elsewhere has it. @throws ProxyError usage */
function requireOnePlace({
  audit,
  server,
  context,
}: Readonly<Record<'audit' | 'server' | 'context', string | undefined>>): void {
  if (audit === undefined || (server === undefined && context === undefined)) return;
  throw new ProxyError('usage', `give --audit or --${server === undefined ? 'context' : 'server'}, not both`);
}

async function replay({ options, arguments: { FILE: named } }: Input<Actions[3]>): Promise<number> {
  const files = [...named, ...(options.policy ?? [])];
  const { audit, config, state, server, context, since } = options;
  requireOnePlace({ audit, server, context });
  const isHere = audit !== undefined || config !== undefined || state !== undefined;
  await using backend = await openJudging(options, isHere);
  const fromMs = since === undefined ? undefined : Date.now() - since;
  let seen = 0;
  const result = await withProgress(
    options,
    () => (seen === 0 ? 'replays the audit' : `${seen} events`),
    (step) =>
      backend.replay(wantedOf(files, options.name), fromMs, (events) => {
        seen = events;
        step();
      }),
  );
  const { flips } = result;
  process.stdout.write(options.json ? jsonLine(result) : replayText(result));
  return options['fail-on-flip'] && flips.length > 0 ? 1 : 0;
}

async function diff({ options, arguments: { OLD, NEW } }: Input<Actions[4]>): Promise<number> {
  const [before, after] = [wantedOf([OLD], options.name), wantedOf([NEW], options.name)];
  const isOfFiles = before.kind === 'files' && after.kind === 'files';
  await using backend = await openJudging(options, options.config !== undefined || isOfFiles);
  const { text, machine } = await backend.compare(before, after);
  process.stdout.write(options.json ? jsonLine(machine) : text.replaceAll(/[^\n]+/g, harmlessText));
  return 0;
}

/** Files, or `@3` for a version of the store; nothing named is what is in force. */
function wantedOf(texts: readonly string[], policy: string = mainName): PolicyWanted {
  const [first, second] = texts;
  if (first === undefined) return { kind: 'in-force' };
  if (!first.startsWith('@')) return { kind: 'files', paths: texts };
  if (second !== undefined) throw new ProxyError('usage', 'a version of the store stands alone');
  return { kind: 'version', policy, number: first === '@' ? undefined : numberOf(first.slice(1)) };
}

export const policyCommand = groupOf(policyDefinition, {
  check,
  explain: explainCommand,
  learn,
  replay,
  diff,
  publish,
  history,
  show,
  rollback: rollBack,
  withdraw,
  pins: pinsCommand,
  uses,
  prove: proveCommand,
});
