// Where a step of the action keeps things until its end, below the folder that the runner empties.

import { randomBytes } from 'node:crypto';
import { chmodSync, lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { appendValue, command, required, type Variables } from './runner.ts';

export interface Places {
  /** Of `upstreamproxy job`. */
  readonly state: string;
  /** What npm installs. */
  readonly program: string;
  /** For the commands of `run`. */
  readonly temporary: string;
}

const [stateName, processName, begunName] = ['places', 'process', 'begun'];
const graceMs = 5_000;
const lookMs = 50;

/** New ones, which the post step of this step finds again, however this one ends. */
export function makePlaces(variables: Variables): Places {
  const base = join(required(variables, 'RUNNER_TEMP'), `upstreamproxy-${randomBytes(8).toString('hex')}`);
  appendValue(required(variables, 'GITHUB_STATE'), stateName, base);
  return placesAt(base);
}

/** The process that the post step ends, if this step is killed before it has ended. */
export function saveProcess(variables: Variables, pid: number): void {
  appendValue(required(variables, 'GITHUB_STATE'), processName, `${pid} ${startOf(pid) ?? ''}`);
}

/** The session stands, so that the post step looks for its folder, and ends its process if that is gone. */
export function saveBegun(variables: Variables, { state }: Places): void {
  const pid = servingPid(state);
  const process = pid === undefined ? '' : `${pid} ${startOf(pid) ?? ''}`;
  appendValue(required(variables, 'GITHUB_STATE'), begunName, `begun ${process}`);
}

/** By the mark that its process has left there: place, number, start. */
function servingPid(state: string): number | undefined {
  try {
    const { mark } = JSON.parse(readFileSync(join(state, 'session.json'), 'utf8')) as { mark?: unknown };
    const [, pid] = /^[0-9a-f]+-(\d+)-\d+$/.exec(String(mark)) ?? [];
    return pid === undefined ? undefined : Number(pid);
  } catch {
    return undefined;
  }
}

export function hasBegun(variables: Variables): boolean {
  return (variables[`STATE_${begunName}`] ?? '') !== '';
}

/** Ends the process of the session, if it still serves. */
export async function endBegunProcess(variables: Variables): Promise<void> {
  await endProcess(variables[`STATE_${begunName}`]?.replace(/^begun /, ''));
}

/** Ends it, if it is still the same; what runs in its jail ends with it. */
export async function endSavedProcess(variables: Variables): Promise<void> {
  await endProcess(variables[`STATE_${processName}`]);
}

async function endProcess(saved = ''): Promise<void> {
  const [, digits, started] = /^(\d+) (\d+)$/.exec(saved) ?? [];
  const pid = Number(digits);
  const isThere = (): boolean => started !== undefined && startOf(pid) === started;
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const lateMs = performance.now() + graceMs;
    if (isThere()) process.kill(pid, signal);
    while (isThere() && performance.now() < lateMs) await wait(lookMs);
  }
}

/** In ticks since the boot (proc(5), field 22 of stat). The name in brackets can have any character. */
function startOf(pid: number): string | undefined {
  try {
    const [state, ...fields] = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return state === 'Z' ? undefined : fields[18];
  } catch {
    return undefined;
  }
}

/** Undefined: the main step did not come so far. */
export function savedPlaces(variables: Variables): Places | undefined {
  const base = variables[`STATE_${stateName}`];
  return base === undefined || base === '' ? undefined : placesAt(base);
}

function placesAt(base: string): Places {
  return { state: `${base}-job`, program: `${base}-program`, temporary: `${base}-tmp` };
}

/** All that a step may have left there but for the session's own. Warns of what stays: the job is as good as it was. */
export function removePlaces({ program, temporary }: Places): void {
  for (const path of [program, temporary])
    try {
      makeFoldersWritable(path);
      rmSync(path, { recursive: true, force: true });
    } catch (error) {
      const text = `cannot remove ${path}: ${(error as Error).message}`;
      process.stdout.write(command('warning', text, 'upstreamproxy'));
    }
}

/** Commands may have left folders that even their owner cannot change. No link is followed. */
function makeFoldersWritable(top: string): void {
  if (lstatSync(top, { throwIfNoEntry: false })?.isDirectory() !== true) return;
  const folders = [top];
  for (let path = folders.pop(); path !== undefined; path = folders.pop()) {
    chmodSync(path, 0o700);
    for (const entry of readdirSync(path, { withFileTypes: true }))
      if (entry.isDirectory()) folders.push(join(path, entry.name));
  }
}
