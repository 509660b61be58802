// `upstreamproxy job end`: ends the session of a job, tells what it saw, and leaves nothing of it.

import { appendFile } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { isMarkAlive } from '../../agent/kernel/process-mark.ts';
import { copyRegularFile } from '../../system/regular-file.ts';
import { writeFileAtomically } from '../../system/atomic-file.ts';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { formatEnvironment } from '../agent/environment-format.ts';
import type { jobDefinition } from '../commands/job-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { Denials } from '../run/denial-summary.ts';
import { listenForInterruption } from '../run/interruption.ts';
import { asciiText } from '../terminal/text-table.ts';
import { jobAnnotations } from './job-annotations.ts';
import { collectJobFacts, type JobFacts, type JobSources, needsLook } from './job-facts.ts';
import {
  jobFolderEntries,
  newestAudit,
  readJobEnd,
  readJobRecord,
  readRunRecord,
  removeJobFolder,
  type JobRecord,
} from './job-folder.ts';
import { jobSarif } from './job-sarif.ts';
import { jobSummary } from './job-summary.ts';
import { withoutCommands } from './workflow-command.ts';

type EndInput = Input<(typeof jobDefinition)['actions'][1]>;
type Values = EndInput['options'];

/** Of an audit that nobody has left a word beside: no commands ran yet, or one of them took it away. */
const noRecordText = 'it never stood, or what it kept is gone';

/** How often it is looked whether the process has ended. */
const lookMs = 50;

export async function endJob({ options: values }: EndInput): Promise<number> {
  const state = resolve(values.state);
  const entries = await jobFolderEntries(state);
  if (entries === undefined) throw new ProxyError('usage', `there is no job in ${state}; was it begun?`);
  // What is begun here is done: it has an end of its own.
  using _ = listenForInterruption();
  let facts: JobFacts | undefined;
  try {
    const sources = await endedJob(state);
    if (sources !== undefined) {
      facts = await collectJobFacts(sources);
      // First, for what is asked for may not be written.
      process.stderr.write(withoutCommands(spokenFacts(facts, values)));
      await hand(facts, sources.record, values);
    }
  } finally {
    await removeJobFolder(state);
  }
  if (facts === undefined) {
    process.stderr.write('upstreamproxy: the job had no session yet; nothing is left of it\n');
    return 0;
  }
  return values['fail-on-denial'] && needsLook(facts) ? 1 : 0;
}

/** Ends its session, if it has one. Undefined: it had none, and no `run` either. */
async function endedJob(state: string): Promise<JobSources | undefined> {
  const record = await readJobRecord(state);
  if (record === undefined) return await endedRun(state);
  const isOver = await endProcess(record.mark);
  const end = await readJobEnd(state);
  const killed = isOver
    ? 'its process was killed'
    : 'its process did not end when it was asked to, and was killed';
  return { record, end, early: end === undefined ? killed : end.early };
}

/** `run` has ended by itself, and has kept who decided. */
async function endedRun(state: string): Promise<JobSources | undefined> {
  const rest = { mark: '', givenBack: {} };
  const kept = await readRunRecord(state);
  if (kept !== undefined) {
    const { told, ...run } = kept;
    return { record: { ...rest, ...run }, end: { early: undefined, told }, early: undefined };
  }
  const auditFile = await newestAudit(state);
  if (auditFile === undefined) return undefined;
  const unknown = {
    config: undefined,
    gatewayUrl: undefined,
    auditFile,
    policies: [],
    form: 'none',
  } as const;
  return { record: { ...rest, ...unknown }, end: undefined, early: noRecordText };
}

/** Whether it ended in order, or had before. */
async function endProcess(mark: string): Promise<boolean> {
  if (!isMarkAlive(mark)) return true;
  // Of a mark that is alive: place, number, start.
  const pid = Number(mark.split('-')[1]);
  signal(pid, 'SIGTERM');
  const lateMs = performance.now() + defaultLimits.jobEndTimeoutMs;
  while (isMarkAlive(mark)) {
    if (performance.now() > lateMs) {
      signal(pid, 'SIGKILL');
      return false;
    }
    await wait(lookMs);
  }
  return true;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile, or is another user's.
  }
}

/** Writes what was asked for, each even where another cannot be written; throws the first fault. */
async function hand(facts: JobFacts, record: JobRecord, values: Values): Promise<void> {
  const { summary, sarif, audit, annotations, 'give-back': giveBack } = values;
  const about = values.about ?? aboutPolicy(facts);
  const faults: ProxyError[] = [];
  const write = async (path: string | undefined, work: (path: string) => Promise<void>): Promise<void> => {
    if (path === undefined) return;
    try {
      await work(path);
    } catch (error) {
      const text =
        error instanceof ProxyError ? error.message : `cannot write ${path}: ${faultReason(error)}`;
      faults.push(new ProxyError('trust_unwritable', text, { cause: error }));
    }
  };
  await write(giveBack, (path) => appendFile(path, formatEnvironment(record.givenBack, 'github')));
  const { auditFile } = record;
  if (auditFile !== undefined)
    await write(audit, (path) =>
      copyRegularFile(auditFile, path, AbortSignal.timeout(defaultLimits.jobReadTimeoutMs)),
    );
  await write(summary, (path) => appendFile(path, jobSummary(facts)));
  await write(sarif, (path) => writeFileAtomically(path, jobSarif(facts, about), { durable: false }));
  if (annotations === 'github') process.stdout.write(jobAnnotations(facts, about));
  const [fault] = faults;
  if (fault !== undefined) throw fault;
}

/** As a path of the repository, if it is one. */
function aboutPolicy({ policy }: JobFacts): string | undefined {
  return policy === undefined || isAbsolute(policy) ? undefined : policy;
}

/** For the log of the job. */
function spokenFacts(facts: JobFacts, { audit }: Values): string {
  const { refused, refusedElse, early, unread, tunnelBroke, gatewayUrl } = facts;
  const denials = new Denials();
  for (const { refusal, count } of refused) denials.add({ ...refusal, count });
  const place =
    gatewayUrl === undefined ? (audit ?? 'job end --audit FILE keeps it') : `the audit of ${gatewayUrl}`;
  const note = (text: string): string => `upstreamproxy: ${text}\n`;
  return [
    denials.summary(place, refusedElse),
    early === undefined ? '' : note(`the session was over before the job was: ${asciiText(early)}`),
    unread === undefined ? '' : note(`this may not be all: ${asciiText(unread)}`),
    tunnelBroke ? note('the tunnel broke once; the audit of the gateway has what it refused before') : '',
  ].join('');
}
