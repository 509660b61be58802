// The folder of a job: what `job begin` leaves there for `job end`. The commands of the job run as the same user and can write there, so
// that what is read is taken for no more than their word.

import { constants, type Dirent } from 'node:fs';
import { mkdir, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { readRefusals, type ToldRefusals } from '../../agent/uplink/session-refusals.ts';
import { type RunRecord, runRecordName } from '../run/run-record.ts';
import { writeFileAtomically } from '../../system/atomic-file.ts';
import { removeTree } from '../../system/remove-tree.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { faultReason } from '../../protocol/fault-reason.ts';

/** What the session writes once it stands. */
export interface JobRecord {
  /** Of the process that serves. */
  readonly mark: string;
  /** Of another gateway. */
  readonly gatewayUrl: string | undefined;
  /** Of a gateway of its own. */
  readonly auditFile: string | undefined;
  /** Absolute paths. */
  readonly policies: readonly string[];
  readonly config: string | undefined;
  readonly form: 'files' | 'observe' | 'none' | 'gateway';
  /** Variables as the job gets them back. */
  readonly givenBack: Readonly<Record<string, string>>;
}

/** What it writes when it ends in order. */
export interface JobEnd {
  /** Why, if nobody asked it to. */
  readonly early: string | undefined;
  /** What another gateway told of its refusals; undefined if it told nothing. */
  readonly told: ToldRefusals | undefined;
}

const [recordName, endName] = ['session.json', 'end.json'];
export const logName = 'session.log';
export const trustName = 'trust';

const ownNames = new Set([recordName, endName, logName, trustName, runRecordName, 'runs']);

/** Makes it, mode 0700. Throws usage if it is there. */
export async function makeJobFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
    await mkdir(join(path, trustName), { mode: 0o700 });
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
    const reason = isThere
      ? 'it is there already; end that job first, or name another folder'
      : faultReason(error);
    throw new ProxyError('usage', `cannot make the folder ${path}: ${reason}`, { cause: error });
  }
}

export async function writeJobRecord(path: string, record: JobRecord): Promise<void> {
  await writeFileAtomically(join(path, recordName), `${JSON.stringify(record)}\n`, {
    mode: 0o600,
    durable: false,
  });
}

export async function writeJobEnd(path: string, end: JobEnd): Promise<void> {
  await writeFileAtomically(join(path, endName), `${JSON.stringify(end)}\n`, { mode: 0o600, durable: false });
}

/** Undefined where it is not there or says nothing. */
export async function readJobRecord(path: string): Promise<JobRecord | undefined> {
  const value = await readJson(join(path, recordName));
  if (value === undefined) return undefined;
  const { mark, policies, form } = value;
  if (typeof mark !== 'string' || !isTexts(policies) || !isForm(form)) return undefined;
  return {
    mark,
    gatewayUrl: textOf(value['gatewayUrl']),
    auditFile: textOf(value['auditFile']),
    policies,
    config: textOf(value['config']),
    form,
    givenBack: variablesOf(value['givenBack']),
  };
}

export async function readJobEnd(path: string): Promise<JobEnd | undefined> {
  const value = await readJson(join(path, endName));
  if (value === undefined) return undefined;
  return { early: textOf(value['early']), told: toldOf(value['told']) };
}

function toldOf(value: unknown): ToldRefusals | undefined {
  try {
    if (value === undefined) return undefined;
    const told = readRefusals(Buffer.from(JSON.stringify(value)));
    // An object, or that had thrown.
    return { ...told, isWhole: (value as Members)['isWhole'] === true };
  } catch {
    return undefined;
  }
}

/** Of the newest run with this folder; undefined where it is not there or says nothing. */
export async function readRunRecord(path: string): Promise<RunRecord | undefined> {
  const value = await readJson(join(path, runRecordName));
  const { policies, form } = value ?? {};
  if (value === undefined || !isTexts(policies) || !isForm(form)) return undefined;
  return {
    form,
    policies,
    config: textOf(value['config']),
    auditFile: textOf(value['auditFile']),
    gatewayUrl: textOf(value['gatewayUrl']),
    told: toldOf(value['told']),
  };
}

/** The audit of the newest run below the folder. */
export async function newestAudit(path: string): Promise<string | undefined> {
  const runs = await readdir(join(path, 'runs')).catch(() => []);
  const newest = runs.sort().at(-1);
  return newest === undefined ? undefined : join(path, 'runs', newest, 'audit.jsonl');
}

/** Undefined: nothing is there. Throws usage if it has what no job has: it is somebody's, and is not removed. */
export async function jobFolderEntries(path: string): Promise<readonly string[] | undefined> {
  let entries: readonly Dirent[];
  try {
    entries = await readdir(path, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new ProxyError('usage', `cannot read ${path}: ${faultReason(error)}`, { cause: error });
  }
  const names = entries.map(({ name }) => name);
  const foreign = names.filter(
    (name) => !ownNames.has(name) && !/^\.?(?:session|end|run)\.json\b/.test(name),
  );
  if (foreign.length === 0) return names;
  throw new ProxyError(
    'usage',
    `${path} is not the folder of a job: it has ${foreign.slice(0, 3).join(', ')}`,
  );
}

export async function removeJobFolder(path: string): Promise<void> {
  try {
    await removeTree(path);
  } catch (error) {
    throw new ProxyError('trust_unwritable', `${path} cannot be removed: ${faultReason(error)}`, {
      cause: error,
    });
  }
}

type Members = Readonly<Record<string, unknown>>;

/** No link, no pipe, and of a bounded length. */
async function readJson(path: string): Promise<Members | undefined> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const status = await file.stat();
    if (!status.isFile() || status.size > defaultLimits.jobFileBytesMax) return undefined;
    const buffer = Buffer.alloc(status.size);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    const value: unknown = JSON.parse(buffer.toString('utf8', 0, bytesRead));
    // An object of JSON has string keys and unknown values.
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Members)
      : undefined;
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

function isForm(value: unknown): value is JobRecord['form'] {
  return value === 'files' || value === 'observe' || value === 'none' || value === 'gateway';
}

function variablesOf(value: unknown): JobRecord['givenBack'] {
  if (typeof value !== 'object' || value === null) return {};
  const texts = Object.entries(value).filter(
    (entry): entry is [string, string] => /^\w+$/.test(entry[0]) && typeof entry[1] === 'string',
  );
  return Object.fromEntries(texts);
}
